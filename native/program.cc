// A network that only predicts, as a list of operator calls run natively over slices of the batch. Parallel over images instead of
// inside each operator: a thread takes a slice through the whole network with no barrier on the way, its activations in its own
// cache, and a thread that is held up by other work on the machine holds up one slice, not every layer.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "dispatch.h"
#include "handles.h"
#include "napi.h"

namespace thrive {
namespace {

struct Step {
  c10::OperatorHandle handle;
  torch::jit::Stack arguments;                        // constants and defaults; None where a value goes
  std::vector<std::pair<size_t, size_t>> values;      // (argument, slot)
  size_t result;                                      // slot
  std::vector<size_t> last;                           // slots that nothing reads after this step
};

struct Program {
  std::vector<Step> steps;
  size_t slots = 0;
  size_t output = 0;
};

std::unordered_map<int64_t, std::shared_ptr<Program>>& programs() {
  static auto* table = new std::unordered_map<int64_t, std::shared_ptr<Program>>();
  return *table;
}

int64_t field(napi_env env, napi_value object, const char* name) {
  napi_value value;
  check(env, napi_get_named_property(env, object, name, &value));
  return toInt(env, value);
}

// (calls: [operator id, arguments, slot of the result][], output slot) -> id of the program
// An argument is what the operator takes, or { slot } for the images (0) or an earlier result.
napi_value programCreate(Arguments& arguments) {
  napi_env env = arguments.env;
  auto program = std::make_shared<Program>();
  program->output = toInt(env, arguments[1]);
  uint32_t length = arrayLength(env, arguments[0]);
  std::vector<bool> made(length + 1, false);
  made[0] = true;
  for (uint32_t i = 0; i < length; i++) {
    napi_value call = element(env, arguments[0], i), given = element(env, call, 1);
    int64_t id = toInt(env, element(env, call, 0));
    Step step{operatorHandle(id), {}, {}, static_cast<size_t>(toInt(env, element(env, call, 2))), {}};
    if (step.result > length) throw BadArgument("a result has a slot outside the program");
    uint32_t count = arrayLength(env, given);
    for (size_t a = 0; a < parameterCount(id); a++) {
      napi_value value = a < count ? element(env, given, a) : undefined(env);
      bool array = false;
      check(env, napi_is_array(env, value, &array));
      if (!array && typeOf(env, value) == napi_object) {
        size_t slot = field(env, value, "slot");
        if (slot >= made.size() || !made[slot]) throw BadArgument("a value is read before it is made");
        step.values.emplace_back(a, slot);
        step.arguments.emplace_back();
      } else {
        step.arguments.push_back(toArgument(env, id, a, value));
      }
    }
    made[step.result] = true;
    program->steps.push_back(std::move(step));
  }
  program->slots = length + 1;
  if (program->output >= made.size() || !made[program->output]) throw BadArgument("the output is never made");
  std::vector<bool> seen(program->slots, false);
  seen[program->output] = seen[0] = true;  // the images are the caller's
  for (auto step = program->steps.rbegin(); step != program->steps.rend(); ++step)
    for (auto [argument, slot] : step->values)
      if (!seen[slot]) {
        seen[slot] = true;
        step->last.push_back(slot);
      }
  static int64_t next = 0;
  programs()[++next] = std::move(program);
  return fromInt(env, next);
}

at::Tensor runSlice(const Program& program, const at::Tensor& images) {
  std::vector<at::Tensor> slots(program.slots);
  slots[0] = images;
  torch::jit::Stack stack;
  for (const Step& step : program.steps) {
    stack = step.arguments;
    for (auto [argument, slot] : step.values) stack[argument] = slots[slot];
    for (size_t slot : step.last) slots[slot] = at::Tensor();
    step.handle.callBoxed(stack);
    slots[step.result] = stack[0].toTensor();
  }
  return slots[program.output];
}

// (program, images, images a slice) -> output, its first dimension the images'
napi_value programRun(Arguments& arguments) {
  napi_env env = arguments.env;
  auto found = programs().find(toInt(env, arguments[0]));
  if (found == programs().end()) throw BadArgument("not a program");
  std::shared_ptr<Program> program = found->second;
  at::Tensor images = toTensor(env, arguments[1]);
  int64_t slice = toInt(env, arguments[2]);
  if (images.dim() < 1 || images.size(0) < 1 || slice < 1) throw BadArgument("expected images, and slices of one or more");
  int64_t batch = images.size(0), count = (batch + slice - 1) / slice;
  int64_t threads = std::min<int64_t>(count, at::get_num_threads());
  std::vector<at::Tensor> parts(count);
  if (count == 1) {
    parts[0] = runSlice(*program, images);
  } else {
    std::atomic<int64_t> next{0};
    std::mutex lock;
    std::exception_ptr failure;
    at::ThreadLocalState state;  // the caller's grad mode and autocast
    at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
      at::ThreadLocalStateGuard guard(state);
      try {
        // Whoever is free takes the next slice: a thread that was held up takes fewer.
        for (int64_t i; (i = next.fetch_add(1)) < count;) {
          int64_t from = i * slice;
          parts[i] = runSlice(*program, images.narrow(0, from, std::min(slice, batch - from)));
        }
      } catch (...) {
        std::lock_guard<std::mutex> hold(lock);
        if (!failure) failure = std::current_exception();
      }
    });
    if (failure) std::rethrow_exception(failure);
  }
  return fromTensor(env, count == 1 ? parts[0] : at::cat(parts, 0));
}

napi_value programFree(Arguments& arguments) {
  return fromBool(arguments.env, programs().erase(toInt(arguments.env, arguments[0])) > 0);
}

}  // namespace

std::vector<Export> programExports() {
  return {
      {"programCreate", guard<programCreate>},
      {"programRun", guard<programRun>},
      {"programFree", guard<programFree>},
  };
}

}  // namespace thrive
