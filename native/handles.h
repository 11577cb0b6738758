// Tensors live in a table of slots; JavaScript holds numbers. A handle is generation * 2^24 + slot, so that a stale one is
// recognised instead of reaching another tensor. Cheaper than wrapping an object for each tensor, and freed in bulk.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "napi.h"

namespace thrive {

using Handle = double;

// Takes ownership of one reference. An undefined tensor has no handle: ask first.
Handle store(at::Tensor tensor);

// The tensor behind a handle; throws BadArgument that says what became of it otherwise. A reference of its own and not one
// into the table: that moves when a store makes it grow, and a release empties the slot.
at::Tensor load(Handle handle);

inline at::Tensor toTensor(napi_env env, napi_value value) {
  double handle;
  if (napi_get_value_double(env, value, &handle) != napi_ok)
    throw BadArgument("expected a tensor, got " + typeName(env, value));
  return load(handle);
}

inline napi_value fromTensor(napi_env env, at::Tensor tensor) {
  return tensor.defined() ? fromDouble(env, store(std::move(tensor))) : null(env);
}

bool release(Handle handle);
size_t liveCount();
// Bytes of all distinct storages behind live handles.
size_t liveBytes();
// The shapes of what is alive, for leak hunting.
std::vector<std::string> describeLive(size_t most);

// `[64, 3, 32, 32] float32`, as error messages say it.
std::string describe(const at::Tensor& tensor);
std::string dtypeName(at::ScalarType dtype);

}  // namespace thrive
