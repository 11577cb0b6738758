import { dispatcher, type FindOperator } from './dispatch.ts';
import { type DType, dtypeCode, dtypeFromCode, type MemoryFormat, memoryFormatCode } from './dtype.ts';
import { formatTensor } from './inspect.ts';
import { native } from './native.ts';
import type { Handle } from './native-types.ts';
import { schemas } from './ops.ts';
import type { OperatorFunction } from './schema.ts';
import { NativeTensor, tidy } from './tensor-scope.ts';

export type TypedArray = Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array | BigInt64Array;
export type Scalar = number | boolean;
export type Nested = number | bigint | boolean | Nested[];

const isNumber = (value: unknown): value is Scalar => typeof value === 'number' || typeof value === 'boolean';
const axes = (dim: number | readonly number[]): readonly number[] => (typeof dim === 'number' ? [dim] : dim);

/**
 * A tensor of libtorch. Methods have PyTorch's names (in camelCase) and meanings; those ending in `_` work in place and
 * return the tensor itself. Free it with `dispose()`, by `using`, or by making it inside `tidy`.
 */
export class Tensor extends NativeTensor {
  /** Use `tensor`, `zeros`, … or operators; this wraps a handle the addon gave. */
  static wrap(handle: Handle): Tensor {
    return new Tensor(handle);
  }

  static is(value: unknown): value is Tensor {
    return value instanceof Tensor;
  }

  // What it is

  get shape(): number[] {
    return native().tensorShape(this.handle);
  }
  get dtype(): DType {
    return dtypeFromCode(native().tensorDtype(this.handle));
  }
  get device(): string {
    return native().tensorDevice(this.handle);
  }
  /** Number of dimensions. */
  get ndim(): number {
    return this.shape.length;
  }
  /** Number of elements. */
  get numel(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }
  get strides(): number[] {
    return native().tensorStrides(this.handle);
  }
  /** The size along one dimension; negative dimensions count from the end. */
  size(dim: number): number {
    const shape = this.shape;
    const size = shape[dim < 0 ? dim + shape.length : dim];
    if (size === undefined) throw new RangeError(`dimension ${dim} of a tensor [${shape.join(', ')}]`);
    return size;
  }
  isContiguous(format: MemoryFormat = 'contiguous'): boolean {
    return native().tensorIsContiguous(this.handle, memoryFormatCode(format));
  }
  /** Do both tensors look at the same memory? */
  sharesStorage(other: Tensor): boolean {
    return native().tensorSharesStorage(this.handle, other.handle);
  }

  // Out to JavaScript

  /** A copy of the elements in row-major order. float16 and bfloat16 come as float32, bool as uint8, int64 as bigint. */
  data(): TypedArray {
    return native().tensorData(this.handle);
  }
  /** A copy of the elements as numbers (int64 beyond 2^53 loses digits). */
  toFloat64Array(): Float64Array {
    const data = this.data();
    return data instanceof BigInt64Array ? Float64Array.from(data, Number) : Float64Array.from(data);
  }
  /** The raw little-endian bytes in row-major order, whatever the dtype. */
  bytes(): Uint8Array {
    return native().tensorBytes(this.handle);
  }
  /** Nested arrays of the shape; a number for a tensor without dimensions. */
  toArray(): Nested {
    const flat: (number | bigint | boolean)[] = Array.from(this.data() as ArrayLike<number>);
    const values = this.dtype === 'bool' ? flat.map((value) => value !== 0) : flat;
    const build = (shape: number[], start: number): Nested => {
      const [size, ...rest] = shape;
      if (size === undefined) return values[start]!;
      const step = rest.reduce((product, n) => product * n, 1);
      return Array.from({ length: size }, (_, i) => build(rest, start + i * step));
    };
    return build(this.shape, 0);
  }
  /** The only element. int64 beyond 2^53 comes as a bigint from `data()`; here as the nearest number. */
  item(): number {
    return Number(native().tensorItem(this.handle));
  }

  // Autograd

  get requiresGrad(): boolean {
    return native().requiresGrad(this.handle);
  }
  set requiresGrad(on: boolean) {
    native().setRequiresGrad(this.handle, on);
  }
  /** `tensor.requiresGrad = on`, chained. */
  requiresGrad_(on = true): this {
    this.requiresGrad = on;
    return this;
  }
  get isLeaf(): boolean {
    return native().isLeaf(this.handle);
  }
  /** The gradient that `backward` accumulated here, as a new tensor object on the same memory, or null. */
  get grad(): Tensor | null {
    const handle = native().getGrad(this.handle);
    return handle === null ? null : new Tensor(handle);
  }
  set grad(gradient: Tensor | null) {
    native().setGrad(this.handle, gradient?.handle ?? null);
  }
  /** The name of the function that made it (`AddBackward0`), or null for a leaf. */
  get gradFn(): string | null {
    return native().gradFunction(this.handle);
  }
  /** Accumulate the gradient of this tensor into the leaves it depends on. `gradient` is needed unless it has one element. */
  backward(gradient?: Tensor, options: { retainGraph?: boolean; createGraph?: boolean } = {}): void {
    native().backward(
      [this.handle],
      gradient ? [gradient.handle] : [],
      options.retainGraph ?? null,
      options.createGraph ?? false,
    );
  }
  detach(): Tensor {
    return ops.detach(this);
  }

  // Arithmetic; the other operand broadcasts

  add(other: Tensor | Scalar, alpha = 1): Tensor {
    return isNumber(other) ? ops.addScalar(this, other, alpha) : ops.add(this, other, alpha);
  }
  add_(other: Tensor | Scalar, alpha = 1): this {
    if (isNumber(other)) ops.addScalar_(this, other, alpha);
    else ops.add_(this, other, alpha);
    return this;
  }
  sub(other: Tensor | Scalar, alpha = 1): Tensor {
    return isNumber(other) ? ops.subScalar(this, other, alpha) : ops.sub(this, other, alpha);
  }
  sub_(other: Tensor, alpha = 1): this {
    ops.sub_(this, other, alpha);
    return this;
  }
  /** `other - this`. */
  rsub(other: Scalar): Tensor {
    return ops.rsubScalar(this, other);
  }
  mul(other: Tensor | Scalar): Tensor {
    return isNumber(other) ? ops.mulScalar(this, other) : ops.mul(this, other);
  }
  mul_(other: Tensor | Scalar): this {
    if (isNumber(other)) ops.mulScalar_(this, other);
    else ops.mul_(this, other);
    return this;
  }
  div(other: Tensor | Scalar): Tensor {
    return isNumber(other) ? ops.divScalar(this, other) : ops.div(this, other);
  }
  div_(other: Tensor | Scalar): this {
    if (isNumber(other)) ops.divScalar_(this, other);
    else ops.div_(this, other);
    return this;
  }
  pow(exponent: Tensor | Scalar): Tensor {
    return isNumber(exponent) ? ops.pow(this, exponent) : ops.powTensor(this, exponent);
  }
  neg(): Tensor {
    return ops.neg(this);
  }
  abs(): Tensor {
    return ops.abs(this);
  }
  exp(): Tensor {
    return ops.exp(this);
  }
  log(): Tensor {
    return ops.log(this);
  }
  sqrt(): Tensor {
    return ops.sqrt(this);
  }
  square(): Tensor {
    return ops.pow(this, 2);
  }
  clamp(min: Scalar | null, max: Scalar | null = null): Tensor {
    return ops.clamp(this, min, max);
  }
  relu(): Tensor {
    return ops.relu(this);
  }
  relu_(): this {
    ops.relu_(this);
    return this;
  }
  sigmoid(): Tensor {
    return ops.sigmoid(this);
  }
  round(): Tensor {
    return ops.round(this);
  }
  floor(): Tensor {
    return ops.floor(this);
  }

  // Comparison

  eq(other: Tensor | Scalar): Tensor {
    return isNumber(other) ? ops.eqScalar(this, other) : ops.eq(this, other);
  }
  ne(other: Tensor | Scalar): Tensor {
    return isNumber(other) ? ops.neScalar(this, other) : ops.ne(this, other);
  }
  gt(other: Tensor | Scalar): Tensor {
    return isNumber(other) ? ops.gtScalar(this, other) : ops.gt(this, other);
  }
  ge(other: Tensor | Scalar): Tensor {
    return isNumber(other) ? ops.geScalar(this, other) : ops.ge(this, other);
  }
  lt(other: Tensor | Scalar): Tensor {
    return isNumber(other) ? ops.ltScalar(this, other) : ops.lt(this, other);
  }
  le(other: Tensor | Scalar): Tensor {
    return isNumber(other) ? ops.leScalar(this, other) : ops.le(this, other);
  }
  /** Same shape and the same elements. */
  equal(other: Tensor): boolean {
    return ops.equal(this, other);
  }

  // Reductions: over all elements, or over the given dimensions

  sum(dim?: number | readonly number[], keepdim = false): Tensor {
    return dim === undefined ? ops.sum(this) : ops.sumDim(this, axes(dim), keepdim);
  }
  mean(dim?: number | readonly number[], keepdim = false): Tensor {
    return dim === undefined ? ops.mean(this) : ops.meanDim(this, axes(dim), keepdim);
  }
  /** Variance; `unbiased` divides by n - 1, as in PyTorch. */
  var(dim?: number | readonly number[], options: { unbiased?: boolean; keepdim?: boolean } = {}): Tensor {
    const { unbiased = true, keepdim = false } = options;
    return dim === undefined ? ops.var(this, unbiased) : ops.varDim(this, axes(dim), unbiased, keepdim);
  }
  std(dim?: number | readonly number[], options: { unbiased?: boolean; keepdim?: boolean } = {}): Tensor {
    const { unbiased = true, keepdim = false } = options;
    return dim === undefined ? ops.std(this, unbiased) : ops.stdDim(this, axes(dim), unbiased, keepdim);
  }
  amax(dim: number | readonly number[] = [], keepdim = false): Tensor {
    return ops.amax(this, axes(dim), keepdim);
  }
  amin(dim: number | readonly number[] = [], keepdim = false): Tensor {
    return ops.amin(this, axes(dim), keepdim);
  }
  argmax(dim: number | null = null, keepdim = false): Tensor {
    return ops.argmax(this, dim, keepdim);
  }
  argsort(dim = -1, descending = false): Tensor {
    return ops.argsort(this, dim, descending);
  }
  topk(k: number, dim = -1): { values: Tensor; indices: Tensor } {
    const [values, indices] = ops.topk(this, k, dim);
    return { values, indices };
  }
  /** The 2-norm (or p-norm) over all elements or the given dimensions. */
  norm(options: { p?: number; dim?: number | readonly number[]; keepdim?: boolean } = {}): Tensor {
    const { p = 2, dim, keepdim = false } = options;
    return ops.vectorNorm(this, p, dim === undefined ? null : axes(dim), keepdim);
  }
  any(): Tensor {
    return ops.any(this);
  }
  all(): Tensor {
    return ops.all(this);
  }
  isfinite(): Tensor {
    return ops.isfinite(this);
  }

  // Products

  matmul(other: Tensor): Tensor {
    return ops.matmul(this, other);
  }
  /** Transpose of a matrix. */
  t(): Tensor {
    return ops.t(this);
  }

  // Shape

  view(shape: readonly number[]): Tensor {
    return ops.view(this, shape);
  }
  reshape(shape: readonly number[]): Tensor {
    return ops.reshape(this, shape);
  }
  flatten(start = 0, end = -1): Tensor {
    return ops.flatten(this, start, end);
  }
  permute(dims: readonly number[]): Tensor {
    return ops.permute(this, dims);
  }
  transpose(a: number, b: number): Tensor {
    return ops.transpose(this, a, b);
  }
  unsqueeze(dim: number): Tensor {
    return ops.unsqueeze(this, dim);
  }
  squeeze(dim: number): Tensor {
    return ops.squeeze(this, dim);
  }
  expand(shape: readonly number[]): Tensor {
    return ops.expand(this, shape);
  }
  narrow(dim: number, start: number, length: number): Tensor {
    return ops.narrow(this, dim, start, length);
  }
  /** One index along a dimension, which disappears. */
  select(dim: number, index: number): Tensor {
    return ops.select(this, dim, index);
  }
  indexSelect(dim: number, index: Tensor): Tensor {
    return ops.indexSelect(this, dim, index);
  }
  gather(dim: number, index: Tensor): Tensor {
    return ops.gather(this, dim, index);
  }
  maskedFill(mask: Tensor, value: Scalar): Tensor {
    return ops.maskedFill(this, mask, value);
  }
  flip(dims: readonly number[]): Tensor {
    return ops.flip(this, dims);
  }
  chunk(chunks: number, dim = 0): Tensor[] {
    return ops.chunk(this, chunks, dim);
  }
  split(size: number, dim = 0): Tensor[] {
    return ops.split(this, size, dim);
  }

  // Copies and types

  clone(): Tensor {
    return ops.clone(this);
  }
  contiguous(format: MemoryFormat = 'contiguous'): Tensor {
    return ops.contiguous(this, memoryFormatCode(format));
  }
  /** Convert to a dtype, device or layout; what already fits is shared, not copied. */
  to(target: DType | { dtype?: DType; device?: string; memoryFormat?: MemoryFormat }): Tensor {
    const { dtype, device, memoryFormat } = typeof target === 'string' ? { dtype: target } : target;
    return ops.toDevice(
      this,
      device ?? this.device,
      dtypeCode(dtype ?? this.dtype),
      false,
      false,
      memoryFormat ? memoryFormatCode(memoryFormat) : null,
    );
  }
  copy_(source: Tensor): this {
    ops.copy_(this, source);
    return this;
  }
  fill_(value: Scalar): this {
    ops.fill_(this, value);
    return this;
  }
  zero_(): this {
    ops.zero_(this);
    return this;
  }

  // For people

  override toString(): string {
    return formatTensor(this, (edge) => tidy(() => cornersOf(this, edge).data()));
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** The first and last `edge` elements of each dimension: a large tensor is cut down on its own device before it is copied out. */
function cornersOf(tensor: Tensor, edge: number): Tensor {
  let shown = tensor.detach();
  for (const [dim, size] of tensor.shape.entries()) {
    if (size <= 2 * edge) continue;
    shown = ops.cat([shown.narrow(dim, 0, edge), shown.narrow(dim, size - edge, edge)], dim);
  }
  return shown;
}

const { find, define } = dispatcher(Tensor);

type Schemas = typeof schemas;

/** The operators of the table as functions: `ops.add(a, b, 2)`. Arguments are positional, in the schema's order. */
export const ops: { readonly [Key in keyof Schemas]: OperatorFunction<Schemas[Key], Tensor> } = define(schemas);

/**
 * Any of libtorch's operators, called with positional arguments in the schema's order. Tensors in, tensors out; dtypes as
 * codes (`dtypeCode`). Given by its whole schema it is typed, and compared with the libtorch that is loaded; by its full name
 * alone, overload included, it takes anything and checks at run time.
 *
 * @example
 * const erf = operator('aten::erf(Tensor self) -> Tensor');
 * const y = erf(x);
 * @throws TypeError if there is none, if its schema differs, or if it trusts its arguments (see `unchecked`)
 */
export const operator: FindOperator<Tensor> = find;
