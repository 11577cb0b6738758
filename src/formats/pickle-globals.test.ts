import { describe, expect, it } from 'vitest';
import { dict, global, int, type Part, program, reduce, text, tuple } from '../../test/fixtures/formats/assemble.ts';
import { refusal } from '../../test/fixtures/formats/fixtures.ts';
import { unpickle } from './pickle.ts';
import { canonicalPath, plainGlobals, refusedGlobal } from './pickle-globals.ts';
import { PickledObject } from './pickle-values.ts';

const load = (...parts: Part[]): unknown =>
  unpickle(program(...parts), {
    name: 'x.pth',
    findGlobal: (path) => plainGlobals.get(canonicalPath(path)) ?? refusedGlobal('x.pth', path),
  }).value;

describe('allowed', () => {
  it('dicts of every kind are Maps', () => {
    const entries = new Map([['a', 1]]);
    expect(load(reduce(global('collections', 'OrderedDict')), '(', text('a'), int(1), 'u')).toEqual(entries);
    // Python 2.
    expect(
      load(reduce(global('collections', 'OrderedDict'), [']', '(', ']', text('a'), 'a', int(1), 'a', 'e'])),
    ).toEqual(entries);
    expect(load(reduce(global('collections', 'Counter'), dict(text('a'), int(1))))).toEqual(entries);
    expect(
      load(reduce(global('collections', 'defaultdict'), global('builtins', 'int')), '(', text('a'), int(1), 'u'),
    ).toEqual(entries);
  });

  it('attributes of an OrderedDict are dropped', () => {
    const withState = [reduce(global('collections', 'OrderedDict')), dict(text('_metadata'), dict()), 'b'];
    expect(load(withState)).toEqual(new Map());
  });

  it('sets, of either Python', () => {
    for (const module of ['builtins', '__builtin__']) {
      expect(load(reduce(global(module, 'set'), [']', '(', int(1), int(2), 'e']))).toEqual(new Set([1, 2]));
      expect(load(reduce(global(module, 'frozenset')))).toEqual(new Set());
    }
  });

  it('paths are strings', () => {
    const path = (...parts: string[]) => load(reduce(global('pathlib', 'PosixPath'), ...parts.map(text)));
    expect(path('runs', 'a')).toBe('runs/a');
    expect(path('/', 'data')).toBe('/data');
    expect(path()).toBe('.');
    expect(load(reduce(global('pathlib._local', 'PosixPath'), text('a')))).toBe('a');
  });

  it('an argparse.Namespace is inert, whatever its attributes are called', () => {
    const state = dict(text('lr'), int(1), text('__proto__'), dict(text('polluted'), int(1)));
    for (const made of [
      [global('argparse', 'Namespace'), ')', 0x81],
      reduce(
        global('copy_reg', '_reconstructor'),
        global('argparse', 'Namespace'),
        global('__builtin__', 'object'),
        'N',
      ),
    ]) {
      const args = load(made, state, 'b') as PickledObject;
      expect(args).toBeInstanceOf(PickledObject);
      expect(args.type).toBe('argparse.Namespace');
      expect([...args.attributes.keys()]).toEqual(['lr', '__proto__']);
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    }
  });

  it('a NumPy array is stepped over', () => {
    const made = reduce(
      global('numpy.core.multiarray', '_reconstruct'),
      global('numpy', 'ndarray'),
      tuple(int(0)),
      text('b'),
    );
    expect(load(made, tuple(int(1), tuple(int(2))), 'b')).toMatchObject({ type: 'numpy.ndarray' });
  });

  it.each<[string, Part]>([
    ['a dict from a string', reduce(global('collections', 'OrderedDict'), text('ab'))],
    ['a dict from unequal pairs', reduce(global('collections', 'OrderedDict'), [']', tuple(int(1)), 'a'])],
    ['a dict from two arguments', reduce(global('builtins', 'dict'), dict(), dict())],
    ['a set from a number', reduce(global('builtins', 'set'), int(5))],
    ['bytes from a number', reduce(global('builtins', 'bytes'), int(2 ** 40))],
    ['bytes in another encoding', reduce(global('_codecs', 'encode'), text('a'), text('utf-7'))],
    ['bytes from wide text', reduce(global('_codecs', 'encode'), text('Ā'), text('latin1'))],
    ['a path of numbers', reduce(global('pathlib', 'PosixPath'), int(1))],
    [
      'another object rebuilt',
      reduce(
        global('copyreg', '_reconstructor'),
        global('collections', 'OrderedDict'),
        global('builtins', 'object'),
        'N',
      ),
    ],
  ])('%s is refused', async (_, part) => {
    expect(await refusal(() => load(part))).toMatch(/cannot be read: it (makes|rebuilds)/);
  });
});

describe('refused', () => {
  it.each([
    ['posix', 'system'],
    ['os', 'popen'],
    ['subprocess', 'Popen'],
    ['builtins', 'eval'],
    ['__builtin__', 'exec'],
    ['importlib', 'import_module'],
  ])('%s.%s as an attack', async (module, name) => {
    const message = await refusal(() => load(reduce(global(module, name), text('id'))));
    expect(message).toBe(
      `x.pth was not loaded: its pickle asks Python to run '${module.replace('__builtin__', 'builtins')}.${name}'. Weights never need that; an attack does | ` +
        'no code was run here; do not open this file with torch.load either',
    );
  });

  it('by STACK_GLOBAL as by GLOBAL', async () => {
    expect(await refusal(() => load(text('posix'), text('system'), 0x93, tuple(text('id')), 'R'))).toMatch(
      /'posix\.system'/,
    );
  });

  it('a class of the training code, with what to do', async () => {
    expect(await refusal(() => load(global('utils.meters', 'AverageMeter'), ')', 0x81))).toBe(
      "x.pth was not loaded: its pickle needs the class or function 'utils.meters.AverageMeter'. " +
        'Only tensors and plain values are read; no code is run | if you trust it, save the weights alone with PyTorch: ' +
        `torch.save(torch.load("x.pth", weights_only=False)['state_dict'], 'weights.pth'), with the key that holds them; if it is a whole model, .state_dict() in place of the key`,
    );
  });

  it('a whole model', async () => {
    expect(await refusal(() => load(global('torch.nn.modules.container', 'Sequential')))).toBe(
      "x.pth was not loaded: it holds a whole model ('torch.nn.modules.container.Sequential'), not weights. No code is run | " +
        `if you trust it, in Python with the model's code: torch.save(torch.load("x.pth", weights_only=False).state_dict(), 'weights.pth')`,
    );
  });

  it('tensors written with pickle.dump', async () => {
    expect(await refusal(() => load(global('torch.storage', '_load_from_bytes')))).toMatch(
      /written with pickle\.dump, not with torch\.save/,
    );
  });

  it('names that only look allowed', async () => {
    for (const [module, name] of [
      ['collections', 'OrderedDict.fromkeys'],
      ['', 'constructor'],
      ['__proto__', 'x'],
      ['builtins', 'set '],
      ['torch', 'load'],
    ] as const) {
      expect(await refusal(() => load(global(module, name)))).toMatch(/needs the class or function/);
    }
  });

  it('a name that would disturb a terminal', async () => {
    expect(await refusal(() => load(text('a\u001b[2J'), text('b'.repeat(5000)), 0x93))).toMatch(
      /'a\\u\{1b\}\[2J\.b{50,100}…'/,
    );
  });
});
