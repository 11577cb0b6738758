// Antialiased bilinear resizing of 8-bit RGB, to the bit what Pillow's Image.resize(..., BILINEAR) gives (src/libImaging/Resample.c:
// a horizontal pass, rounded to bytes, then a vertical one, both with weights of 22 fractional bits).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define THRIVE_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define THRIVE_CLONES
#endif

namespace thrive {

constexpr int kPrecision = 22;
constexpr int kBlock = 16;  // rows resampled together

// What is taken of an image and where it goes. Lengths in pixels of the image that is read.
struct Geometry {
  double left, top, width, height;   // the region that is resized
  int resizeWidth, resizeHeight;     // to this size
  int x, y, columns, rows;           // the part of the resized region that is made
  int64_t base, stepX, stepY, plane; // out[base + column * stepX + row * stepY + channel * plane]
};

// The source pixels of each output pixel and their weights.
struct Taps {
  int size = 0;
  std::vector<int> first, count;
  std::vector<int32_t> weights;
  int begin = 0, end = 0;  // source pixels used by any
};

// Weights for output pixels [from, from + length) of a region [start, start + extent) of a line of `limit` pixels.
inline Taps makeTaps(double start, double extent, int resized, int from, int length, int limit) {
  const double scale = extent / resized;
  const double filterScale = std::max(scale, 1.0);
  const double support = filterScale;
  const int low = std::max(0, static_cast<int>(std::floor(start + 1e-9)));
  const int high = std::min(limit, static_cast<int>(std::ceil(start + extent - 1e-9)));
  Taps taps;
  taps.size = static_cast<int>(std::ceil(support)) * 2 + 1;
  taps.weights.assign(static_cast<size_t>(taps.size) * length, 0);
  std::vector<double> line(taps.size);
  taps.begin = limit;
  for (int i = 0; i < length; i++) {
    const double center = start + (from + i + 0.5) * scale;
    const int first = std::min(std::max(static_cast<int>(center - support + 0.5), low), high - 1);
    const int last = std::max(std::min(static_cast<int>(center + support + 0.5), high), first + 1);
    const int count = std::min(last - first, taps.size);
    double sum = 0;
    for (int k = 0; k < count; k++) {
      const double distance = std::fabs((k + first - center + 0.5) / filterScale);
      line[k] = distance < 1 ? 1 - distance : 0;
      sum += line[k];
    }
    for (int k = 0; k < count; k++) {
      const double weight = sum != 0 ? line[k] / sum : (k == 0 ? 1 : 0);
      taps.weights[static_cast<size_t>(i) * taps.size + k] = static_cast<int32_t>(0.5 + weight * (1 << kPrecision));
    }
    taps.first.push_back(first);
    taps.count.push_back(count);
    taps.begin = std::min(taps.begin, first);
    taps.end = std::max(taps.end, first + count);
  }
  return taps;
}

inline uint8_t toByte(int32_t sum) {
  const int value = sum >> kPrecision;
  return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

// One block of rows, transposed to [column][channel][row], to out [row][channel][column].
THRIVE_CLONES inline void horizontalBlock(const uint8_t* block, int offset, const int* first, const int* count,
                                          const int32_t* weights, int size, int columns, uint8_t* out) {
  for (int i = 0; i < columns; i++) {
    int32_t sums[3 * kBlock];
    for (int j = 0; j < 3 * kBlock; j++) sums[j] = 1 << (kPrecision - 1);
    const uint8_t* source = block + static_cast<size_t>(first[i] - offset) * 3 * kBlock;
    for (int k = 0; k < count[i]; k++, source += 3 * kBlock) {
      const int32_t weight = weights[static_cast<size_t>(i) * size + k];
      for (int j = 0; j < 3 * kBlock; j++) sums[j] += source[j] * weight;
    }
    for (int c = 0; c < 3; c++)
      for (int r = 0; r < kBlock; r++)
        out[(static_cast<size_t>(r) * 3 + c) * columns + i] = toByte(sums[c * kBlock + r]);
  }
}

// One output row of the vertical pass; `line` is 3 * columns long.
THRIVE_CLONES inline void verticalRow(const uint8_t* rows, size_t stride, int count, const int32_t* weights,
                                      int32_t* sums, uint8_t* line) {
  const int length = static_cast<int>(stride);
  for (int i = 0; i < length; i++) sums[i] = 1 << (kPrecision - 1);
  for (int k = 0; k < count; k++) {
    const uint8_t* row = rows + k * stride;
    const int32_t weight = weights[k];
    for (int i = 0; i < length; i++) sums[i] += row[i] * weight;
  }
  for (int i = 0; i < length; i++) line[i] = toByte(sums[i]);
}

// Takes the rows of an image as they come, from the first that is needed, and writes the resized part.
class Resampler {
 public:
  Resampler(const Geometry& geometry, int width, int height)
      : geometry_(geometry),
        across_(makeTaps(geometry.left, geometry.width, geometry.resizeWidth, geometry.x, geometry.columns, width)),
        down_(makeTaps(geometry.top, geometry.height, geometry.resizeHeight, geometry.y, geometry.rows, height)),
        stride_(static_cast<size_t>(3) * geometry.columns),
        block_(static_cast<size_t>(across_.end - across_.begin) * 3 * kBlock),
        middle_((static_cast<size_t>(down_.end - down_.begin) + kBlock) * stride_) {}

  int firstRow() const { return down_.begin; }
  int endRow() const { return down_.end; }
  int firstColumn() const { return across_.begin; }
  int endColumn() const { return across_.end; }

  // The next row; `pixels` points at firstColumn(), interleaved RGB.
  void take(const uint8_t* pixels) {
    const int length = (across_.end - across_.begin) * 3;
    uint8_t* to = block_.data() + filled_;
    for (int i = 0; i < length; i++) to[static_cast<size_t>(i) * kBlock] = pixels[i];
    if (++filled_ == kBlock) flush();
  }

  void finish(uint8_t* out) {
    if (filled_ > 0) flush();
    std::vector<int32_t> sums(stride_);
    std::vector<uint8_t> line(stride_);
    const int columns = geometry_.columns;
    for (int y = 0; y < geometry_.rows; y++) {
      verticalRow(middle_.data() + static_cast<size_t>(down_.first[y] - down_.begin) * stride_, stride_, down_.count[y],
                  down_.weights.data() + static_cast<size_t>(y) * down_.size, sums.data(), line.data());
      for (int c = 0; c < 3; c++) {
        uint8_t* to = out + geometry_.base + y * geometry_.stepY + c * geometry_.plane;
        const uint8_t* from = line.data() + static_cast<size_t>(c) * columns;
        if (geometry_.stepX == 1) {
          std::memcpy(to, from, columns);
        } else {
          for (int x = 0; x < columns; x++) to[x * geometry_.stepX] = from[x];
        }
      }
    }
  }

 private:
  void flush() {
    horizontalBlock(block_.data(), across_.begin, across_.first.data(), across_.count.data(), across_.weights.data(),
                    across_.size, geometry_.columns, middle_.data() + static_cast<size_t>(done_) * stride_);
    done_ += filled_;
    filled_ = 0;
  }

  Geometry geometry_;
  Taps across_, down_;
  size_t stride_;
  std::vector<uint8_t> block_, middle_;
  int filled_ = 0, done_ = 0;
};

}  // namespace thrive
