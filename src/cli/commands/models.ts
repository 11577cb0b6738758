/** @file `thrive models`: the architectures and their sizes, or those of a user's own network. */
import type { Command } from 'commander';
import type { LayerSummary, ModelRow } from '../../models/index.ts';
import { names, positiveInteger } from '../flags.ts';
import { result, table } from '../output.ts';

interface ModelsFlags {
  imageSize: number;
  classes: number;
  taps?: boolean;
  tapsAt?: string[];
  layers?: boolean;
  json?: boolean;
}

type Row = ModelRow & { layers?: LayerSummary[] };

const shape = (sizes: readonly number[]): string => sizes.join('×');
const grouped = (count: number): string => count.toLocaleString('en-US');

async function measureAll(references: readonly string[], flags: ModelsFlags): Promise<Row[]> {
  const { modelRow, modelNames, summary } = await import('../../models/index.ts');
  const { checkModel } = await import('../../networks/model-reference.ts');
  const { modelSource } = await import('../../networks/model-source.ts');
  const { classes, imageSize } = flags;
  const asked = references.length > 0 ? references : modelNames;
  for (const reference of asked) checkModel(reference);
  const rows: Row[] = [];
  for (const reference of asked) {
    const source = await modelSource(reference);
    using network = source.createEmpty({ classes, imageSize, taps: flags.tapsAt });
    const row = modelRow(source.name, network, imageSize);
    rows.push(flags.layers ? { ...row, layers: summary(network, { imageSize }).layers } : row);
  }
  return rows;
}

/** Every call of a layer, with the path that names it as a tap. */
const layerTable = ({ name, layers = [] }: Row): string =>
  `${name}\n${table(
    ['layer', 'type', 'output', 'parameters', 'multiply-adds'],
    layers.map((layer) => [
      layer.path,
      layer.type,
      shape(layer.outputShape),
      grouped(layer.parameters),
      grouped(layer.multiplyAdds),
    ]),
  )}\n`;

async function execute(references: string[], flags: ModelsFlags): Promise<void> {
  const rows = await measureAll(references, flags);
  const { imageSize, classes } = flags;
  result(flags.json, { imageSize, classes, models: rows }, () => {
    const showTaps = flags.taps || flags.tapsAt !== undefined;
    const header = ['name', 'parameters', 'multiply-adds', ...(showTaps ? ['taps: stem, stages, pooled'] : [])];
    const sizes = table(
      header,
      rows.map(({ name, parameters, multiplyAdds, tapShapes }) => [
        name,
        grouped(parameters),
        grouped(multiplyAdds),
        ...(showTaps ? [tapShapes.map(shape).join(' ')] : []),
      ]),
    );
    return [
      ...(flags.layers ? rows.map(layerTable) : []),
      sizes,
      `for ${classes} classes and images of ${imageSize}×${imageSize}; multiply-adds of convolutions and linear layers`,
    ].join('\n');
  });
}

export function registerModels(program: Command): void {
  program
    .command('models')
    .description('Parameters, multiply-adds and feature taps of the architectures, or of your own network')
    .argument('[names...]', 'architectures, or paths of files that export a network (default: all architectures)')
    .option('--image-size <pixels>', 'height and width of the images', positiveInteger, 32)
    .option('--classes <n>', 'classes', positiveInteger, 100)
    .option('--taps', 'shapes of the feature taps')
    .option('--taps-at <paths>', 'shapes of the taps at these modules, as --student-taps takes them', names)
    .option('--layers', 'a row for each layer as well, with the path that names it')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  thrive models                              all of them, at 32 pixels and 100 classes
  thrive models resnet20 wrn_16_2 --taps --image-size 64 --classes 200
  thrive models ./my-net.ts --layers         paths of your own network's layers, for --student-taps`,
    )
    .action(execute);
}
