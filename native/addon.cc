// The Node-API module: registers every native function and turns C++ exceptions into JavaScript errors.
#include <c10/util/Exception.h>

#include <atomic>

#include "napi.h"

namespace thrive {

void tuneAllocator();

std::string messageOf(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error)) return "out of memory";
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  std::string message = torch ? torch->what_without_backtrace() : error.what();
  // What follows these is for libtorch's own authors: a C++ stack, or where each backend's kernels were registered.
  for (const char* end : {"\nException raised from", " This could be because the operator doesn't exist for this backend",
                          ", but no fallback function is registered for schema"})
    message.resize(std::min(message.size(), message.find(end)));
  return message;
}

void throwCurrent(napi_env env) {
  std::string message;
  bool type = false;
  try {
    throw;
  } catch (const PendingException&) {
    return;
  } catch (const BadArgument& error) {
    message = error.what();
    type = true;
  } catch (const std::exception& error) {
    message = messageOf(error);
  } catch (...) {
    message = "an unknown error in native code";
  }
  napi_value text, error;
  if (napi_create_string_utf8(env, message.data(), message.size(), &text) != napi_ok) return;
  if ((type ? napi_create_type_error : napi_create_error)(env, nullptr, text, &error) != napi_ok) return;
  napi_throw(env, error);
}

void addExports(napi_env env, napi_value exports, const std::vector<Export>& functions) {
  for (const Export& entry : functions) {
    napi_value function;
    check(env, napi_create_function(env, entry.name, NAPI_AUTO_LENGTH, entry.callback, nullptr, &function));
    check(env, napi_set_named_property(env, exports, entry.name, function));
  }
}

}  // namespace thrive

NAPI_MODULE_INIT() {
  using namespace thrive;
  static std::atomic<bool> loaded{false};
  // OpenMP pools, oneDNN scratch and the table of tensors belong to one thread.
  if (loaded.exchange(true)) {
    napi_throw_error(env, nullptr, "libtorch is loaded in another thread of this process already; use one engine thread a process");
    return nullptr;
  }
  try {
    tuneAllocator();
    for (auto* functions : {dispatchExports, tensorExports, autogradExports, runtimeExports, kernelExports, optimizerExports, augmentExports,
                            contrastExports, programExports})
      addExports(env, exports, functions());
  } catch (...) {
    throwCurrent(env);
    return nullptr;
  }
  return exports;
}
