// Augmentation of whole batches on the CPU, one pass, each sample with parameters of its own. Samples are shared out among the
// threads and a pixel depends on its sample and partner alone, so the number of threads changes nothing.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <cstring>

#include "handles.h"
#include "napi.h"
#include "operations.h"

namespace thrive {
namespace {

template <class T>
const T* typed(napi_env env, napi_value value, napi_typedarray_type type, int64_t length, const char* name, const char* kind) {
  TypedArray array = toTypedArray(env, value);
  if (array.type != type || static_cast<int64_t>(array.length) != length)
    throw BadArgument(std::string(name) + ": expected " + kind + " of " + std::to_string(length) + " elements");
  return static_cast<const T*>(array.data);
}
const int32_t* ints(napi_env env, napi_value value, int64_t length, const char* name) {
  return typed<int32_t>(env, value, napi_int32_array, length, name, "an Int32Array");
}
const double* doubles(napi_env env, napi_value value, int64_t length, const char* name) {
  return typed<double>(env, value, napi_float64_array, length, name, "a Float64Array");
}

// (images u8 [B,C,H,W], slots, operations Int32Array of B * slots, magnitudes Float64Array of B * slots) -> u8 [B,C,H,W]
// Sample b goes through operations[b * slots] … in order.
napi_value applyOperations(Arguments& arguments) {
  napi_env env = arguments.env;
  at::Tensor images = toTensor(env, arguments[0]);
  if (images.dim() != 4 || images.scalar_type() != at::kByte || !images.device().is_cpu() || !images.is_contiguous())
    throw BadArgument("expected contiguous images [B, C, H, W] uint8 on the CPU, got " + describe(images));
  const int64_t batch = images.size(0), channels = images.size(1), height = images.size(2), width = images.size(3);
  if ((channels != 1 && channels != 3) || height < 1 || width < 1)
    throw BadArgument("operations need images of 1 or 3 channels, got " + describe(images));
  const int64_t slots = toInt(env, arguments[1]);
  if (slots < 1 || slots > 1024) throw BadArgument("slots must be from 1 to 1024");
  const int32_t* operations = ints(env, arguments[2], batch * slots, "operations");
  const double* magnitudes = doubles(env, arguments[3], batch * slots, "magnitudes");
  for (int64_t i = 0; i < batch * slots; i++)
    if (const char* problem = magnitudeProblem(operations[i], magnitudes[i]))
      throw BadArgument("operation " + std::to_string(operations[i]) + " with magnitude " + std::to_string(magnitudes[i]) +
                        ": " + problem);
  at::Tensor out = at::empty(images.sizes(), images.options());
  const uint8_t* source = images.data_ptr<uint8_t>();
  uint8_t* target = out.data_ptr<uint8_t>();
  at::parallel_for(0, batch, 2, [&](int64_t begin, int64_t end) {
    Scratch scratch;
    for (int64_t b = begin; b < end; b++) {
      Image image{target, channels, height, width};
      image.data += b * image.bytes();
      std::memcpy(image.data, source + b * image.bytes(), image.bytes());
      for (int64_t i = b * slots; i < (b + 1) * slots; i++) operate(image, operations[i], magnitudes[i], scratch);
    }
  });
  return fromTensor(env, out);
}

// A float32 batch in either memory layout, seen as planes of rows: [B, C, H, W] has C planes with steps of 1, channels last
// has one plane with steps of C.
struct Rows {
  at::Tensor images;
  int64_t batch, planes, height, width, step;
  int64_t sample() const { return planes * height * width * step; }

  Rows(napi_env env, napi_value value) : images(toTensor(env, value)) {
    if (images.dim() != 4 || images.scalar_type() != at::kFloat || !images.device().is_cpu())
      throw BadArgument("expected images [B, C, H, W] float32 on the CPU, got " + describe(images));
    if (images.requires_grad() && c10::GradMode::is_enabled())
      throw BadArgument("no gradient flows through this: detach the images or use noGrad");
    const bool last = !images.is_contiguous() && images.is_contiguous(at::MemoryFormat::ChannelsLast);
    if (!last) images = images.contiguous();
    batch = images.size(0), height = images.size(2), width = images.size(3);
    planes = last ? 1 : images.size(1);
    step = last ? images.size(1) : 1;
  }
  const float* data() const { return images.data_ptr<float>(); }

  const int32_t* partners(napi_env env, napi_value value) const {
    const int32_t* partner = ints(env, value, batch, "partner");
    for (int64_t b = 0; b < batch; b++)
      if (partner[b] < 0 || partner[b] >= batch)
        throw BadArgument("partner " + std::to_string(partner[b]) + " is outside the batch of " + std::to_string(batch));
    return partner;
  }
};

// (images, partner Int32Array of B, lambda Float64Array of B): lambda[b] * images[b] + (1 - lambda[b]) * images[partner[b]]
napi_value blendImages(Arguments& arguments) {
  napi_env env = arguments.env;
  const Rows rows(env, arguments[0]);
  const int32_t* partner = rows.partners(env, arguments[1]);
  const double* lambda = doubles(env, arguments[2], rows.batch, "lambda");
  at::Tensor out = at::empty_like(rows.images, at::MemoryFormat::Preserve);
  const float* source = rows.data();
  float* target = out.data_ptr<float>();
  const int64_t size = rows.sample();
  at::parallel_for(0, rows.batch, 4, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; b++) {
      const float own = static_cast<float>(lambda[b]), other = static_cast<float>(1.0 - lambda[b]);
      const float *x = source + b * size, *y = source + partner[b] * size;
      float* result = target + b * size;
      for (int64_t i = 0; i < size; i++) result[i] = own * x[i] + other * y[i];
    }
  });
  return fromTensor(env, out);
}

// (images, boxes Int32Array of 4 B: top, left, bottom, right; partner Int32Array of B | null)
// Sample b with its box replaced by the partner's pixels, or by 0 where no partners are given.
napi_value pasteBoxes(Arguments& arguments) {
  napi_env env = arguments.env;
  const Rows rows(env, arguments[0]);
  const int32_t* boxes = ints(env, arguments[1], 4 * rows.batch, "boxes");
  const int32_t* partner = isNullish(env, arguments[2]) ? nullptr : rows.partners(env, arguments[2]);
  for (int64_t b = 0; b < rows.batch; b++) {
    const int32_t* box = boxes + 4 * b;
    if (box[0] < 0 || box[0] > box[2] || box[2] > rows.height || box[1] < 0 || box[1] > box[3] || box[3] > rows.width)
      throw BadArgument("box " + std::to_string(b) + " is not inside the image");
  }
  at::Tensor out = at::empty_like(rows.images, at::MemoryFormat::Preserve);
  const float* source = rows.data();
  float* target = out.data_ptr<float>();
  const int64_t size = rows.sample();
  at::parallel_for(0, rows.batch, 4, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; b++) {
      std::memcpy(target + b * size, source + b * size, size * sizeof(float));
      const int32_t* box = boxes + 4 * b;
      const size_t bytes = (box[3] - box[1]) * rows.step * sizeof(float);
      for (int64_t p = 0; p < rows.planes; p++)
        for (int64_t y = box[0]; y < box[2]; y++) {
          const int64_t at = ((p * rows.height + y) * rows.width + box[1]) * rows.step;
          if (partner) std::memcpy(target + b * size + at, source + partner[b] * size + at, bytes);
          else std::memset(target + b * size + at, 0, bytes);
        }
    }
  });
  return fromTensor(env, out);
}

// (images, partner Int32Array of B, mask Uint8Array of B * rows * columns of patches, patch: side in pixels)
// Sample b with the patches whose mask is not 0 replaced by its partner's. The last ones may be cut off by the border.
napi_value pastePatches(Arguments& arguments) {
  napi_env env = arguments.env;
  const Rows rows(env, arguments[0]);
  const int32_t* partner = rows.partners(env, arguments[1]);
  const int64_t side = toInt(env, arguments[3]);
  if (side < 1) throw BadArgument("the side of a patch must be at least 1");
  const int64_t down = (rows.height + side - 1) / side, across = (rows.width + side - 1) / side;
  const uint8_t* mask =
      typed<uint8_t>(env, arguments[2], napi_uint8_array, rows.batch * down * across, "mask", "a Uint8Array");
  at::Tensor out = at::empty_like(rows.images, at::MemoryFormat::Preserve);
  const float* source = rows.data();
  float* target = out.data_ptr<float>();
  const int64_t size = rows.sample();
  at::parallel_for(0, rows.batch, 4, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; b++) {
      for (int64_t p = 0; p < rows.planes; p++)
        for (int64_t y = 0; y < rows.height; y++)
          for (int64_t k = 0; k < across; k++) {
            const int64_t from = mask[(b * down + y / side) * across + k] ? partner[b] : b;
            const int64_t at = ((p * rows.height + y) * rows.width + k * side) * rows.step;
            const size_t bytes = std::min(side, rows.width - k * side) * rows.step * sizeof(float);
            std::memcpy(target + b * size + at, source + from * size + at, bytes);
          }
    }
  });
  return fromTensor(env, out);
}

}  // namespace

std::vector<Export> augmentExports() {
  return {
      {"applyOperations", guard<applyOperations>},
      {"blendImages", guard<blendImages>},
      {"pasteBoxes", guard<pasteBoxes>},
      {"pastePatches", guard<pastePatches>},
  };
}

}  // namespace thrive
