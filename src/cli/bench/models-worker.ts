/** @file One process of `thrive bench models`: times a network's two passes, and prints a JSON line after each. */
import { crossEntropy } from '../../distill/kl.ts';
import { modelSource } from '../../networks/model-source.ts';
import { type Precision, withPrecision } from '../../nn/precision.ts';
import { checkDevice, defaultThreads, noGrad, setNumThreads, tensor, tidy } from '../../torch/index.ts';
import { stream } from '../../torch/random.ts';
import { prefersChannelsLast } from '../../train/layout.ts';
import { reportError } from '../output.ts';

/** What one process is asked for. */
export interface ModelJob {
  model: string;
  precision: Precision;
  batchSize: number;
  imageSize: number;
  classes: number;
  /** Seconds to repeat each pass for. */
  seconds: number;
  threads?: number;
  device: string;
}

/** One pass of a batch: the median, and of how many. */
export interface PassTime {
  pass: 'forward' | 'both';
  ms: number;
  repeats: number;
}

/** Milliseconds a call. The first is a warm-up, unless it alone takes longer than there is time for. */
function median(seconds: number, call: () => void): { ms: number; repeats: number } {
  const times: number[] = [];
  const begin = performance.now();
  do {
    const start = performance.now();
    call();
    times.push(performance.now() - start);
  } while (times[0]! < seconds * 1000 && (times.length < 4 || performance.now() - begin < seconds * 1000));
  const counted = (times.length > 1 ? times.slice(1) : times).sort((a, b) => a - b);
  return { ms: counted[counted.length >> 1]!, repeats: counted.length };
}

async function run(job: ModelJob): Promise<void> {
  setNumThreads(job.threads ?? defaultThreads());
  const { batchSize, imageSize, classes, precision, seconds } = job;
  const device = checkDevice(job.device);
  const layout = {
    device,
    ...(prefersChannelsLast(precision, device) ? { memoryFormat: 'channelsLast' as const } : {}),
  };
  const network = (await modelSource(job.model)).create({ classes, imageSize, seed: 0 }).to(layout);
  const random = stream(0, 'bench');
  const shape = [batchSize, 3, imageSize, imageSize];
  const images = tensor(random.fillNormal(new Float32Array(shape.reduce((a, b) => a * b))), { shape }).to(layout);
  const labels = tensor(
    Int32Array.from({ length: batchSize }, () => random.int(classes)),
    { dtype: 'int64', device },
  );
  const forward = () => withPrecision(precision, device, () => network.forward(images)).to('float32');
  // Reading a number back makes a device with a queue of its own finish.
  const passes: Record<PassTime['pass'], () => void> = {
    forward: () => noGrad(() => tidy(() => void forward().sum().item())),
    both: () => {
      tidy(() => {
        const loss = crossEntropy(forward(), labels);
        loss.backward();
        loss.item();
      });
      network.zeroGrad();
    },
  };
  for (const pass of ['forward', 'both'] as const) {
    network.train(pass === 'both');
    console.log(JSON.stringify({ pass, ...median(seconds, passes[pass]) }));
  }
}

try {
  await run(JSON.parse(process.argv[2] ?? '{}') as ModelJob);
} catch (error) {
  process.exitCode = reportError(error);
}
