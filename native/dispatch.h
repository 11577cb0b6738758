// What other native files may ask of the operators that JavaScript has looked up.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include "napi.h"

namespace thrive {

// `id` is what findOperator gave. @throws BadArgument for another
const c10::OperatorHandle& operatorHandle(int64_t id);
size_t parameterCount(int64_t id);

// A JavaScript value as the operator's argument at `index`; undefined is the schema's default.
c10::IValue toArgument(napi_env env, int64_t id, size_t index, napi_value value);

}  // namespace thrive
