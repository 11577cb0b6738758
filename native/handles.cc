#include "handles.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <unordered_set>

namespace thrive {
namespace {

constexpr uint64_t kSlots = 1 << 24;
constexpr uint32_t kGenerations = 1 << 29;  // so that a handle stays an exact double

struct Slot {
  at::Tensor tensor;
  uint32_t generation = 1;
};

// What lately released handles were, for the message about a use after free.
struct Epitaph {
  uint64_t handle = 0;
  at::ScalarType dtype = at::kFloat;
  int32_t dims = 0;
  std::array<int64_t, 5> sizes{};
};
constexpr size_t kEpitaphs = 4096;
size_t buried = 0;

// Leaked on purpose: at exit, libtorch's own statics may be gone before this table would be.
std::vector<Slot>& slots() {
  static auto* table = new std::vector<Slot>();
  return *table;
}
std::vector<uint32_t>& freeSlots() {
  static auto* list = new std::vector<uint32_t>();
  return *list;
}
std::vector<Epitaph>& epitaphs() {
  static auto* ring = new std::vector<Epitaph>(kEpitaphs);
  return *ring;
}
size_t live = 0;

// The slot of a handle; its generation tells whether the tensor there is still the one meant.
Slot& slotOf(Handle handle) {
  // Written so that NaN fails.
  if (!(handle >= 0 && handle < 9007199254740992.0)) throw BadArgument("not a tensor handle");
  uint64_t index = static_cast<uint64_t>(handle) % kSlots;
  if (static_cast<double>(static_cast<uint64_t>(handle)) != handle || index >= slots().size()) throw BadArgument("not a tensor handle");
  return slots()[index];
}

bool holds(const Slot& slot, Handle handle) {
  return slot.generation == static_cast<uint64_t>(handle) / kSlots && slot.tensor.defined();
}

// A nested tensor has no single shape, and says so by throwing.
c10::IntArrayRef sizesOf(const at::Tensor& tensor) { return tensor.is_nested() ? c10::IntArrayRef() : tensor.sizes(); }

std::string describe(c10::IntArrayRef shape, at::ScalarType dtype) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); i++) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "] " + dtypeName(dtype);
}

}  // namespace

Handle store(at::Tensor tensor) {
  uint32_t slot;
  if (freeSlots().empty()) {
    if (slots().size() >= kSlots) throw std::runtime_error("more than 16 million live tensors");
    slot = static_cast<uint32_t>(slots().size());
    slots().emplace_back();
  } else {
    slot = freeSlots().back();
    freeSlots().pop_back();
  }
  slots()[slot].tensor = std::move(tensor);
  live++;
  return static_cast<double>(slots()[slot].generation * kSlots + slot);
}

at::Tensor load(Handle handle) {
  const Slot& slot = slotOf(handle);
  if (holds(slot, handle)) return slot.tensor;
  std::string what = "this tensor";
  for (const Epitaph& past : epitaphs()) {
    if (past.handle != static_cast<uint64_t>(handle)) continue;
    what = "tensor " + (past.dims <= 5 ? describe({past.sizes.data(), static_cast<size_t>(past.dims)}, past.dtype)
                                       : "of " + std::to_string(past.dims) + " dimensions " + dtypeName(past.dtype));
  }
  throw BadArgument(what + " was disposed; use keep() or return it from its tidy()");
}

bool release(Handle handle) {
  Slot& slot = slotOf(handle);
  if (!holds(slot, handle)) return false;
  Epitaph& past = epitaphs()[buried++ % kEpitaphs];
  c10::IntArrayRef sizes = sizesOf(slot.tensor);
  past.handle = static_cast<uint64_t>(handle);
  past.dtype = slot.tensor.scalar_type();
  past.dims = static_cast<int32_t>(sizes.size());
  std::copy_n(sizes.begin(), std::min(sizes.size(), past.sizes.size()), past.sizes.begin());
  slot.generation = slot.generation + 1 == kGenerations ? 1 : slot.generation + 1;
  freeSlots().push_back(static_cast<uint32_t>(&slot - slots().data()));
  live--;
  slot.tensor.reset();
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
  std::string text = describe(sizesOf(tensor), tensor.scalar_type());
  return tensor.device().is_cpu() ? text : text + " " + tensor.device().str();
}

}  // namespace thrive
