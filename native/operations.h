// Operations on one uint8 image, as AutoAugment and its kin use them. No libtorch in here.
#pragma once

#include <cstdint>
#include <vector>

namespace thrive {

// The order is that of `operations` in src/augment/operations.ts.
enum Operation : int32_t {
  kIdentity,
  kShearX,
  kShearY,
  kTranslateX,
  kTranslateY,
  kRotate,
  kBrightness,
  kColor,
  kContrast,
  kSharpness,
  kPosterize,
  kSolarize,
  kAutoContrast,
  kEqualize,
  kInvert,
  kOperations
};

// Planar: channel after channel, 1 or 3 of them.
struct Image {
  uint8_t* data;
  int64_t channels, height, width;
  int64_t area() const { return height * width; }
  int64_t bytes() const { return channels * area(); }
};

// Reused from image to image.
struct Scratch {
  std::vector<uint8_t> copy;
  std::vector<float> columns;
};

// What is wrong with a magnitude, or null.
const char* magnitudeProblem(int32_t operation, double magnitude);

// In place. Shears are slopes, translations pixels, rotations degrees counter-clockwise; brightness, color, contrast and
// sharpness blend with factor 1 + magnitude; posterize takes bits, solarize a threshold.
void operate(Image image, int32_t operation, double magnitude, Scratch& scratch);

}  // namespace thrive
