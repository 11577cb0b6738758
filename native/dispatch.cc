// The one door to libtorch's operators: look an operator up by name, build its stack from its own schema, call it boxed,
// convert the results. Shapes, dtypes and devices are checked by the operators themselves.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/jit_type.h>

#include <deque>
#include <limits>
#include <unordered_map>

#include "compat.h"
#include "dispatch.h"
#include "handles.h"
#include "napi.h"

namespace thrive {
namespace {

using c10::IValue;
using c10::TypeKind;

enum class Kind { Tensor, Int, Float, Bool, Scalar, String, Device, Generator, Dtype, Layout, MemoryFormat, Unsupported };

struct Type {
  Kind kind = Kind::Unsupported;
  bool list = false;
  bool optional = false;         // the value itself may be None
  bool optionalElement = false;  // Tensor?[]
};

struct Parameter {
  std::string name;
  Type type;
  Optional<int32_t> fixedLength;  // int[2]: one number stands for all
  Optional<IValue> fallback;
  std::string text;  // its type as the schema writes it
  bool count = false;     // a whole number from 1 that libtorch trusts: others divide by zero, or do once cut to 32 bits
  bool exactLength = false;  // a list read to its fixed length whatever it has
  bool mustBeNull = false;  // libtorch trusts it to agree with another argument, and writes outside its memory if not
};

struct Result {
  char code = 'V';  // T tensor, L list of tensors, V plain value
  int alias = -1;   // the argument this result is (in-place operators)
};

struct Operator {
  c10::OperatorHandle handle;
  std::string name;
  std::vector<Parameter> parameters;
  std::vector<Result> results;
  std::string refusal;  // why it cannot be called from JavaScript, if so
};

Kind kindOf(const c10::Type& type) {
  switch (type.kind()) {
    case TypeKind::TensorType: return Kind::Tensor;
    case TypeKind::IntType: return Kind::Int;
    case TypeKind::SymIntType: return Kind::Int;
    case TypeKind::FloatType: return Kind::Float;
    case TypeKind::BoolType: return Kind::Bool;
    case TypeKind::NumberType: return Kind::Scalar;
    case TypeKind::StringType: return Kind::String;
    case TypeKind::DeviceObjType: return Kind::Device;
    case TypeKind::GeneratorType: return Kind::Generator;
    case TypeKind::ScalarTypeType: return Kind::Dtype;
    case TypeKind::LayoutType: return Kind::Layout;
    case TypeKind::MemoryFormatType: return Kind::MemoryFormat;
    default: return Kind::Unsupported;
  }
}

Type typeFrom(c10::TypePtr type) {
  Type result;
  if (type->kind() == TypeKind::OptionalType) {
    result.optional = true;
    type = type->castRaw<c10::OptionalType>()->getElementType();
  }
  if (type->kind() == TypeKind::ListType) {
    result.list = true;
    type = type->castRaw<c10::ListType>()->getElementType();
    if (type->kind() == TypeKind::OptionalType) {
      result.optionalElement = true;
      type = type->castRaw<c10::OptionalType>()->getElementType();
    }
  }
  result.kind = kindOf(*type);
  return result;
}

std::deque<Operator>& operators() {
  static auto* table = new std::deque<Operator>();
  return *table;
}

std::deque<at::Generator>& generators() {
  static auto* table = new std::deque<at::Generator>();
  return *table;
}

IValue scalar(napi_env env, napi_value value) {
  switch (typeOf(env, value)) {
    case napi_boolean: return IValue(toBool(env, value));
    case napi_bigint: return IValue(toInt(env, value));
    default: break;
  }
  double number = toDouble(env, value);
  // JavaScript has one number type: a whole number is an integer scalar, as it is in Python where one writes `x * 2`.
  bool whole = number == std::floor(number) && std::fabs(number) < 9007199254740992.0 && !(number == 0 && std::signbit(number));
  return whole ? IValue(static_cast<int64_t>(number)) : IValue(number);
}

// libtorch takes an enumeration's number on trust and reads outside its tables for a wrong one.
IValue enumerator(napi_env env, napi_value value, const char* what, int64_t end) {
  int64_t code = toInt(env, value);
  if (code < 0 || code >= end) throw BadArgument(std::to_string(code) + " is not the code of a " + what);
  return IValue(code);
}

IValue single(napi_env env, napi_value value, Kind kind) {
  switch (kind) {
    case Kind::Tensor: return IValue(toTensor(env, value));
    case Kind::Int: return IValue(toInt(env, value));
    case Kind::Float: return IValue(toDouble(env, value));
    case Kind::Bool: return IValue(toBool(env, value));
    case Kind::Scalar: return scalar(env, value);
    case Kind::String: return IValue(toString(env, value));
    case Kind::Device: return IValue(c10::Device(toString(env, value)));
    case Kind::Generator: {
      int64_t index = toInt(env, value);
      if (index < 0 || static_cast<size_t>(index) >= generators().size()) throw BadArgument("not a generator");
      return IValue(generators()[index]);
    }
    case Kind::Dtype: return enumerator(env, value, "dtype (see dtypeCode)", static_cast<int64_t>(c10::ScalarType::Undefined));
    case Kind::Layout: return enumerator(env, value, "layout", static_cast<int64_t>(c10::Layout::NumOptions));
    case Kind::MemoryFormat:
      return enumerator(env, value, "memory format (see memoryFormatCode)", static_cast<int64_t>(c10::MemoryFormat::NumOptions));
    default: throw BadArgument("JavaScript values have no form for this type");
  }
}

IValue list(napi_env env, napi_value value, const Parameter& parameter) {
  bool array = false;
  check(env, napi_is_array(env, value, &array));
  size_t repeat = 0;
  if (!array) {
    if (!parameter.fixedLength) throw BadArgument("expected an array, got " + typeName(env, value));
    repeat = *parameter.fixedLength;
  }
  auto each = [&](auto convert, auto& items) {
    if (repeat) {
      for (size_t i = 0; i < repeat; i++) items.push_back(convert(value));
      return;
    }
    uint32_t length = arrayLength(env, value);
    if (parameter.exactLength && length != static_cast<uint32_t>(*parameter.fixedLength))
      throw BadArgument("expected " + std::to_string(*parameter.fixedLength) + " numbers, got " + std::to_string(length));
    items.reserve(length);
    for (uint32_t i = 0; i < length; i++) items.push_back(convert(element(env, value, i)));
  };
  switch (parameter.type.kind) {
    case Kind::Tensor: {
      if (parameter.type.optionalElement) {
        c10::List<Optional<at::Tensor>> items;
        each([&](napi_value v) { return isNullish(env, v) ? Optional<at::Tensor>() : Optional<at::Tensor>(toTensor(env, v)); }, items);
        return IValue(std::move(items));
      }
      c10::List<at::Tensor> items;
      each([&](napi_value v) { return toTensor(env, v); }, items);
      return IValue(std::move(items));
    }
    case Kind::Int: {
      c10::List<int64_t> items;
      each([&](napi_value v) { return toInt(env, v); }, items);
      return IValue(std::move(items));
    }
    case Kind::Float: {
      c10::List<double> items;
      each([&](napi_value v) { return toDouble(env, v); }, items);
      return IValue(std::move(items));
    }
    case Kind::Bool: {
      c10::List<bool> items;
      each([&](napi_value v) { return toBool(env, v); }, items);
      return IValue(std::move(items));
    }
    case Kind::Scalar: {
      c10::List<at::Scalar> items;
      each([&](napi_value v) { return scalar(env, v).toScalar(); }, items);
      return IValue(std::move(items));
    }
    case Kind::String: {
      c10::List<std::string> items;
      each([&](napi_value v) { return toString(env, v); }, items);
      return IValue(std::move(items));
    }
    default: throw BadArgument("JavaScript values have no form for this type");
  }
}

IValue convert(napi_env env, napi_value value, const Parameter& parameter) {
  double handle;
  if (parameter.type.kind == Kind::Tensor && !parameter.type.list && napi_get_value_double(env, value, &handle) == napi_ok)
    return IValue(load(handle));
  napi_valuetype type = typeOf(env, value);
  if (type == napi_undefined && parameter.fallback) return *parameter.fallback;
  if (type == napi_undefined || type == napi_null) {
    if (parameter.type.optional) return IValue();
    throw BadArgument(type == napi_null ? "must not be null" : "is missing");
  }
  if (parameter.count) {
    int64_t count = toInt(env, value);
    if (count < 1 || count > std::numeric_limits<int32_t>::max()) throw BadArgument("must be at least 1 and below 2^31, got " + std::to_string(count));
    return IValue(count);
  }
  if (parameter.mustBeNull) throw BadArgument("must be null; the output size says it already");
  return parameter.type.list ? list(env, value, parameter) : single(env, value, parameter.type.kind);
}

napi_value fromIValue(napi_env env, const IValue& value) {
  if (value.isNone()) return null(env);
  if (value.isTensor()) return fromTensor(env, value.toTensor());
  if (value.isInt()) return fromInt(env, value.toInt());
  if (value.isDouble()) return fromDouble(env, value.toDouble());
  if (value.isBool()) return fromBool(env, value.toBool());
  if (value.isString()) return fromString(env, value.toStringRef());
  if (value.isTensorList())
    return fromItems(env, value.toTensorVector(), [](napi_env e, const at::Tensor& t) { return fromTensor(e, t); });
  if (value.isIntList()) return fromItems(env, value.toIntVector(), fromInt);
  if (value.isDoubleList()) return fromItems(env, value.toDoubleVector(), fromDouble);
  if (value.isScalar()) {
    at::Scalar number = value.toScalar();
    return number.isIntegral(false) ? fromInt(env, number.toLong()) : fromDouble(env, number.toDouble());
  }
  if (value.isList()) return fromItems(env, value.toListRef(), fromIValue);
  throw std::runtime_error("the operator returned a " + value.tagKind() + ", which JavaScript values have no form for");
}

Operator describeOperator(c10::OperatorHandle handle) {
  const c10::FunctionSchema& schema = handle.schema();
  Operator op{handle, c10::toString(handle.operator_name()), {}, {}};
  for (const c10::Argument& argument : schema.arguments()) {
    Parameter parameter;
    parameter.name = argument.name();
    parameter.type = typeFrom(argumentType(argument));
    parameter.text = argumentType(argument)->str();
    if (argument.N()) {
      parameter.fixedLength = *argument.N();
      parameter.text.insert(parameter.text.rfind(']'), std::to_string(*parameter.fixedLength));
    }
    if (argument.default_value()) parameter.fallback = *argument.default_value();
    parameter.count = parameter.type.kind == Kind::Int && !parameter.type.list &&
                      (parameter.name == "groups" || parameter.name == "upscale_factor" || parameter.name == "downscale_factor");
    parameter.exactLength = parameter.fixedLength && parameter.name == "padding" && op.name.find("_pad") != std::string::npos;
    parameter.mustBeNull = parameter.type.optional && parameter.name.rfind("scales", 0) == 0;
    if (parameter.type.kind == Kind::Unsupported && !parameter.fallback && !parameter.type.optional)
      op.refusal = "its argument '" + parameter.name + "' is a " + parameter.text + ", which JavaScript values have no form for";
    op.parameters.push_back(std::move(parameter));
  }
  for (const c10::Argument& returned : schema.returns()) {
    Result result;
    Type type = typeFrom(argumentType(returned));
    if (type.kind == Kind::Unsupported)
      op.refusal = "it returns a " + argumentType(returned)->str() + ", which JavaScript values have no form for";
    if (type.kind == Kind::Tensor) result.code = type.list ? 'L' : 'T';
    const auto* alias = returned.alias_info();
    if (alias && alias->isWrite() && result.code == 'T') {
      for (size_t i = 0; i < schema.arguments().size(); i++) {
        const auto* own = schema.arguments()[i].alias_info();
        if (own && own->isWrite() && own->beforeSets() == alias->beforeSets()) result.alias = static_cast<int>(i);
      }
    }
    op.results.push_back(result);
  }
  return op;
}

// (name: string) -> what native-types.ts calls a NativeOperator, or null
napi_value findOperator(Arguments& arguments) {
  napi_env env = arguments.env;
  std::string full = toString(env, arguments[0]);
  static auto* known = new std::unordered_map<std::string, size_t>();
  auto found = known->find(full);
  if (found == known->end()) {
    size_t dot = full.find('.');
    std::string base = full.substr(0, dot), overload = dot == std::string::npos ? "" : full.substr(dot + 1);
    if (base.find("::") == std::string::npos) base = "aten::" + base;
    auto handle = c10::Dispatcher::singleton().findSchema({base, overload});
    if (!handle) return null(env);
    operators().push_back(describeOperator(*handle));
    found = known->emplace(full, operators().size() - 1).first;
  }
  const Operator& op = operators()[found->second];
  std::string inputs, outputs;
  std::vector<int64_t> aliases;
  for (const Parameter& parameter : op.parameters)
    inputs += parameter.type.kind != Kind::Tensor ? 'V' : parameter.type.list ? 'L' : 'T';
  for (const Result& result : op.results) {
    outputs += result.alias >= 0 ? 'A' : result.code;
    aliases.push_back(result.alias);
  }
  napi_value object;
  check(env, napi_create_object(env, &object));
  check(env, napi_set_named_property(env, object, "id", fromInt(env, found->second)));
  check(env, napi_set_named_property(env, object, "name", fromString(env, op.name)));
  check(env, napi_set_named_property(env, object, "schema", fromString(env, c10::toString(op.handle.schema()))));
  check(env, napi_set_named_property(env, object, "parameters", fromString(env, inputs)));
  check(env, napi_set_named_property(env, object, "results", fromString(env, outputs)));
  check(env, napi_set_named_property(env, object, "aliases", fromItems(env, aliases, fromInt)));
  return object;
}

std::string describeList(napi_env env, napi_value value) {
  constexpr uint32_t kShown = 4;
  uint32_t length = arrayLength(env, value);
  std::string text = "(";
  for (uint32_t i = 0; i < std::min(length, kShown); i++) {
    napi_value item = element(env, value, i);
    text += (i ? ", " : "") + (isNullish(env, item) ? "null" : describe(toTensor(env, item)));
  }
  return text + (length > kShown ? ", " + std::to_string(length - kShown) + " more)" : ")");
}

// What the caller passed, for an error message: tensors as shapes, the rest as it is.
std::string describeArguments(napi_env env, const Operator& op, const Arguments& arguments) {
  std::string text;
  for (size_t i = 0; i < op.parameters.size() && i + 1 < arguments.count; i++) {
    napi_value value = arguments[i + 1];
    if (typeOf(env, value) == napi_undefined) continue;
    const Parameter& parameter = op.parameters[i];
    text += (text.empty() ? "" : ", ") + parameter.name + " ";
    try {
      if (isNullish(env, value)) text += "null";
      else if (parameter.type.kind == Kind::Tensor && !parameter.type.list) text += describe(toTensor(env, value));
      else if (parameter.type.kind == Kind::Tensor) text += describeList(env, value);
      else {
        napi_value shown;
        check(env, napi_coerce_to_string(env, value, &shown));
        std::string words = toString(env, shown);
        bool array = false;
        napi_is_array(env, value, &array);
        if (words.size() > 60) words = words.substr(0, 57) + "...";
        text += array ? "[" + words + "]" : words;
      }
    } catch (...) {
      bool pending = false;
      napi_is_exception_pending(env, &pending);
      napi_value ignored;
      if (pending) napi_get_and_clear_last_exception(env, &ignored);
      text += typeName(env, value);
    }
  }
  return text;
}

// (id, ...arguments) -> result | [results]
napi_value callOperator(Arguments& arguments) {
  napi_env env = arguments.env;
  int32_t id;
  if (napi_get_value_int32(env, arguments[0], &id) != napi_ok || id < 0 || static_cast<size_t>(id) >= operators().size())
    throw BadArgument("not an operator");
  const Operator& op = operators()[id];
  torch::jit::Stack stack;
  stack.reserve(std::max(op.parameters.size(), op.results.size()));
  if (!op.refusal.empty()) throw BadArgument(op.name + " cannot be called: " + op.refusal);
  if (arguments.count > op.parameters.size() + 1)
    throw BadArgument(op.name + " takes at most " + std::to_string(op.parameters.size()) + " arguments, got " +
                      std::to_string(arguments.count - 1));
  size_t i = 0;
  try {
    for (; i < op.parameters.size(); i++) {
      const Parameter& parameter = op.parameters[i];
      if (i + 1 >= arguments.count && parameter.fallback) stack.push_back(*parameter.fallback);
      else stack.push_back(convert(env, arguments[i + 1], parameter));
    }
  } catch (const PendingException&) {
    throw;
  } catch (const std::exception& error) {
    const Parameter& parameter = op.parameters[i];
    throw BadArgument(op.name + ": argument '" + parameter.name + "' (" + parameter.text + "): " + messageOf(error));
  }
  try {
    op.handle.callBoxed(stack);
  } catch (const std::exception& error) {
    throw std::runtime_error(op.name + "(" + describeArguments(env, op, arguments) + "): " + messageOf(error));
  }
  auto convertResult = [&](size_t r) {
    const Result& result = op.results[r];
    return result.alias >= 0 ? arguments[result.alias + 1] : fromIValue(env, stack[r]);
  };
  if (op.results.empty()) return undefined(env);
  if (op.results.size() == 1) return convertResult(0);
  napi_value all;
  check(env, napi_create_array_with_length(env, op.results.size(), &all));
  for (size_t r = 0; r < op.results.size(); r++) check(env, napi_set_element(env, all, r, convertResult(r)));
  return all;
}

napi_value operatorNames(Arguments& arguments) {
  std::vector<std::string> names;
  for (const auto& name : c10::Dispatcher::singleton().getAllOpNames())
    if (c10::Dispatcher::singleton().findSchema(name)) names.push_back(c10::toString(name));
  return fromItems(arguments.env, names, fromString);
}

// (seed) -> a CPU generator for operators that draw; libtorch's own, so equal to PyTorch's for the same seed.
napi_value newGenerator(Arguments& arguments) {
  auto generator = at::globalContext().defaultGenerator(c10::kCPU).clone();
  generator.set_current_seed(static_cast<uint64_t>(toInt(arguments.env, arguments[0])));
  generators().push_back(generator);
  return fromInt(arguments.env, generators().size() - 1);
}

const Operator& operatorAt(int64_t id) {
  if (id < 0 || static_cast<size_t>(id) >= operators().size()) throw BadArgument("not an operator");
  return operators()[id];
}

}  // namespace

const c10::OperatorHandle& operatorHandle(int64_t id) { return operatorAt(id).handle; }

size_t parameterCount(int64_t id) { return operatorAt(id).parameters.size(); }

c10::IValue toArgument(napi_env env, int64_t id, size_t index, napi_value value) {
  return convert(env, value, operatorAt(id).parameters.at(index));
}

std::vector<Export> dispatchExports() {
  return {
      {"findOperator", guard<findOperator>},
      {"call", guard<callOperator>},
      {"operatorNames", guard<operatorNames>},
      {"newGenerator", guard<newGenerator>},
  };
}

}  // namespace thrive
