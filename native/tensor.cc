// Tensors in and out of JavaScript, and what one can ask of a tensor without computing anything.
#include <ATen/ATen.h>

#include <cstring>

#include "handles.h"
#include "napi.h"

namespace thrive {
namespace {

at::ScalarType dtypeOf(const TypedArray& array) {
  switch (array.type) {
    case napi_uint8_array:
    case napi_uint8_clamped_array: return at::kByte;
    case napi_int8_array: return at::kChar;
    case napi_int16_array: return at::kShort;
    case napi_int32_array: return at::kInt;
    case napi_float32_array: return at::kFloat;
    case napi_float64_array: return at::kDouble;
    case napi_bigint64_array: return at::kLong;
    default: throw BadArgument("a Uint16Array, Uint32Array or BigUint64Array has no dtype in libtorch");
  }
}

std::vector<int64_t> toShape(napi_env env, napi_value value) {
  auto shape = toInts(env, value);
  int64_t count = 1;
  for (int64_t size : shape) {
    if (size < 0) throw BadArgument("a shape has no negative sizes, got " + std::to_string(size));
    if (size && count > (int64_t(1) << 48) / size) throw BadArgument("the shape is too large");
    count *= size;
  }
  return shape;
}

at::ScalarType toDtype(napi_env env, napi_value value) {
  int64_t code = toInt(env, value);
  for (at::ScalarType dtype : {at::kByte, at::kChar, at::kShort, at::kInt, at::kLong, at::kHalf, at::kFloat, at::kDouble, at::kBool, at::kBFloat16})
    if (static_cast<int64_t>(dtype) == code) return dtype;
  throw BadArgument(std::to_string(code) + " is not the code of a dtype (see dtypeCode)");
}

napi_value fromBytes(napi_env env, const TypedArray& array, at::ScalarType dtype, const std::vector<int64_t>& shape, size_t bytes) {
  at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(dtype));
  if (static_cast<size_t>(tensor.nbytes()) != bytes)
    throw BadArgument("shape " + describe(tensor) + " needs " + std::to_string(tensor.numel()) + " elements, the array has " +
                      std::to_string(bytes / tensor.element_size()));
  if (bytes) std::memcpy(tensor.data_ptr(), array.data, bytes);
  return fromTensor(env, tensor);
}

size_t elementSize(const TypedArray& array) { return c10::elementSize(dtypeOf(array)); }

// (typed array, shape) -> tensor of the array's own dtype
napi_value tensorFrom(Arguments& arguments) {
  // The shape first: reading it may run a getter, which could take the array's memory away.
  auto shape = toShape(arguments.env, arguments[1]);
  TypedArray array = toTypedArray(arguments.env, arguments[0]);
  return fromBytes(arguments.env, array, dtypeOf(array), shape, array.length * elementSize(array));
}

// (bytes: Uint8Array, dtype code, shape) -> tensor
napi_value tensorFromBytes(Arguments& arguments) {
  at::ScalarType dtype = toDtype(arguments.env, arguments[1]);
  auto shape = toShape(arguments.env, arguments[2]);
  TypedArray array = toTypedArray(arguments.env, arguments[0]);
  if (array.type != napi_uint8_array) throw BadArgument("expected a Uint8Array");
  return fromBytes(arguments.env, array, dtype, shape, array.length);
}

at::Tensor dense(const at::Tensor& tensor) {
  at::Tensor plain = tensor.detach();
  if (plain.layout() != c10::kStrided) plain = plain.to_dense();
  return plain.to(c10::kCPU).contiguous().resolve_conj().resolve_neg();
}

napi_value copyOut(napi_env env, const at::Tensor& tensor, napi_typedarray_type type) {
  size_t bytes = tensor.nbytes();
  void* target = nullptr;
  napi_value buffer, array;
  check(env, napi_create_arraybuffer(env, bytes, &target, &buffer));
  if (bytes) std::memcpy(target, tensor.data_ptr(), bytes);
  size_t length = type == napi_uint8_array ? bytes : static_cast<size_t>(tensor.numel());
  check(env, napi_create_typedarray(env, type, length, buffer, 0, &array));
  return array;
}

// (tensor) -> a typed array with its elements in row-major order; bfloat16 and float16 come as float32, bool as uint8
napi_value tensorData(Arguments& arguments) {
  at::Tensor tensor = dense(toTensor(arguments.env, arguments[0]));
  switch (tensor.scalar_type()) {
    case at::kByte:
    case at::kBool: return copyOut(arguments.env, tensor, napi_uint8_array);
    case at::kChar: return copyOut(arguments.env, tensor, napi_int8_array);
    case at::kShort: return copyOut(arguments.env, tensor, napi_int16_array);
    case at::kInt: return copyOut(arguments.env, tensor, napi_int32_array);
    case at::kLong: return copyOut(arguments.env, tensor, napi_bigint64_array);
    case at::kDouble: return copyOut(arguments.env, tensor, napi_float64_array);
    case at::kHalf:
    case at::kBFloat16:
    case at::kFloat: return copyOut(arguments.env, tensor.to(at::kFloat), napi_float32_array);
    default: throw BadArgument("no typed array holds " + dtypeName(tensor.scalar_type()));
  }
}

// (tensor) -> Uint8Array with its raw bytes in row-major order
napi_value tensorBytes(Arguments& arguments) {
  return copyOut(arguments.env, dense(toTensor(arguments.env, arguments[0])), napi_uint8_array);
}

napi_value tensorItem(Arguments& arguments) {
  napi_env env = arguments.env;
  at::Tensor tensor = toTensor(env, arguments[0]);
  if (tensor.numel() != 1) throw BadArgument("item() needs a tensor of one element, this one is " + describe(tensor));
  at::Scalar scalar = tensor.item();
  if (scalar.isBoolean()) return fromBool(env, scalar.toBool());
  return scalar.isIntegral(false) ? fromInt(env, scalar.toLong()) : fromDouble(env, scalar.toDouble());
}

napi_value tensorShape(Arguments& arguments) {
  return fromItems(arguments.env, toTensor(arguments.env, arguments[0]).sizes(), fromInt);
}

napi_value tensorStrides(Arguments& arguments) {
  return fromItems(arguments.env, toTensor(arguments.env, arguments[0]).strides(), fromInt);
}

napi_value tensorDtype(Arguments& arguments) {
  return fromInt(arguments.env, static_cast<int64_t>(toTensor(arguments.env, arguments[0]).scalar_type()));
}

napi_value tensorDevice(Arguments& arguments) {
  return fromString(arguments.env, toTensor(arguments.env, arguments[0]).device().str());
}

// (tensor, memory format code) -> boolean
napi_value tensorIsContiguous(Arguments& arguments) {
  int64_t format = toInt(arguments.env, arguments[1]);
  if (format < 0 || format > 3) throw BadArgument("not a memory format code");
  return fromBool(arguments.env, toTensor(arguments.env, arguments[0]).is_contiguous(static_cast<c10::MemoryFormat>(format)));
}

// (a, b) -> do they share memory?
napi_value tensorSharesStorage(Arguments& arguments) {
  at::Tensor a = toTensor(arguments.env, arguments[0]);
  at::Tensor b = toTensor(arguments.env, arguments[1]);
  return fromBool(arguments.env, a.has_storage() && b.has_storage() && a.storage().is_alias_of(b.storage()));
}

napi_value releaseTensor(Arguments& arguments) {
  return fromBool(arguments.env, release(toDouble(arguments.env, arguments[0])));
}

// (Float64Array of handles, count) -> how many were alive
napi_value releaseMany(Arguments& arguments) {
  TypedArray array = toTypedArray(arguments.env, arguments[0]);
  if (array.type != napi_float64_array) throw BadArgument("expected a Float64Array of handles");
  size_t count = std::min<size_t>(array.length, toInt(arguments.env, arguments[1]));
  int64_t released = 0;
  for (size_t i = 0; i < count; i++) released += release(static_cast<double*>(array.data)[i]);
  return fromInt(arguments.env, released);
}

napi_value liveTensors(Arguments& arguments) { return fromInt(arguments.env, liveCount()); }
napi_value liveTensorBytes(Arguments& arguments) { return fromInt(arguments.env, liveBytes()); }
napi_value liveTensorList(Arguments& arguments) {
  return fromItems(arguments.env, describeLive(toInt(arguments.env, arguments[0])), fromString);
}

}  // namespace

std::vector<Export> tensorExports() {
  return {
      {"tensorFrom", guard<tensorFrom>},
      {"tensorFromBytes", guard<tensorFromBytes>},
      {"tensorData", guard<tensorData>},
      {"tensorBytes", guard<tensorBytes>},
      {"tensorItem", guard<tensorItem>},
      {"tensorShape", guard<tensorShape>},
      {"tensorStrides", guard<tensorStrides>},
      {"tensorDtype", guard<tensorDtype>},
      {"tensorDevice", guard<tensorDevice>},
      {"tensorIsContiguous", guard<tensorIsContiguous>},
      {"tensorSharesStorage", guard<tensorSharesStorage>},
      {"release", guard<releaseTensor>},
      {"releaseMany", guard<releaseMany>},
      {"liveTensors", guard<liveTensors>},
      {"liveTensorBytes", guard<liveTensorBytes>},
      {"liveTensorList", guard<liveTensorList>},
  };
}

}  // namespace thrive
