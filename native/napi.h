// Thin helpers over Node-API. Every native function runs inside `guard`, which turns any C++ exception into a JavaScript
// error without libtorch's backtrace: nothing a caller passes may end the process.
#pragma once

#include <node_api.h>

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace thrive {

// Thrown when a JavaScript exception is pending already.
struct PendingException {};

// A wrong argument: becomes a JavaScript TypeError.
struct BadArgument : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void check(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending) throw PendingException{};
  const napi_extended_error_info* info = nullptr;
  napi_get_last_error_info(env, &info);
  throw std::runtime_error(info && info->error_message ? info->error_message : "a Node-API call failed");
}

constexpr size_t kMaxArguments = 40;

struct Arguments {
  napi_env env;
  size_t count = kMaxArguments;
  napi_value values[kMaxArguments];

  Arguments(napi_env e, napi_callback_info info) : env(e) {
    check(env, napi_get_cb_info(env, info, &count, values, nullptr, nullptr));
    if (count > kMaxArguments) throw BadArgument("too many arguments");
  }

  // Arguments not given are undefined: Node-API fills `values` with undefined up to the capacity asked for.
  napi_value operator[](size_t i) const { return values[i]; }
};

inline napi_valuetype typeOf(napi_env env, napi_value value) {
  napi_valuetype type;
  check(env, napi_typeof(env, value, &type));
  return type;
}

inline bool isNullish(napi_env env, napi_value value) {
  napi_valuetype type = typeOf(env, value);
  return type == napi_undefined || type == napi_null;
}

inline std::string typeName(napi_env env, napi_value value) {
  switch (typeOf(env, value)) {
    case napi_undefined: return "undefined";
    case napi_null: return "null";
    case napi_boolean: return "a boolean";
    case napi_number: return "a number";
    case napi_string: return "a string";
    case napi_symbol: return "a symbol";
    case napi_function: return "a function";
    case napi_bigint: return "a bigint";
    default: {
      bool array = false;
      napi_is_array(env, value, &array);
      return array ? "an array" : "an object";
    }
  }
}

inline double toDouble(napi_env env, napi_value value) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok)
    throw BadArgument("expected a number, got " + typeName(env, value));
  return number;
}

inline int64_t toInt(napi_env env, napi_value value) {
  if (typeOf(env, value) == napi_bigint) {
    int64_t big;
    bool lossless = false;
    check(env, napi_get_value_bigint_int64(env, value, &big, &lossless));
    if (!lossless) throw BadArgument("bigint does not fit 64 bits");
    return big;
  }
  double number = toDouble(env, value);
  if (number != std::floor(number) || std::fabs(number) > 9007199254740992.0)
    throw BadArgument("expected an integer, got " + std::to_string(number));
  return static_cast<int64_t>(number);
}

inline bool toBool(napi_env env, napi_value value) {
  bool flag;
  if (napi_get_value_bool(env, value, &flag) != napi_ok)
    throw BadArgument("expected a boolean, got " + typeName(env, value));
  return flag;
}

inline std::string toString(napi_env env, napi_value value) {
  size_t length;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok)
    throw BadArgument("expected a string, got " + typeName(env, value));
  std::string text(length, '\0');
  check(env, napi_get_value_string_utf8(env, value, text.data(), length + 1, &length));
  return text;
}

inline uint32_t arrayLength(napi_env env, napi_value value) {
  bool array = false;
  check(env, napi_is_array(env, value, &array));
  if (!array) throw BadArgument("expected an array, got " + typeName(env, value));
  uint32_t length;
  check(env, napi_get_array_length(env, value, &length));
  return length;
}

inline napi_value element(napi_env env, napi_value array, uint32_t i) {
  napi_value value;
  check(env, napi_get_element(env, array, i, &value));
  return value;
}

template <class T, class Convert>
std::vector<T> toVector(napi_env env, napi_value value, Convert convert) {
  uint32_t length = arrayLength(env, value);
  std::vector<T> items;
  items.reserve(length);
  for (uint32_t i = 0; i < length; i++) items.push_back(convert(env, element(env, value, i)));
  return items;
}

inline std::vector<int64_t> toInts(napi_env env, napi_value value) {
  return toVector<int64_t>(env, value, toInt);
}

inline napi_value undefined(napi_env env) {
  napi_value value;
  check(env, napi_get_undefined(env, &value));
  return value;
}

inline napi_value null(napi_env env) {
  napi_value value;
  check(env, napi_get_null(env, &value));
  return value;
}

inline napi_value fromDouble(napi_env env, double number) {
  napi_value value;
  check(env, napi_create_double(env, number, &value));
  return value;
}

inline napi_value fromInt(napi_env env, int64_t number) {
  napi_value value;
  // Exact integers stay numbers; beyond 2^53 a number would lie, so a bigint it is.
  if (number > 9007199254740991LL || number < -9007199254740991LL)
    check(env, napi_create_bigint_int64(env, number, &value));
  else
    check(env, napi_create_int64(env, number, &value));
  return value;
}

inline napi_value fromBool(napi_env env, bool flag) {
  napi_value value;
  check(env, napi_get_boolean(env, flag, &value));
  return value;
}

inline napi_value fromString(napi_env env, const std::string& text) {
  napi_value value;
  check(env, napi_create_string_utf8(env, text.data(), text.size(), &value));
  return value;
}

template <class Items, class Convert>
napi_value fromItems(napi_env env, const Items& items, Convert convert) {
  napi_value array;
  check(env, napi_create_array_with_length(env, items.size(), &array));
  uint32_t i = 0;
  for (const auto& item : items) check(env, napi_set_element(env, array, i++, convert(env, item)));
  return array;
}

// Bytes of a typed array (element type returned through `type`), without a copy: valid during this call only.
struct TypedArray {
  napi_typedarray_type type;
  size_t length;
  void* data;
};

inline TypedArray toTypedArray(napi_env env, napi_value value) {
  bool is = false;
  check(env, napi_is_typedarray(env, value, &is));
  if (!is) throw BadArgument("expected a typed array, got " + typeName(env, value));
  TypedArray array;
  napi_value buffer;
  size_t offset;
  check(env, napi_get_typedarray_info(env, value, &array.type, &array.length, &array.data, &buffer, &offset));
  return array;
}

// The message of an exception without libtorch's backtrace.
std::string messageOf(const std::exception& error);

// Throws the JavaScript error for the C++ exception in flight.
void throwCurrent(napi_env env);

using Function = napi_value (*)(Arguments&);

template <Function function>
napi_value guard(napi_env env, napi_callback_info info) {
  try {
    Arguments arguments(env, info);
    return function(arguments);
  } catch (...) {
    throwCurrent(env);
    return nullptr;
  }
}

struct Export {
  const char* name;
  napi_callback callback;
};

void addExports(napi_env env, napi_value exports, const std::vector<Export>& functions);

// One list of functions a file; addon.cc adds them all.
std::vector<Export> dispatchExports();
std::vector<Export> tensorExports();
std::vector<Export> autogradExports();
std::vector<Export> runtimeExports();
std::vector<Export> kernelExports();
std::vector<Export> optimizerExports();
std::vector<Export> augmentExports();
std::vector<Export> contrastExports();
std::vector<Export> programExports();

}  // namespace thrive
