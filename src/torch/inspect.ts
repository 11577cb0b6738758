/**
 * @file A tensor as text, with the layout of PyTorch's `print(tensor)` (torch/_tensor_str.py, default print options): four
 * digits, scientific where magnitudes spread, columns aligned, three items at each edge beyond 1000 elements, 80 columns.
 */
import { type DType, isFloating } from './dtype.ts';

const digits = 4;
const threshold = 1000;
const edge = 3;
const lineWidth = 80;

/** JavaScript rounds an exact half up, C and Python to even: `long` has the digits that tell whether this is one. */
function halfToEven(rounded: string, long: string): string {
  const cut = long.indexOf('.') + 1 + digits;
  const [rest = ''] = long.slice(cut).split('e');
  const below = long.slice(0, cut);
  return /^50*$/.test(rest) && /[02468]$/.test(below) ? below : rounded;
}

type Style = 'whole' | 'fixed' | 'scientific';

function formatNumber(value: number, style: Style): string {
  if (Number.isNaN(value)) return 'nan';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const size = Math.abs(value);
  if (size === Infinity) return `${sign}inf`;
  if (style === 'whole') return `${sign}${size.toFixed(0)}.`;
  if (style === 'fixed') return sign + halfToEven(size.toFixed(digits), size.toFixed(40));
  const [mantissa = '', exponent = ''] = size.toExponential(digits).split('e');
  const power = `${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
  return `${sign}${halfToEven(mantissa, size.toExponential(40))}e${power}`;
}

function styleOf(values: readonly number[]): Style {
  const sizes = values.map(Math.abs);
  const least = Math.min(...sizes);
  const most = Math.max(...sizes);
  const spread = most / least > 1000 || most > 1e8;
  if (values.every(Number.isInteger)) return spread ? 'scientific' : 'whole';
  return spread || least < 1e-4 ? 'scientific' : 'fixed';
}

/** Every element as text, padded to one width. Zeros, infinities and NaN have no say in style or width, as in PyTorch. */
function formatElements(data: Elements, dtype: DType): string[] {
  if (!isFloating(dtype)) {
    const texts = Array.from(data as ArrayLike<number | bigint>, (value) =>
      dtype === 'bool' ? (value ? 'True' : 'False') : String(value),
    );
    const width = Math.max(1, ...texts.map((text) => text.length));
    return texts.map((text) => text.padStart(width));
  }
  const values = Array.from(data as ArrayLike<number>);
  const telling = values.filter((value) => Number.isFinite(value) && value !== 0);
  const style = telling.length > 0 ? styleOf(telling) : 'whole';
  const width = Math.max(1, ...telling.map((value) => formatNumber(value, style).length));
  return values.map((value) => formatNumber(value, style).padStart(width));
}

/** Nest the elements in brackets; `elided` says which dimensions left out their middle. */
function layOut(
  texts: readonly string[],
  shape: readonly number[],
  elided: readonly boolean[],
  indent: number,
): string {
  const [size, ...inner] = shape;
  if (size === undefined) return texts[0]!;
  const step = inner.reduce((product, n) => product * n, 1);
  const parts = Array.from({ length: size }, (_, i) =>
    layOut(texts.slice(i * step, (i + 1) * step), inner, elided.slice(1), indent + 1),
  );
  const width = parts[0]!.length;
  if (elided[0]) parts.splice(edge, 0, inner.length > 0 ? '...' : ' ...');
  const margin = ' '.repeat(indent + 1);
  if (inner.length > 0) return `[${parts.join(`,${'\n'.repeat(inner.length)}${margin}`)}]`;
  const perLine = Math.max(1, Math.floor((lineWidth - indent) / (width + 2)));
  const lines: string[] = [];
  for (let i = 0; i < parts.length; i += perLine) lines.push(parts.slice(i, i + perLine).join(', '));
  return `[${lines.join(`,\n${margin}`)}]`;
}

/** Elements in row-major order. */
type Elements = ArrayLike<number> | BigInt64Array;

/** What is shown of a tensor. Getters may throw. */
export interface Readable {
  readonly isDisposed: boolean;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly device: string;
  readonly gradFn: string | null;
  readonly requiresGrad: boolean;
  data(): Elements;
}

/** The elements within `edge` of the start or end of every dimension. */
type Corners = (edge: number) => Elements;

function contents(tensor: Readable, corners: Corners, indent: number): string {
  const { shape, dtype } = tensor;
  const count = shape.reduce((product, size) => product * size, 1);
  if (count === 0) return '[]';
  const elided = shape.map((size) => count > threshold && size > 2 * edge);
  const shown = shape.map((size, dim) => (elided[dim] ? 2 * edge : size));
  const data = count > threshold ? corners(edge) : tensor.data();
  return layOut(formatElements(data, dtype), shown, elided, indent);
}

/** What libtorch has and JavaScript does not (complex, quantized, meta): shown by its size alone. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function addSuffixes(text: string, suffixes: readonly string[], indent: number): string {
  let result = text;
  let column = text.length - text.lastIndexOf('\n') + 1;
  for (const suffix of suffixes) {
    const fits = column + suffix.length + 2 <= lineWidth;
    result += fits ? `, ${suffix}` : `,\n${' '.repeat(indent)}${suffix}`;
    column = fits ? column + suffix.length + 2 : indent + suffix.length;
  }
  return `${result})`;
}

/** The text of `print(tensor)`. Never throws: what cannot be read is `...`, and a freed tensor is `tensor(disposed)`. */
export function formatTensor(tensor: Readable, corners: Corners): string {
  if (tensor.isDisposed) return 'tensor(disposed)';
  const prefix = 'tensor(';
  const indent = prefix.length;
  const shape = attempt(() => tensor.shape);
  const dtype = attempt(() => tensor.dtype);
  const device = attempt(() => tensor.device);
  const body = shape && dtype && attempt(() => contents(tensor, corners, indent));
  const gradFn = attempt(() => tensor.gradFn);
  const empty = shape?.includes(0);

  const suffixes: string[] = [];
  if (device && device !== 'cpu') suffixes.push(`device='${device}'`);
  if (shape && (body === undefined || (empty && shape.length !== 1))) {
    suffixes.push(`size=(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`);
  }
  const implied = dtype === 'float32' || (!empty && body !== undefined && (dtype === 'int64' || dtype === 'bool'));
  if (dtype && !implied) suffixes.push(`dtype=torch.${dtype}`);
  if (gradFn) suffixes.push(`grad_fn=<${gradFn}>`);
  else if (attempt(() => tensor.requiresGrad)) suffixes.push('requires_grad=True');
  return addSuffixes(prefix + (body ?? '...'), suffixes, indent);
}
