/**
 * @file Calls libtorch operators with random arguments, to see that nothing ends the process. Plain JavaScript on the addon
 * alone: it runs in a child process, whose parent (run.ts) reads from `progress` which operator was running when it died.
 *
 * node operators.mjs ADDON PROGRESS SEED ITERATIONS WILD < one JSON line an operator: { name, example?, kill? }
 * `example`: arguments of a right call, to spoil one or two of; a tensor is { dtype, shape, data }. `kill`: die at its
 * first call, to see whether that is noticed. WILD: 1 adds sparse, complex, quantized and other tensors. Prints one JSON line
 * an operator: { name, ok, refused, bad }, `bad` being messages
 * that leak C++ internals or do not name the operator.
 */
import { openSync, readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';

const [addonPath, progressPath, seed, iterations, wild] = process.argv.slice(2);
const addon = createRequire(import.meta.url)(addonPath);
const progress = openSync(progressPath, 'w');
const tasks = readFileSync(0, 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line));

/** mulberry32: small, and the same everywhere. */
function generator(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const hash = (text) => [...text].reduce((h, c) => (Math.imul(h, 31) + c.charCodeAt(0)) | 0, 7);

let random = generator(0);
addon.newGenerator(1);
const below = (n) => Math.floor(random() * n);
const pick = (items) => items[below(items.length)];

const count = (shape) => shape.reduce((a, b) => a * b, 1);
const operators = new Map();
const find = (name) => {
  if (!operators.has(name)) operators.set(name, addon.findOperator(name));
  return operators.get(name);
};
/** Handles to release after the iteration. */
let alive = [];
const own = (handle) => {
  alive.push(handle);
  return handle;
};
const call = (name, ...values) => own(addon.call(find(name).id, ...values));

const dtypes = { u8: 0, i8: 1, i16: 2, i32: 3, i64: 4, f16: 5, f32: 6, f64: 7, bool: 11, bf16: 15 };
function made(shape, dtype, value) {
  const plain = own(
    addon.tensorFrom(
      Float64Array.from({ length: count(shape) }, (_, i) => value(i)),
      shape,
    ),
  );
  return call('aten::to.dtype', plain, dtypes[dtype]);
}
const ramp = (i) => ((i * 7) % 11) / 4 - 1;

/** Fresh tensors for every call: in-place operators would spoil shared ones. */
function rebuild(value) {
  if (Array.isArray(value)) return value.map(rebuild);
  if (value === null || typeof value !== 'object') return value;
  const plain = own(addon.tensorFrom(Float64Array.from(value.data), value.shape));
  const made = call('aten::to.dtype', plain, value.dtype);
  if (value.dtype === 6 && random() < 0.3) addon.setRequiresGrad(made, true);
  return made;
}

const tensorMakers = [
  () => made([], 'f32', () => 1.5),
  () => made([], 'i64', () => 2),
  () => made([0], 'f32', ramp),
  () => made([3], 'f32', ramp),
  () => made([2, 3], 'f32', ramp),
  () => made([3, 2], 'f32', ramp),
  () => made([4, 4], 'f32', ramp),
  () => made([4, 4], 'f64', ramp),
  () => made([2, 3, 4], 'f32', ramp),
  () => made([2, 3, 8, 8], 'f32', ramp),
  () => made([3, 3, 3, 3], 'f32', ramp),
  () => made([2, 3, 4, 5, 6], 'f32', ramp),
  () => made([1, 1, 1, 1], 'f32', ramp),
  () => made([2, 0, 3], 'f32', ramp),
  () => made([0, 3, 8, 8], 'f32', ramp),
  () => made([2, 0, 8, 8], 'f32', ramp),
  () => made([4], 'i64', (i) => i),
  () => made([2, 3], 'i64', (i) => i % 3),
  () => made([3], 'i64', (i) => [-5, 100, 2 ** 40][i]),
  () => made([2, 3], 'i64', (i) => -i - 1),
  () => made([2, 8, 8], 'i64', (i) => i % 3),
  () => made([4], 'i32', (i) => i),
  () => made([2, 3], 'bool', (i) => i % 2),
  () => made([4], 'bool', (i) => i % 2),
  () => made([2, 3, 8, 8], 'u8', (i) => i),
  () => made([2, 3], 'bf16', ramp),
  () => made([4, 4], 'f16', ramp),
  () => made([3], 'f32', (i) => [NaN, Infinity, -Infinity][i]),
  () => made([2, 2], 'f64', () => NaN),
  () => call('aten::transpose.int', made([2, 3], 'f32', ramp), 0, 1),
  () => call('aten::expand', made([1], 'f32', ramp), [4, 3]),
  () => call('aten::contiguous', made([2, 3, 8, 8], 'f32', ramp), 2),
  () => {
    const leaf = made([4, 4], 'f32', ramp);
    addon.setRequiresGrad(leaf, true);
    return leaf;
  },
];
const wildMakers = [
  () => call('aten::to_sparse', made([2, 3], 'f32', ramp)),
  () => call('aten::to_sparse_csr', made([4, 4], 'f32', ramp)),
  () => call('aten::complex', made([2, 3], 'f32', ramp), made([2, 3], 'f32', ramp)),
  () => call('aten::zeros', [2, 3], 6, null, 'meta'),
  () => call('aten::to_mkldnn', made([2, 3, 4, 4], 'f32', ramp)),
  () => call('aten::quantize_per_tensor', made([2, 3, 4, 4], 'f32', ramp), 0.1, 10, 13),
  () => call('aten::conj', call('aten::complex', made([4, 4], 'f32', ramp), made([4, 4], 'f32', ramp))),
];

function anyTensor() {
  const makers = wild === '1' && random() < 0.2 ? wildMakers : tensorMakers;
  return pick(makers)();
}
const anyInt = () => {
  const kind = random();
  if (kind < 0.75) return pick([0, 1, 2, 3, -1]);
  if (kind < 0.92) return pick([-2, 4, 5, 8, 100, -100]);
  return pick([2 ** 31, -(2 ** 31), 2 ** 40, 2 ** 53, 2n ** 63n - 1n, -(2n ** 63n)]);
};
const anyFloat = () => pick([0, 1, -1, 0.5, 1e-5, 2, 1e30, NaN, Infinity, -Infinity, -0]);
const anyScalar = () => (random() < 0.3 ? anyInt() : random() < 0.1 ? random() < 0.5 : anyFloat());
const anyText = () => pick(['', 'mean', 'sum', 'none', 'bilinear', 'ij,jk->ik', 'ij->', 'a,b->c', 'gesdd', '...', 'é']);
const anyDevice = () => pick(['cpu', 'cpu', 'cpu', 'meta', 'cuda', 'cuda:7', 'cpu:3', 'nope', '']);
const anyCode = () => pick([0, 1, 2, 3, 4, 5, 6, 7, 11, 15, 6, 6, 9, 13, 16, 20, 99, -1]);
const garbage = () =>
  pick([
    null,
    undefined,
    'text',
    {},
    [],
    [[1]],
    [null],
    Symbol('s'),
    () => 1,
    10n,
    true,
    1.5,
    16777216,
    -1,
    [{}],
    new Map(),
  ]);
const some = (make, most = 4) => Array.from({ length: below(most + 1) }, make);

function single(type, name) {
  if (/^(ScalarType|Layout|MemoryFormat)/.test(type)) return anyCode();
  if (/dtype|layout|memory_format/.test(name)) return anyCode();
  if (type.startsWith('Tensor')) return anyTensor();
  if (/^(Sym)?[iI]nt/.test(type)) return anyInt();
  if (type.startsWith('float')) return anyFloat();
  if (type.startsWith('Scalar')) return anyScalar();
  if (type.startsWith('bool')) return random() < 0.5;
  if (type.startsWith('str')) return anyText();
  if (type.startsWith('Device')) return anyDevice();
  if (type.startsWith('Generator')) return 0;
  return garbage();
}

function argument({ type, name, hasDefault }) {
  const plain = type.replace(/\([^)]*\)/g, '');
  if (random() < 0.02) return garbage();
  if (hasDefault && random() < 0.35) return undefined;
  if (plain.includes('?') && !plain.includes('?[') && random() < 0.35) return null;
  if (!plain.includes('[')) return single(plain, name);
  if (/\[\d+\]/.test(plain) && random() < 0.5) return single(plain, name);
  return some(() => (plain.includes('?[') && random() < 0.3 ? null : single(plain, name)));
}

function parse(schema) {
  const inside = schema.slice(schema.indexOf('(') + 1, schema.lastIndexOf(')', schema.lastIndexOf(' -> ')));
  const parts = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i <= inside.length; i++) {
    const c = inside[i];
    if (c === '(' || c === '[') depth++;
    else if (c === ')' || c === ']') depth--;
    else if ((c === ',' && depth === 0) || c === undefined) {
      parts.push(inside.slice(start, i).trim());
      start = i + 1;
    }
  }
  return parts
    .filter((part) => part && part !== '*')
    .map((part) => {
      const declared = part.split('=')[0];
      const space = declared.lastIndexOf(' ');
      return { type: declared.slice(0, space), name: declared.slice(space + 1), hasDefault: part.includes('=') };
    });
}

/** Text that a person should never see: a C++ stack, or the list of every backend's registrations. */
const leaks = /Exception raised from|frame #\d|registered at .*\.cpp|\.so[.\d]*\)?$/;

function describeValue(value) {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'symbol' || typeof value === 'function') return typeof value;
  if (Array.isArray(value)) return `[${value.map(describeValue).join(', ')}]`;
  if (typeof value === 'number' && value >= 16777216) {
    try {
      return `T${addon.tensorDtype(value)}[${addon.tensorShape(value)}]`;
    } catch {
      return String(value);
    }
  }
  return Object.is(value, -0) ? '-0' : String(value);
}

for (const { name, example, kill } of tasks) {
  const operator = find(name);
  if (!operator) continue;
  const parameters = parse(operator.schema);
  random = generator(hash(name) ^ Number(seed));
  let ok = 0;
  let refused = 0;
  const bad = [];
  for (let i = 0; i < Number(iterations); i++) {
    let values;
    try {
      if (example && random() < 0.7) {
        values = example.map(rebuild);
        for (let n = random() < 0.1 ? 0 : 1 + below(2); n > 0; n--) {
          const at = below(parameters.length);
          values[at] = argument(parameters[at]);
        }
      } else {
        values = parameters.map(argument);
      }
      while (values.length > 0 && values.at(-1) === undefined) values.pop();
    } catch {
      continue;
    }
    const line = `${name}(${values.map(describeValue).join(', ')})`;
    writeSync(progress, line.slice(0, 4000).padEnd(4000), 0);
    if (kill) process.kill(process.pid, 'SIGKILL');
    try {
      const result = addon.call(operator.id, ...values);
      ok++;
      const results = operator.results.length > 1 ? result : [result];
      [...operator.results].forEach((code, r) => {
        if (code === 'T' && results[r] !== null) own(results[r]);
        if (code === 'L') results[r].filter((handle) => handle !== null).forEach(own);
      });
      const [first] = results;
      if (operator.results[0] === 'T' && first !== null && addon.requiresGrad(first)) {
        addon.backward([first], [call('aten::ones_like', first)], null, false);
      }
    } catch (error) {
      refused++;
      const message = String(error.message);
      const base = name.replace(/^aten::/, '').split('.')[0];
      const named = message.startsWith('backward(') || message.includes(base);
      if (!named || leaks.test(message)) bad.push(`${line} => ${message}`);
    }
    for (const handle of alive) addon.release(handle);
    alive = [];
  }
  process.stdout.write(`${JSON.stringify({ name, ok, refused, bad: bad.slice(0, 3) })}\n`);
}
