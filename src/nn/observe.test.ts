import { expect, test } from 'vitest';
import { fillerTensor, fillModule } from '../../test/filler.ts';
import { expectNoLeak } from '../../test/torch.ts';
import { tidy } from '../torch/index.ts';
import { BatchNorm2d, Conv2d, Module, observe, ReLU, Sequential } from './index.ts';

const makeNet = (): Sequential =>
  fillModule(
    new Sequential(
      new Conv2d(3, 4, 3, { padding: 1 }),
      new Sequential(new BatchNorm2d(4), new ReLU({ inplace: true })),
      new Conv2d(4, 2, 1),
    ),
  );

test('reports each call in order, with shapes, and changes nothing', () =>
  tidy(() => {
    using net = makeNet().eval();
    const input = fillerTensor('x', [2, 3, 4, 4]);
    const plain = net.forward(input);
    const seen: string[] = [];
    const observed = observe(
      net,
      ['', '2', '1', '1.0', '0'],
      ({ path, module, input: from, output }) => {
        seen.push(`${path}:${module.constructor.name} ${from.shape.join('x')} -> ${output.shape.join('x')}`);
      },
      () => net.forward(input),
    );
    expect(seen).toEqual([
      '0:Conv2d 2x3x4x4 -> 2x4x4x4',
      '1.0:BatchNorm2d 2x4x4x4 -> 2x4x4x4',
      '1:Sequential 2x4x4x4 -> 2x4x4x4',
      '2:Conv2d 2x4x4x4 -> 2x2x4x4',
      ':Sequential 2x3x4x4 -> 2x2x4x4',
    ]);
    expect(observed).toBeAllclose(plain, { rtol: 0, atol: 0 });
  }));

test('afterwards, and after an error, modules are as before', () =>
  tidy(() => {
    using net = makeNet();
    const keys = net.modules.map((module) => Reflect.ownKeys(module));
    const fail = (): unknown =>
      observe(
        net,
        ['0', '1.0'],
        () => {
          throw new Error('observer failed');
        },
        () => net.forward(fillerTensor('x', [2, 3, 4, 4])),
      );
    expect(fail).toThrow('observer failed');
    expect(net.modules.map((module) => Reflect.ownKeys(module))).toEqual(keys);
    expect(net.modules.every((module) => module.forward === Object.getPrototypeOf(module).forward)).toBe(true);
  }));

test('observations nest, and one module may have two paths', () =>
  tidy(() => {
    class Twice extends Module {
      readonly first = new ReLU();
      readonly second = this.first;
      forward(input: Parameters<Module['forward']>[0]) {
        return this.second.forward(this.first.forward(input));
      }
    }
    const net = new Twice();
    const seen: string[] = [];
    const run = (name: string, paths: string[], fn: () => unknown): unknown =>
      observe(net, paths, ({ path }) => seen.push(`${name} ${path}`), fn);
    run('outer', ['first', 'second'], () => run('inner', ['first'], () => net.forward(fillerTensor('x', [2]))));
    // The observation begun first lies innermost, so it hears of a call first.
    const each = ['outer first', 'outer second', 'inner first'];
    expect(seen).toEqual([...each, ...each]);
    expect(Reflect.ownKeys(net.first)).not.toContain('forward');
  }));

test('an unknown path is refused before anything runs', () => {
  using net = makeNet();
  let ran = false;
  const look = (): unknown =>
    observe(
      net,
      ['0', '1.9'],
      () => {},
      () => (ran = true),
    );
  expect(look).toThrow("Sequential has no module '1.9'; did you mean");
  expect(ran).toBe(false);
  expect(Reflect.ownKeys(net.modules[0]!)).not.toContain('forward');
});

test('leaves nothing behind', () => {
  using net = makeNet();
  expectNoLeak(() =>
    tidy(() => {
      observe(
        net,
        ['0', '1'],
        () => {},
        () => net.forward(fillerTensor('x', [2, 3, 4, 4])),
      );
    }),
  );
});
