// Fused kernels for the CPU: work that would otherwise be many small operators a step. Each has an equal in plain operators
// in TypeScript, which other devices use and the tests compare against.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "handles.h"
#include "napi.h"

namespace thrive {
namespace {

const int32_t* toInt32(napi_env env, napi_value value, size_t length, const char* name) {
  TypedArray array = toTypedArray(env, value);
  if (array.type != napi_int32_array || array.length != length)
    throw BadArgument(std::string(name) + ": expected an Int32Array of " + std::to_string(length) + " elements");
  return static_cast<const int32_t*>(array.data);
}

void checkImages(const at::Tensor& images, at::ScalarType dtype) {
  if (images.dim() != 4 || images.scalar_type() != dtype || !images.device().is_cpu() || !images.is_contiguous())
    throw BadArgument("expected contiguous images [N, C, H, W] " + dtypeName(dtype) + " on the CPU, got " + describe(images));
}

// (images u8 [N,C,H,W], index, top, left, flip: Int32Array of B, padding) -> u8 [B,C,H,W]
// Sample b is image index[b], padded with zeros on every side, cropped at row top[b] and column left[b] of the padded
// image, and mirrored if flip[b] is not 0.
napi_value gatherCropFlip(Arguments& arguments) {
  napi_env env = arguments.env;
  at::Tensor images = toTensor(env, arguments[0]);
  checkImages(images, at::kByte);
  size_t batch = toTypedArray(env, arguments[1]).length;
  const int32_t* index = toInt32(env, arguments[1], batch, "index");
  const int32_t* top = toInt32(env, arguments[2], batch, "top");
  const int32_t* left = toInt32(env, arguments[3], batch, "left");
  const int32_t* flip = toInt32(env, arguments[4], batch, "flip");
  int64_t padding = toInt(env, arguments[5]);
  int64_t count = images.size(0), channels = images.size(1), height = images.size(2), width = images.size(3);
  if (padding < 0 || padding > height || padding > width) throw BadArgument("padding must be between 0 and the image size");
  for (size_t b = 0; b < batch; b++) {
    if (index[b] < 0 || index[b] >= count)
      throw BadArgument("index " + std::to_string(index[b]) + " is outside the " + std::to_string(count) + " images");
    if (top[b] < 0 || top[b] > 2 * padding || left[b] < 0 || left[b] > 2 * padding)
      throw BadArgument("a crop must start between 0 and twice the padding");
  }
  at::Tensor out = at::empty({static_cast<int64_t>(batch), channels, height, width}, images.options());
  const uint8_t* source = images.data_ptr<uint8_t>();
  uint8_t* target = out.data_ptr<uint8_t>();
  at::parallel_for(0, batch, 8, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; b++) {
      int64_t dy = top[b] - padding, dx = left[b] - padding;
      // The columns of the result that fall inside the image, before mirroring.
      int64_t first = std::max<int64_t>(0, -dx), last = std::min(width, width - dx);
      for (int64_t c = 0; c < channels; c++) {
        const uint8_t* plane = source + (index[b] * channels + c) * height * width;
        uint8_t* result = target + (b * channels + c) * height * width;
        for (int64_t y = 0; y < height; y++, result += width) {
          int64_t from = y + dy;
          if (from < 0 || from >= height) {
            std::memset(result, 0, width);
            continue;
          }
          std::memset(result, 0, first);
          std::memset(result + last, 0, width - last);
          std::memcpy(result + first, plane + from * width + dx + first, last - first);
          if (flip[b]) std::reverse(result, result + width);
        }
      }
    }
  });
  return fromTensor(env, out);
}

// (images u8 [B,C,H,W], table: Float32Array of C * 256, channels last) -> float32: table[c][value]
// A table gives exactly the rounding of the formula that filled it, and costs no arithmetic.
napi_value normalizeImages(Arguments& arguments) {
  napi_env env = arguments.env;
  at::Tensor images = toTensor(env, arguments[0]);
  checkImages(images, at::kByte);
  TypedArray table = toTypedArray(env, arguments[1]);
  bool last = toBool(env, arguments[2]);
  int64_t batch = images.size(0), channels = images.size(1), area = images.size(2) * images.size(3);
  if (table.type != napi_float32_array || static_cast<int64_t>(table.length) != channels * 256)
    throw BadArgument("expected a Float32Array of 256 values a channel");
  const float* values = static_cast<const float*>(table.data);
  at::Tensor out = at::empty(images.sizes(), at::TensorOptions().dtype(at::kFloat).memory_format(
                                                 last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous));
  const uint8_t* source = images.data_ptr<uint8_t>();
  float* target = out.data_ptr<float>();
  at::parallel_for(0, batch, 4, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; b++)
      for (int64_t c = 0; c < channels; c++) {
        const float* of = values + c * 256;
        const uint8_t* in = source + (b * channels + c) * area;
        float* result = target + b * channels * area + (last ? c : c * area);
        const int64_t step = last ? channels : 1;
        for (int64_t i = 0; i < area; i++) result[i * step] = of[in[i]];
      }
  });
  return fromTensor(env, out);
}

}  // namespace

std::vector<Export> kernelExports() {
  return {
      {"gatherCropFlip", guard<gatherCropFlip>},
      {"normalizeImages", guard<normalizeImages>},
  };
}

}  // namespace thrive
