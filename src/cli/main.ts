#!/usr/bin/env node
/** @file The `thrive` command. Imports no engine: each command loads what it needs when it runs, so --help is instant. */
import { Command, CommanderError } from 'commander';
import { errorCode } from '../base/errors.ts';
import { speakFlags } from '../base/speech.ts';
import { packageVersion } from '../base/version.ts';
import { registerBench } from './commands/bench.ts';
import { registerCompare } from './commands/compare.ts';
import { registerData } from './commands/data.ts';
import { registerDoctor } from './commands/doctor.ts';
import { registerEval } from './commands/eval.ts';
import { registerExport } from './commands/export.ts';
import { registerImport } from './commands/import.ts';
import { registerModels } from './commands/models.ts';
import { registerParts } from './commands/parts.ts';
import { registerPredict } from './commands/predict.ts';
import { registerQuickstart } from './commands/quickstart.ts';
import { registerReport } from './commands/report.ts';
import { registerScore } from './commands/score.ts';
import { registerServe } from './commands/serve.ts';
import { registerSetup } from './commands/setup.ts';
import { registerShow } from './commands/show.ts';
import { registerShowAugment } from './commands/show-augment.ts';
import { registerSweep } from './commands/sweep.ts';
import { registerDistill, registerTrain } from './commands/train.ts';
import { asTyped } from './invocation.ts';
import { exitCodes, reportError } from './output.ts';

function build(): Command {
  const program = new Command('thrive')
    .description(
      'Knowledge distillation that thrives on data augmentation: train small image classifiers from big ones.',
    )
    .version(packageVersion())
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true })
    .addHelpText(
      'after',
      `
Examples:
  thrive setup                                       build the native addon, once
  thrive doctor                                      is this machine able to train?
  thrive train --data cifar100 --model resnet56      train a teacher
  thrive distill --data cifar100 --teacher runs/teacher/last.safetensors --student resnet20
  thrive eval runs/student/last.safetensors --data cifar100`,
    );
  for (const register of [
    registerSetup,
    registerDoctor,
    registerData,
    registerTrain,
    registerDistill,
    registerEval,
    registerScore,
    registerShowAugment,
    registerImport,
    registerPredict,
    registerSweep,
    registerShow,
    registerCompare,
    registerServe,
    registerReport,
    registerExport,
    registerModels,
    registerParts,
    registerBench,
    registerQuickstart,
  ]) {
    register(program);
  }
  // From here on messages name flags: those that were typed by theirs, others as they would be.
  program.hook('preAction', (_program, command) => {
    const given = Object.keys(command.opts()).filter((key) => command.getOptionValueSource(key) !== 'default');
    speakFlags(given);
  });
  return program;
}

/** Run one command line; resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const program = build();
  // Every way a command line can be wrong exits with 2, like bad input elsewhere.
  const override = (command: Command, path: string): void => {
    command.exitOverride().showHelpAfterError(asTyped(`hint: ${path} --help shows what there is`));
    for (const child of command.commands) override(child, `${path} ${child.name()}`);
  };
  override(program, program.name());
  try {
    await program.parseAsync(argv as string[], { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.badInput;
    return reportError(error);
  }
}

// `thrive data list | head -1`: a reader that has gone away is no error of ours.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (errorCode(error) !== 'EPIPE') throw error;
  });
}

process.exitCode = await main(process.argv.slice(2));
