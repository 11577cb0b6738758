/** Operators outside the table that a person may well ask `operator()` for. */
export const sample: readonly string[] = `
  acos adaptive_max_pool1d adaptive_max_pool3d addr alpha_dropout arctan argmin as_strided atan2 baddbmm bitwise_not
  bitwise_xor.Tensor celu cdist cholesky clamp_max clamp_min_ column_stack copysign.Scalar corrcoef count_nonzero cov cummax
  cumprod det diag_embed diagflat diff dist divide.Scalar_mode dot dstack elu erf erfinv exponential_ fft_fft2 fft_fftshift
  fft_ifft fft_rfftn fft_irfft2 float_power.Tensor_Scalar floor_divide fmod.Scalar frac gelu geometric glu hardsigmoid
  hardswish heaviside hypot_ igamma index_fill.int_Scalar instance_norm isin.Tensor_Tensor kthvalue l1_loss layer_norm lcm
  ldexp_ lgamma linalg_cholesky linalg_eigh linalg_inv linalg_matrix_exp linalg_matrix_power linalg_pinv linalg_qr logaddexp
  logcumsumexp median.dim mish mode multi_margin_loss mv nan_to_num nanmean norm.ScalarOpt_dim outer pdist pixel_shuffle
  polar prelu quantile renorm rot90 rrelu scatter_add searchsorted.Tensor selu silu sinc soft_margin_loss softshrink std_mean
  take take_along_dim tensordot tile trace tril unfold unique_dim vander var_mean xlogy.Tensor
`
  .split(/\s+/)
  .filter(Boolean)
  .map((name) => `aten::${name}`);
