/** @file `thrive export`: a checkpoint's network as a file for other programs. */
import type { Command } from 'commander';
import { result } from '../output.ts';

interface ExportFlags {
  format?: string;
  out: string;
  model?: string;
  data?: string;
  key?: string;
  json?: boolean;
}

async function execute(checkpoint: string, flags: ExportFlags): Promise<void> {
  const { exportCheckpoint } = await import('../../experiment/export-network.ts');
  const written = await exportCheckpoint(checkpoint, flags);
  result(flags.json, written, () => {
    const { file, format, bytes, tensors } = written;
    return `${file}: ${format}, ${tensors} tensors, ${(bytes / 1e6).toFixed(2)} MB`;
  });
}

export function registerExport(program: Command): void {
  program
    .command('export')
    .description("Write a checkpoint's network for other programs")
    .argument('<checkpoint>', 'a .safetensors or .pth file')
    .requiredOption('--out <file>', 'the file to write')
    .option('--format <name>', 'safetensors or pth (default: by the ending of --out)')
    .option('--model <name>', 'the architecture, where the file does not say it and the format needs it')
    .option('--data <name>', 'the data set it is for, where the file does not say it and the format needs it')
    .option('--key <name>', "of a .pth: put the weights under this key; RepDistiller reads 'model'")
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  thrive export runs/NAME/last.safetensors --out student.safetensors     weights alone, without the optimizer's state
  thrive export runs/NAME/last.safetensors --out student.pth             model.load_state_dict(torch.load('student.pth'))`,
    )
    .action(execute);
}
