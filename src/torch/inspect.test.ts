import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type DType, ones, operator, Tensor, tensor, tensorFromBytes, tidy, zeros } from './index.ts';

interface Case {
  name: string;
  dtype: DType;
  shape: number[];
  bytes?: string;
  arange?: [start: number, step: number];
  derive?: 'leaf' | 'add' | 'view';
  printed: string;
}

/** Made by print.py beside it, with torch 1.13.1. */
const { cases } = JSON.parse(
  readFileSync(new URL('../../test/fixtures/torch/print.json', import.meta.url), 'utf8'),
) as { cases: Case[] };

function build({ dtype, shape, bytes, arange, derive }: Case): Tensor {
  const made = tidy(() => {
    if (bytes !== undefined) return tensorFromBytes(Buffer.from(bytes, 'base64'), dtype, shape);
    const [start, step] = arange!;
    const count = shape.reduce((a, b) => a * b, 1);
    return tensor(
      Float64Array.from({ length: count }, (_, i) => start + i * step),
      { shape, dtype },
    );
  });
  if (!derive) return made;
  made.requiresGrad_();
  return derive === 'leaf' ? made : derive === 'add' ? made.add(ones([])) : made.view([-1]);
}

describe('reads as PyTorch prints', () => {
  test.each(cases)('$name', (example) => {
    expect(tidy(() => String(build(example)))).toBe(example.printed);
  });
});

test('printing makes no tensor that stays and does not disturb autograd', () => {
  tidy(() => {
    const x = zeros([40, 50], { requiresGrad: true });
    const y = x.mul(2);
    String(y);
    y.sum().backward();
    expect(x.grad?.sum().item()).toBe(4000);
  });
});

test('a disposed tensor prints as such', () => {
  const x = zeros([2]);
  x.dispose();
  expect(String(x)).toBe('tensor(disposed)');
});

test('console.log and template strings use it', () => {
  tidy(() => {
    const x = tensor([1, 2]);
    expect(inspect(x)).toBe('tensor([1., 2.])');
    expect(`${x}`).toBe('tensor([1., 2.])');
    expect(inspect({ x })).toContain('tensor([1., 2.])');
  });
});

test('tensors that JavaScript cannot read are shown by their size', () => {
  tidy(() => {
    expect(String(zeros([2, 3], { device: 'meta' }))).toBe("tensor(..., device='meta', size=(2, 3))");
    const complex = operator('aten::complex')(zeros([2]), zeros([2])) as Tensor;
    expect(String(complex)).toBe('tensor(..., size=(2,))');
  });
});

test('sparse tensors print their dense contents', () => {
  tidy(() => {
    const sparse = operator('aten::to_sparse')(tensor([[1, 0]])) as Tensor;
    expect(sparse).toBeInstanceOf(Tensor);
    expect(String(sparse)).toBe('tensor([[1., 0.]])');
  });
});
