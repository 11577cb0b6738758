/** @file `thrive export`: a checkpoint's network as a file for other programs. */
import type { Command } from 'commander';
import { result, say } from '../output.ts';

interface ExportFlags {
  format?: string;
  out?: string;
  model?: string;
  data?: string;
  key?: string;
  normalize?: boolean;
  json?: boolean;
}

async function execute(given: string, flags: ExportFlags): Promise<void> {
  const { weightsAt } = await import('../../networks/run-weights.ts');
  const { file: checkpoint, note } = weightsAt(given);
  if (note) say(note);
  const { exportCheckpoint } = await import('../../networks/export-network.ts');
  const written = await exportCheckpoint(checkpoint, flags);
  for (const note of written.notes ?? []) say(note);
  result(flags.json, written, () => {
    const { file, format, bytes, tensors, takes, gives } = written;
    const size = `${(bytes / 1e6).toFixed(2)} MB`;
    if (!takes) return `${file}: ${format}, ${tensors} tensors, ${size}`;
    return `${file}: ${format}, ${size}\n  takes ${takes}\n  gives ${gives}`;
  });
}

export function registerExport(program: Command): void {
  program
    .command('export')
    .description("Write a checkpoint's network for other programs")
    .argument('<checkpoint>', 'a .safetensors or .pth file, or a run folder')
    .option('--out <file>', "the file to write (default: the checkpoint's name with the ending of --format)")
    .option('--format <name>', 'safetensors, pth or onnx (default: by the ending of --out)')
    .option('--model <name>', 'the architecture, where the file does not say it and the format needs it')
    .option('--data <name>', 'the dataset it is for, where the file does not say it and the format needs it')
    .option('--key <name>', "of a .pth: put the weights under this key; RepDistiller reads 'model'")
    .option('--normalize', 'of an .onnx: it takes pixels from 0 to 255 and normalises them itself')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  thrive export runs/NAME/last.safetensors --out student.safetensors     weights alone, without the optimizer's state
  thrive export runs/NAME/last.safetensors --out student.pth             model.load_state_dict(torch.load('student.pth'))
  thrive export runs/NAME/last.safetensors --format onnx --normalize     for onnxruntime, on a server or in a browser`,
    )
    .action(execute);
}
