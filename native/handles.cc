#include "handles.h"

#include <ATen/ATen.h>

#include <unordered_set>

namespace thrive {
namespace {

constexpr double kSlots = 16777216.0;  // 2^24

struct Slot {
  at::Tensor tensor;
  uint32_t generation = 1;
  // What it held before, for the message about a use after free.
  c10::SmallVector<int64_t, 5> lastShape;
  at::ScalarType lastDtype = at::kFloat;
};

// Leaked on purpose: at exit, libtorch's own statics may be gone before this table would be.
std::vector<Slot>& slots() {
  static auto* table = new std::vector<Slot>();
  return *table;
}
std::vector<uint32_t>& freeSlots() {
  static auto* list = new std::vector<uint32_t>();
  return *list;
}
size_t live = 0;

struct Place {
  uint32_t slot;
  uint32_t generation;
};

Place place(Handle handle) {
  if (!(handle >= kSlots) || handle != std::floor(handle) || handle > 9007199254740992.0)
    throw BadArgument("not a tensor handle");
  double generation = std::floor(handle / kSlots);
  return {static_cast<uint32_t>(handle - generation * kSlots), static_cast<uint32_t>(generation)};
}

std::string describe(c10::IntArrayRef shape, at::ScalarType dtype) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); i++) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "] " + dtypeName(dtype);
}

}  // namespace

Handle store(at::Tensor tensor) {
  uint32_t slot;
  if (freeSlots().empty()) {
    if (slots().size() >= static_cast<size_t>(kSlots)) throw std::runtime_error("more than 16 million live tensors");
    slot = static_cast<uint32_t>(slots().size());
    slots().emplace_back();
  } else {
    slot = freeSlots().back();
    freeSlots().pop_back();
  }
  slots()[slot].tensor = std::move(tensor);
  live++;
  return slots()[slot].generation * kSlots + slot;
}

const at::Tensor& load(Handle handle) {
  Place at = place(handle);
  if (at.slot >= slots().size()) throw BadArgument("not a tensor handle");
  Slot& slot = slots()[at.slot];
  if (slot.generation == at.generation && slot.tensor.defined()) return slot.tensor;
  if (slot.generation == at.generation + 1)
    throw BadArgument("tensor " + describe(slot.lastShape, slot.lastDtype) +
                      " was disposed; use keep() or return it from its tidy()");
  throw BadArgument("this tensor was disposed");
}

bool release(Handle handle) {
  Place at = place(handle);
  if (at.slot >= slots().size()) return false;
  Slot& slot = slots()[at.slot];
  if (slot.generation != at.generation || !slot.tensor.defined()) return false;
  auto sizes = slot.tensor.sizes();
  slot.lastShape.assign(sizes.begin(), sizes.end());
  slot.lastDtype = slot.tensor.scalar_type();
  slot.tensor.reset();
  slot.generation = slot.generation >= 500000000u ? 1 : slot.generation + 1;
  freeSlots().push_back(at.slot);
  live--;
  return true;
}

size_t liveCount() { return live; }

size_t liveBytes() {
  std::unordered_set<const void*> seen;
  size_t bytes = 0;
  for (const Slot& slot : slots()) {
    if (!slot.tensor.defined() || !slot.tensor.has_storage()) continue;
    const auto& storage = slot.tensor.storage();
    if (seen.insert(storage.unsafeGetStorageImpl()).second) bytes += storage.nbytes();
  }
  return bytes;
}

std::vector<std::string> describeLive(size_t most) {
  std::vector<std::string> lines;
  for (const Slot& slot : slots()) {
    if (lines.size() == most) break;
    if (slot.tensor.defined()) lines.push_back(describe(slot.tensor));
  }
  return lines;
}

std::string dtypeName(at::ScalarType dtype) {
  switch (dtype) {
    case at::kByte: return "uint8";
    case at::kChar: return "int8";
    case at::kShort: return "int16";
    case at::kInt: return "int32";
    case at::kLong: return "int64";
    case at::kHalf: return "float16";
    case at::kFloat: return "float32";
    case at::kDouble: return "float64";
    case at::kBool: return "bool";
    case at::kBFloat16: return "bfloat16";
    default: return c10::toString(dtype);
  }
}

std::string describe(const at::Tensor& tensor) {
  if (!tensor.defined()) return "undefined";
  std::string text = describe(tensor.sizes(), tensor.scalar_type());
  return tensor.device().is_cpu() ? text : text + " " + tensor.device().str();
}

}  // namespace thrive
