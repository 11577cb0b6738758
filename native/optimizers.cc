// Optimizers for the CPU: every parameter of a network in one call a step, where PyTorch's rule in operators would be several
// passes over each.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>

#include <cmath>

#include "handles.h"
#include "napi.h"

namespace thrive {
namespace {

at::Tensor toOptionalTensor(napi_env env, napi_value value) {
  return isNullish(env, value) ? at::Tensor() : toTensor(env, value);
}

// While it lives, what is computed is not recorded for gradients.
struct WithoutGradients {
  c10::InferenceMode off{false};
  bool before = c10::GradMode::is_enabled();
  WithoutGradients() { c10::GradMode::set_enabled(false); }
  ~WithoutGradients() { c10::GradMode::set_enabled(before); }
};

// Can a pass over plain memory take both, element by element?
bool alike(const at::Tensor& t, const at::Tensor& parameter) {
  return t.device().is_cpu() && (t.scalar_type() == at::kFloat || t.scalar_type() == at::kDouble) &&
         t.scalar_type() == parameter.scalar_type() && t.is_non_overlapping_and_dense() &&
         t.sizes() == parameter.sizes() && t.strides() == parameter.strides();
}

// A parameter's gradient, undefined where there is none. It may come in another layout (channels last weights): it is brought
// to the parameter's.
at::Tensor gradientLike(const at::Tensor& parameter) {
  at::Tensor gradient = parameter.grad();
  if (!gradient.defined() || !parameter.device().is_cpu() || gradient.scalar_type() != parameter.scalar_type() ||
      gradient.layout() != c10::kStrided || gradient.strides() == parameter.strides())
    return gradient;
  return at::empty_like(parameter).copy_(gradient);
}

// What a step of SGD needs beside the tensors, in the precision of the parameters: rounded to float32 for float64 ones, lr 0.1
// would be another number than PyTorch's.
template <typename T>
struct SgdRule {
  T lr, momentum, decay, keep, take;
  bool nesterov;
  SgdRule(double lr, double momentum, double dampening, double decay, bool first, bool nesterov)
      : lr(lr),
        momentum(momentum),
        decay(decay),
        keep(first ? T(0) : this->momentum),
        take(first ? T(1) : T(1) - static_cast<T>(dampening)),
        nesterov(nesterov) {}

  // p, g and m (or null without momentum) from begin to end.
  void apply(T* p, const T* g, T* m, int64_t begin, int64_t end) const {
    if (!m) {
      for (int64_t j = begin; j < end; j++) p[j] -= lr * (g[j] + decay * p[j]);
    } else if (nesterov) {
      for (int64_t j = begin; j < end; j++) {
        T d = g[j] + decay * p[j];
        m[j] = keep * m[j] + take * d;
        p[j] -= lr * (d + momentum * m[j]);
      }
    } else {
      for (int64_t j = begin; j < end; j++) {
        m[j] = keep * m[j] + take * (g[j] + decay * p[j]);
        p[j] -= lr * m[j];
      }
    }
  }
};

// (parameters, momentum buffers, first step, lr, momentum, dampening, weight decay, nesterov)
// SGD as in torch.optim.SGD, every parameter in one pass. Gradients are taken from the parameters; one without is left alone.
// Returns nothing: what the pass cannot do (another device, dtype or layout) is done with operators here, with equal results.
napi_value sgdStep(Arguments& arguments) {
  napi_env env = arguments.env;
  auto parameters = toVector<at::Tensor>(env, arguments[0], toOptionalTensor);
  auto buffers = toVector<at::Tensor>(env, arguments[1], toOptionalTensor);
  bool first = toBool(env, arguments[2]);
  double lr = toDouble(env, arguments[3]), momentum = toDouble(env, arguments[4]), dampening = toDouble(env, arguments[5]),
         decay = toDouble(env, arguments[6]);
  bool nesterov = toBool(env, arguments[7]);
  if (momentum != 0 && buffers.size() != parameters.size()) throw BadArgument("one momentum buffer a parameter");
  WithoutGradients off;
  const SgdRule<float> single(lr, momentum, dampening, decay, first, nesterov);
  const SgdRule<double> full(lr, momentum, dampening, decay, first, nesterov);
  for (size_t i = 0; i < parameters.size(); i++) {
    at::Tensor& parameter = parameters[i];
    at::Tensor gradient = gradientLike(parameter);
    if (!gradient.defined()) continue;
    at::Tensor buffer = momentum != 0 ? buffers[i] : at::Tensor();
    if (alike(parameter, parameter) && alike(gradient, parameter) && (!buffer.defined() || alike(buffer, parameter))) {
      auto pass = [&](auto rule) {
        using T = decltype(rule.lr);
        T* p = parameter.data_ptr<T>();
        const T* g = gradient.data_ptr<T>();
        T* m = buffer.defined() ? buffer.data_ptr<T>() : nullptr;
        at::parallel_for(0, parameter.numel(), 32768,
                         [&](int64_t begin, int64_t end) { rule.apply(p, g, m, begin, end); });
      };
      if (parameter.scalar_type() == at::kFloat)
        pass(single);
      else
        pass(full);
      parameter.unsafeGetTensorImpl()->bump_version();
      continue;
    }
    at::Tensor d = decay != 0 ? gradient.add(parameter, decay) : gradient;
    if (buffer.defined()) {
      buffer.mul_(full.keep).add_(d, full.take);
      d = nesterov ? d.add(buffer, momentum) : buffer;
    }
    parameter.add_(d, -lr);
  }
  return undefined(env);
}

// What a step of AdamW needs beside the tensors, in the precision of the parameters. `scale` and `root` are the corrections of
// the means for having begun at zero.
template <typename T>
struct AdamRule {
  T shrink, beta1, take1, beta2, take2, eps, root, scale;
  AdamRule(int64_t step, double lr, double beta1, double beta2, double eps, double decay)
      : shrink(1 - lr * decay),
        beta1(beta1),
        take1(1 - beta1),
        beta2(beta2),
        take2(1 - beta2),
        eps(eps),
        root(std::sqrt(1 - std::pow(beta2, step))),
        scale(lr / (1 - std::pow(beta1, step))) {}

  void apply(T* p, const T* g, T* m, T* v, int64_t begin, int64_t end) const {
    for (int64_t j = begin; j < end; j++) {
      m[j] = beta1 * m[j] + take1 * g[j];
      v[j] = beta2 * v[j] + take2 * g[j] * g[j];
      p[j] = shrink * p[j] - scale * (m[j] / (std::sqrt(v[j]) / root + eps));
    }
  }
};

// (parameters, means of the gradient, of its square, steps: int64 scalars, lr, beta1, beta2, eps, weight decay)
// AdamW as in torch.optim.AdamW; the rest as sgdStep.
napi_value adamwStep(Arguments& arguments) {
  napi_env env = arguments.env;
  std::vector<at::Tensor> lists[4];
  for (size_t i = 0; i < 4; i++) lists[i] = toVector<at::Tensor>(env, arguments[i], toOptionalTensor);
  auto &parameters = lists[0], &averages = lists[1], &squares = lists[2], &steps = lists[3];
  for (const auto& list : lists)
    if (list.size() != parameters.size()) throw BadArgument("two means and a count of steps a parameter");
  for (const at::Tensor& step : steps)
    if (step.scalar_type() != at::kLong || !step.device().is_cpu() || step.numel() != 1)
      throw BadArgument("a count of steps is one int64 on the CPU");
  double lr = toDouble(env, arguments[4]), beta1 = toDouble(env, arguments[5]), beta2 = toDouble(env, arguments[6]),
         eps = toDouble(env, arguments[7]), decay = toDouble(env, arguments[8]);
  WithoutGradients off;
  for (size_t i = 0; i < parameters.size(); i++) {
    at::Tensor &parameter = parameters[i], &average = averages[i], &square = squares[i];
    at::Tensor gradient = gradientLike(parameter);
    if (!gradient.defined()) continue;
    int64_t step = ++*steps[i].data_ptr<int64_t>();
    if (alike(parameter, parameter) && alike(gradient, parameter) && alike(average, parameter) &&
        alike(square, parameter)) {
      auto pass = [&](auto rule) {
        using T = decltype(rule.eps);
        T *p = parameter.data_ptr<T>(), *m = average.data_ptr<T>(), *v = square.data_ptr<T>();
        const T* g = gradient.data_ptr<T>();
        at::parallel_for(0, parameter.numel(), 16384,
                         [&](int64_t begin, int64_t end) { rule.apply(p, g, m, v, begin, end); });
      };
      if (parameter.scalar_type() == at::kFloat)
        pass(AdamRule<float>(step, lr, beta1, beta2, eps, decay));
      else
        pass(AdamRule<double>(step, lr, beta1, beta2, eps, decay));
      parameter.unsafeGetTensorImpl()->bump_version();
      continue;
    }
    const AdamRule<double> rule(step, lr, beta1, beta2, eps, decay);
    average.mul_(beta1).add_(gradient, rule.take1);
    square.mul_(beta2).addcmul_(gradient, gradient, rule.take2);
    parameter.mul_(rule.shrink).addcdiv_(average, square.sqrt().div_(rule.root).add_(eps), -rule.scale);
  }
  return undefined(env);
}

}  // namespace

std::vector<Export> optimizerExports() {
  return {
      {"adamwStep", guard<adamwStep>},
      {"sgdStep", guard<sgdStep>},
  };
}

}  // namespace thrive
