/** A tensor as the addon knows it: a number that becomes invalid when the tensor is released. */
export type Handle = number;

/** What the addon says about one operator. */
export interface NativeOperator {
  /** For `call`. */
  id: number;
  /** With its overload: `aten::add.Tensor`. */
  name: string;
  /** The schema of the libtorch that is loaded. */
  schema: string;
  /** One letter an argument: T tensor, L list of tensors, V anything else. */
  parameters: string;
  /** One letter a result: T tensor, L list of tensors, A an argument itself (in-place), V a plain value. */
  results: string;
  /** For each result, the argument it is, or -1. */
  aliases: number[];
}

type TypedArray = Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array | BigInt64Array;

/** The functions of native/*.cc. Wrong arguments throw TypeError, libtorch's own complaints Error, never a crash. */
export interface NativeAddon {
  findOperator(name: string): NativeOperator | null;
  call(id: number, ...values: unknown[]): unknown;
  operatorNames(): string[];
  newGenerator(seed: number): number;

  tensorFrom(data: TypedArray, shape: readonly number[]): Handle;
  tensorFromBytes(bytes: Uint8Array, dtype: number, shape: readonly number[]): Handle;
  tensorData(tensor: Handle): TypedArray;
  tensorBytes(tensor: Handle): Uint8Array;
  tensorItem(tensor: Handle): number | bigint | boolean;
  tensorShape(tensor: Handle): number[];
  tensorStrides(tensor: Handle): number[];
  tensorDtype(tensor: Handle): number;
  tensorDevice(tensor: Handle): string;
  tensorIsContiguous(tensor: Handle, memoryFormat: number): boolean;
  tensorSharesStorage(a: Handle, b: Handle): boolean;
  release(tensor: Handle): boolean;
  releaseMany(handles: Float64Array, count: number): number;
  liveTensors(): number;
  liveTensorBytes(): number;
  liveTensorList(most: number): string[];

  backward(
    tensors: readonly Handle[],
    gradients: readonly (Handle | null)[],
    retainGraph: boolean | null,
    createGraph: boolean,
  ): void;
  grad(
    outputs: readonly Handle[],
    inputs: readonly Handle[],
    gradients: readonly (Handle | null)[],
    retainGraph: boolean | null,
    createGraph: boolean,
    allowUnused: boolean,
  ): (Handle | null)[];
  getGrad(tensor: Handle): Handle | null;
  setGrad(tensor: Handle, gradient: Handle | null): void;
  clearGrads(tensors: readonly Handle[]): void;
  requiresGrad(tensor: Handle): boolean;
  setRequiresGrad(tensor: Handle, on: boolean): void;
  isLeaf(tensor: Handle): boolean;
  gradFunction(tensor: Handle): string | null;
  setGradEnabled(on: boolean): boolean;
  isGradEnabled(): boolean;
  autocast(device: string, on: boolean, dtype: number): void;
  autocastNest(step: 1 | -1): void;

  version(): string;
  buildInfo(): string;
  getThreads(): number;
  setThreads(threads: number): void;
  manualSeed(seed: number): void;
  cudaDevices(): number;
  hasMkldnn(): boolean;
  setDeterministic(on: boolean): void;
  selfTest(): void;

  gatherCropFlip(
    images: Handle,
    index: Int32Array,
    top: Int32Array,
    left: Int32Array,
    flip: Int32Array,
    padding: number,
  ): Handle;
  normalizeImages(images: Handle, table: Float32Array, channelsLast: boolean): Handle;
  sgdStep(
    parameters: readonly Handle[],
    buffers: readonly Handle[],
    first: boolean,
    lr: number,
    momentum: number,
    dampening: number,
    weightDecay: number,
    nesterov: boolean,
  ): void;
  adamwStep(
    parameters: readonly Handle[],
    averages: readonly Handle[],
    squares: readonly Handle[],
    steps: readonly Handle[],
    lr: number,
    beta1: number,
    beta2: number,
    eps: number,
    weightDecay: number,
  ): void;

  programCreate(calls: readonly [id: number, values: readonly unknown[], result: number][], output: number): number;
  programRun(program: number, images: Handle, slice: number): Handle;
  programFree(program: number): boolean;

  applyOperations(images: Handle, slots: number, operations: Int32Array, magnitudes: Float64Array): Handle;
  blendImages(images: Handle, partner: Int32Array, lambda: Float64Array): Handle;
  pasteBoxes(images: Handle, boxes: Int32Array, partner: Int32Array | null): Handle;
  pastePatches(images: Handle, partner: Int32Array, mask: Uint8Array, side: number): Handle;

  drawContrast(
    order: Int32Array,
    starts: Int32Array,
    labels: Int32Array,
    rows: Int32Array,
    k0: number,
    k1: number,
    epoch: number,
    negatives: number,
    relaxed: boolean,
  ): Handle;
  contrastAll(
    embeddings: Handle,
    memory: Handle,
    index: Handle,
    temperature: number,
    z: number,
    noise: number,
    eps: number,
  ): [loss: number, z: number, gradient: Handle];
  contrastRows: NativeAddon['contrastAll'];
}
