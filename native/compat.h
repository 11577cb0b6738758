// The differences between the libtorch versions this addon compiles against (1.13 to 2.x), in one place.
#pragma once

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/version.h>

#define THRIVE_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

namespace thrive {

// 2.x dropped c10::optional in favour of std::optional; auto deduces either.
#if THRIVE_TORCH_AT_LEAST(2, 5)
template <class T>
using Optional = std::optional<T>;
#else
template <class T>
using Optional = c10::optional<T>;
#endif

// Autocast became a per-device table in 2.4.
inline void setAutocast(c10::DeviceType device, bool enabled, at::ScalarType dtype) {
#if THRIVE_TORCH_AT_LEAST(2, 4)
  at::autocast::set_autocast_enabled(device, enabled);
  if (enabled) at::autocast::set_autocast_dtype(device, dtype);
#else
  TORCH_CHECK(device == c10::kCPU || device == c10::kCUDA, "autocast: no support for this device in this libtorch");
  if (device == c10::kCPU) {
    at::autocast::set_cpu_enabled(enabled);
    if (enabled) at::autocast::set_autocast_cpu_dtype(dtype);
  } else {
    at::autocast::set_enabled(enabled);
    if (enabled) at::autocast::set_autocast_gpu_dtype(dtype);
  }
#endif
}

// Argument::type() calls a SymInt and the enumerations `int`; real_type() tells a dtype from a layout.
inline const c10::TypePtr& argumentType(const c10::Argument& argument) {
  return argument.real_type();
}

}  // namespace thrive
