// The engine as a whole: versions, threads, seeds, devices, the allocator.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "compat.h"
#include "handles.h"
#include "napi.h"

namespace thrive {

// glibc maps and unmaps every large buffer by default, so that each activation of each step faults its pages in anew:
// a ResNet-20 step took twice as long. Keep large blocks on the heap and give none back: a training step needs the same
// ones again a moment later. Settings a user made through glibc's environment variables win.
void tuneAllocator() {
#if defined(__GLIBC__)
  if (std::getenv("MALLOC_MMAP_MAX_") || std::getenv("MALLOC_MMAP_THRESHOLD_") || std::getenv("MALLOC_TRIM_THRESHOLD_")) return;
  mallopt(M_MMAP_MAX, 0);  // the threshold alone stops at 32 MiB, less than a batch of wide feature maps
  mallopt(M_TRIM_THRESHOLD, 0x7fffffff);
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

namespace {

napi_value torchVersion(Arguments& arguments) { return fromString(arguments.env, TORCH_VERSION); }

napi_value buildInfo(Arguments& arguments) {
  return fromString(arguments.env, at::show_config() + at::get_parallel_info());
}


napi_value getThreads(Arguments& arguments) { return fromInt(arguments.env, at::get_num_threads()); }

napi_value setThreads(Arguments& arguments) {
  int64_t threads = toInt(arguments.env, arguments[0]);
  if (threads < 1 || threads > 4096) throw BadArgument("threads must be a positive integer, got " + std::to_string(threads));
  at::set_num_threads(static_cast<int>(threads));
  return undefined(arguments.env);
}

napi_value manualSeed(Arguments& arguments) {
  at::manual_seed(static_cast<uint64_t>(toInt(arguments.env, arguments[0])));
  return undefined(arguments.env);
}

napi_value cudaDevices(Arguments& arguments) {
  return fromInt(arguments.env, static_cast<int64_t>(at::getNumGPUs()));
}

napi_value hasMkldnn(Arguments& arguments) { return fromBool(arguments.env, at::hasMKLDNN()); }

napi_value setDeterministic(Arguments& arguments) {
  at::globalContext().setDeterministicAlgorithms(toBool(arguments.env, arguments[0]), false);
  return undefined(arguments.env);
}

// What `load` hands out must outlive the table's growth and the release of its handle.
void checkHandles() {
  Handle handle = store(at::full({1}, 7.0));
  const at::Tensor& held = load(handle);
  std::vector<Handle> more;
  for (int i = 0; i < 4096; i++) more.push_back(store(held));
  for (Handle other : more) release(other);
  release(handle);
  if (!held.defined() || held.item<double>() != 7.0) throw std::runtime_error("a tensor in use was lost with its handle");
}

// A 2x2 product and its gradient: does this build compute at all?
napi_value selfTest(Arguments& arguments) {
  at::Tensor a = at::ones({2, 2}).set_requires_grad(true);
  at::matmul(a, at::full({2, 2}, 3.0)).sum().backward();
  if (!a.grad().defined() || a.grad().sum().item<double>() != 24.0) throw std::runtime_error("the gradient of a 2x2 product is wrong");
  checkHandles();
  return undefined(arguments.env);
}

}  // namespace

std::vector<Export> runtimeExports() {
  return {
      {"version", guard<torchVersion>},
      {"buildInfo", guard<buildInfo>},
      {"getThreads", guard<getThreads>},
      {"setThreads", guard<setThreads>},
      {"manualSeed", guard<manualSeed>},
      {"cudaDevices", guard<cudaDevices>},
      {"hasMkldnn", guard<hasMkldnn>},
      {"setDeterministic", guard<setDeterministic>},
      {"selfTest", guard<selfTest>},
  };
}

}  // namespace thrive
