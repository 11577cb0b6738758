import { buffer, init, Module } from '../../nn/index.ts';
import { noGrad, ops, type Tensor, tensor, tidy, zeros } from '../../torch/index.ts';
import type { Stream } from '../../torch/random.ts';
import { unit } from './functions.ts';

/** Rows drawn at a time, so that the numbers of a large memory are not held twice. */
const ROWS = 8192;

export interface MemoryOptions {
  samples: number;
  dim: number;
  negatives: number;
  temperature: number;
  momentum: number;
}

/**
 * crd's memories: one embedding for each training sample and network, in the checkpoint with the constants. Names and layout are
 * RepDistiller's: memory_v1 [N, D] of the student, memory_v2 of the teacher, params [K, T, Z_v1, Z_v2, momentum] with a Z of
 * -1 until the first batch sets it.
 */
export class ContrastMemory extends Module {
  readonly #constants: readonly number[];
  params: Tensor;
  memory_v1: Tensor;
  memory_v2: Tensor;

  constructor({ samples, dim, negatives, temperature, momentum }: MemoryOptions) {
    super();
    this.#constants = [negatives, temperature, -1, -1, momentum];
    this.params = buffer(zeros([5]));
    this.memory_v1 = buffer(zeros([samples, dim]));
    this.memory_v2 = buffer(zeros([samples, dim]));
  }

  /** Both memories uniform in ±1 / sqrt(D / 3), so that rows are about 1 long. */
  override resetParameters(stream: Stream): void {
    noGrad(() =>
      tidy(() => {
        this.params.copy_(tensor([...this.#constants]));
        for (const name of ['memory_v1', 'memory_v2'] as const) {
          const memory = this[name];
          const bound = 1 / Math.sqrt(memory.size(1) / 3);
          const root = stream.child(name);
          for (let row = 0; row < memory.size(0); row += ROWS) {
            const rows = Math.min(ROWS, memory.size(0) - row);
            tidy(() => init.uniform(memory.narrow(0, row, rows), -bound, bound, root.child(row)));
          }
        }
      }),
    );
  }

  forward(): Tensor {
    throw new TypeError('a memory is read by row');
  }

  /** The constants Z of the student and the teacher; 0 where the first batch has yet to set them. */
  z(): [student: number, teacher: number] {
    const [, , student = -1, teacher = -1] = this.params.data() as Float32Array;
    return [Math.max(0, student), Math.max(0, teacher)];
  }

  setZ(student: number, teacher: number): void {
    noGrad(() =>
      tidy(() => {
        this.params.narrow(0, 2, 1).fill_(student);
        this.params.narrow(0, 3, 1).fill_(teacher);
      }),
    );
  }

  /** Move the rows of these samples towards new embeddings [B, D] by 1 - momentum, and back to length 1. */
  update(index: Tensor, student: Tensor, teacher: Tensor): void {
    const momentum = this.#constants[4]!;
    const move = (memory: Tensor, embedding: Tensor): void => {
      const moved = memory
        .indexSelect(0, index)
        .mul(momentum)
        .add(embedding.detach().mul(1 - momentum));
      ops.indexCopy_(memory, 0, index, unit(moved, 1));
    };
    noGrad(() =>
      tidy(() => {
        move(this.memory_v1, student);
        move(this.memory_v2, teacher);
      }),
    );
  }
}
