// Automatic differentiation: what is not an operator of the dispatcher.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

#include "compat.h"
#include "handles.h"
#include "napi.h"

namespace thrive {
namespace {

torch::autograd::variable_list toTensors(napi_env env, napi_value value) {
  return toVector<at::Tensor>(env, value, toTensor);
}

torch::autograd::variable_list toOptionalTensors(napi_env env, napi_value value) {
  return toVector<at::Tensor>(env, value, [](napi_env e, napi_value v) { return isNullish(e, v) ? at::Tensor() : toTensor(e, v); });
}

// Runs a pass over the graph; its complaint gets the shapes of what it started from.
template <class Pass>
auto traced(const char* name, const torch::autograd::variable_list& from, Pass pass) {
  try {
    return pass();
  } catch (const std::exception& error) {
    std::string text;
    for (const at::Tensor& tensor : from) text += (text.empty() ? "" : ", ") + describe(tensor);
    throw std::runtime_error(std::string(name) + "(" + text + "): " + messageOf(error));
  }
}

Optional<bool> toOptionalBool(napi_env env, napi_value value) {
  if (isNullish(env, value)) return {};
  return toBool(env, value);
}

// (tensors, gradients, retainGraph?, createGraph)
napi_value backward(Arguments& arguments) {
  napi_env env = arguments.env;
  auto tensors = toTensors(env, arguments[0]), gradients = toOptionalTensors(env, arguments[1]);
  auto retainGraph = toOptionalBool(env, arguments[2]);
  bool createGraph = toBool(env, arguments[3]);
  traced("backward", tensors, [&] { torch::autograd::backward(tensors, gradients, retainGraph, createGraph); });
  return undefined(env);
}

// (outputs, inputs, output gradients, retainGraph?, createGraph, allowUnused) -> gradients, null where unused
napi_value grad(Arguments& arguments) {
  napi_env env = arguments.env;
  auto outputs = toTensors(env, arguments[0]), inputs = toTensors(env, arguments[1]);
  auto seeds = toOptionalTensors(env, arguments[2]);
  auto retainGraph = toOptionalBool(env, arguments[3]);
  bool createGraph = toBool(env, arguments[4]), allowUnused = toBool(env, arguments[5]);
  auto gradients = traced(
      "grad", outputs, [&] { return torch::autograd::grad(outputs, inputs, seeds, retainGraph, createGraph, allowUnused); });
  return fromItems(env, gradients, [](napi_env e, const at::Tensor& t) { return fromTensor(e, t); });
}

napi_value getGrad(Arguments& arguments) {
  return fromTensor(arguments.env, toTensor(arguments.env, arguments[0]).grad());
}

// (tensor, gradient | null)
napi_value setGrad(Arguments& arguments) {
  napi_env env = arguments.env;
  at::Tensor tensor = toTensor(env, arguments[0]);
  if (isNullish(env, arguments[1])) {
    tensor.mutable_grad() = at::Tensor();
    return undefined(env);
  }
  at::Tensor gradient = toTensor(env, arguments[1]);
  if (gradient.sizes() != tensor.sizes() || gradient.scalar_type() != tensor.scalar_type())
    throw BadArgument("a gradient " + describe(gradient) + " does not fit a tensor " + describe(tensor));
  tensor.mutable_grad() = gradient;
  return undefined(env);
}

// (tensors): forget every gradient in one call
napi_value clearGrads(Arguments& arguments) {
  for (const at::Tensor& tensor : toTensors(arguments.env, arguments[0])) tensor.mutable_grad() = at::Tensor();
  return undefined(arguments.env);
}

napi_value requiresGrad(Arguments& arguments) {
  return fromBool(arguments.env, toTensor(arguments.env, arguments[0]).requires_grad());
}

napi_value setRequiresGrad(Arguments& arguments) {
  at::Tensor tensor = toTensor(arguments.env, arguments[0]);
  bool on = toBool(arguments.env, arguments[1]);
  if (!on && !tensor.is_leaf()) throw BadArgument("only a leaf can stop requiring grad; use detach()");
  if (on && !at::isFloatingType(tensor.scalar_type()) && !at::isComplexType(tensor.scalar_type()))
    throw BadArgument("only floating point tensors can require grad, this one is " + describe(tensor));
  tensor.set_requires_grad(on);
  return undefined(arguments.env);
}

napi_value isLeaf(Arguments& arguments) {
  return fromBool(arguments.env, toTensor(arguments.env, arguments[0]).is_leaf());
}

// (tensor) -> the name of the function that made it, as PyTorch prints it, or null
napi_value gradFunction(Arguments& arguments) {
  at::Tensor tensor = toTensor(arguments.env, arguments[0]);
  const auto& function = tensor.grad_fn();
  if (!function) return null(arguments.env);
  std::string name = function->name();
  return fromString(arguments.env, name.substr(name.rfind(':') == std::string::npos ? 0 : name.rfind(':') + 1));
}

// (enabled) -> what it was
napi_value setGradEnabled(Arguments& arguments) {
  bool before = c10::GradMode::is_enabled();
  c10::GradMode::set_enabled(toBool(arguments.env, arguments[0]));
  return fromBool(arguments.env, before);
}

napi_value isGradEnabled(Arguments& arguments) {
  return fromBool(arguments.env, c10::GradMode::is_enabled());
}

// (device type, enabled, dtype code): the caller nests and restores
napi_value autocast(Arguments& arguments) {
  napi_env env = arguments.env;
  auto dtype = static_cast<at::ScalarType>(toInt(env, arguments[2]));
  if (dtype != at::kBFloat16 && dtype != at::kHalf) throw BadArgument("autocast: dtype must be bfloat16 or float16");
  setAutocast(c10::Device(toString(env, arguments[0])).type(), toBool(env, arguments[1]), dtype);
  return undefined(env);
}

// (+1 | -1): weights cast inside an outermost autocast scope are cached until it ends
napi_value autocastNest(Arguments& arguments) {
  if (toInt(arguments.env, arguments[0]) > 0) {
    at::autocast::increment_nesting();
  } else if (at::autocast::decrement_nesting() == 0) {
    at::autocast::clear_cache();
  }
  return undefined(arguments.env);
}

}  // namespace

std::vector<Export> autogradExports() {
  return {
      {"backward", guard<backward>},
      {"grad", guard<grad>},
      {"getGrad", guard<getGrad>},
      {"setGrad", guard<setGrad>},
      {"clearGrads", guard<clearGrads>},
      {"requiresGrad", guard<requiresGrad>},
      {"setRequiresGrad", guard<setRequiresGrad>},
      {"isLeaf", guard<isLeaf>},
      {"gradFunction", guard<gradFunction>},
      {"setGradEnabled", guard<setGradEnabled>},
      {"isGradEnabled", guard<isGradEnabled>},
      {"autocast", guard<autocast>},
      {"autocastNest", guard<autocastNest>},
  };
}

}  // namespace thrive
