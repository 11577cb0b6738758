/**
 * @file Which of libtorch's operators trust their arguments, so that a wrong one ends the process instead of throwing. Its
 * internal operators do (a leading underscore, kernels of backward passes and of one library, namespaces other than `aten`), and
 * so do some public ones: those named here were found in libtorch 1.13.1 by calling every operator with random arguments
 * (test/fuzz). There are surely more.
 */
const found: ReadonlySet<string> = new Set([
  'align_tensors',
  'align_to',
  'batch_norm_update_stats',
  'choose_qparams_optimized', // does not end
  'embedding_bag',
  'histogramdd',
  'max_unpool2d',
  'max_unpool3d',
  'to_sparse_bsc',
  'to_sparse_bsr',
  'view_copy',
]);

const internal = /^_|backward|^(native|mkldnn|miopen|cudnn|slow|thnn|fbgemm|quantized)_/;

/** Does the operator of this full name (`aten::embedding_bag.out`) trust its arguments? */
export function trustsArguments(name: string): boolean {
  const [space = '', rest = ''] = name.includes('::') ? name.split('::') : ['aten', name];
  const base = rest.split('.')[0]!;
  return space !== 'aten' || internal.test(base) || found.has(base);
}
