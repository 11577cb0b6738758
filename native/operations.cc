// The operations of AutoAugment, equal to torchvision 0.14's on uint8 tensors to the byte: float32 arithmetic in its order,
// truncation after blending, nearest neighbour, fill 0. Facts about that code, none of its text.
#include "operations.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

// A fused multiply-add rounds once where the reference rounds twice, and truncation makes that a whole grey level.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

namespace thrive {
namespace {

using Table = std::array<uint8_t, 256>;

void look(const Table& table, uint8_t* bytes, int64_t count) {
  for (int64_t i = 0; i < count; i++) bytes[i] = table[bytes[i]];
}

uint8_t toByte(float value) { return static_cast<uint8_t>(std::min(std::max(value, 0.f), 255.f)); }

// own * a + other * b. The weights are made in double and rounded to float32 one by one, as for a Python number times a tensor.
struct Blend {
  float own, other;
  explicit Blend(double magnitude)
      : own(static_cast<float>(1.0 + magnitude)), other(static_cast<float>(1.0 - (1.0 + magnitude))) {}
  uint8_t operator()(float a, float b) const {
    const float x = own * a, y = other * b;
    return toByte(x + y);
  }
  Table with(float b) const {
    Table table;
    for (int v = 0; v < 256; v++) table[v] = (*this)(v, b);
    return table;
  }
};

uint8_t grey(const uint8_t* pixel, int64_t area) {
  const float r = 0.2989f * pixel[0], g = 0.587f * pixel[area], b = 0.114f * pixel[2 * area];
  const float rg = r + g;
  return static_cast<uint8_t>(rg + b);
}

void color(Image p, double magnitude) {
  if (p.channels != 3) return;
  const Blend blend(magnitude);
  const int64_t area = p.area();
  for (int64_t i = 0; i < area; i++) {
    uint8_t* pixel = p.data + i;
    const float other = grey(pixel, area);
    for (int64_t c = 0; c < 3; c++) pixel[c * area] = blend(pixel[c * area], other);
  }
}

void contrast(Image p, double magnitude) {
  // An exact sum. The reference's is float32, exact as well up to 2^24: images of up to 256 x 256.
  const int64_t area = p.area();
  int64_t sum = 0;
  for (int64_t i = 0; i < area; i++) sum += p.channels == 3 ? grey(p.data + i, area) : p.data[i];
  look(Blend(magnitude).with(static_cast<float>(sum) / static_cast<float>(area)), p.data, p.bytes());
}

// The other side of the blend is the image under the kernel [1 1 1; 1 5 1; 1 1 1] / 13, rounded; its border stays. The sum
// over 13 is never half-way between two integers, so integers give what the reference's float32 convolution rounds to.
void sharpness(Image p, const uint8_t* source, double magnitude) {
  if (p.height <= 2 || p.width <= 2) return;
  const Blend blend(magnitude);
  const int64_t w = p.width;
  Table border;
  for (int v = 0; v < 256; v++) border[v] = blend(v, v);
  for (int64_t c = 0; c < p.channels; c++)
    for (int64_t y = 0; y < p.height; y++) {
      const uint8_t* in = source + (c * p.height + y) * w;
      uint8_t* out = p.data + (c * p.height + y) * w;
      if (y == 0 || y == p.height - 1) {
        for (int64_t x = 0; x < w; x++) out[x] = border[in[x]];
        continue;
      }
      out[0] = border[in[0]];
      out[w - 1] = border[in[w - 1]];
      for (int64_t x = 1; x < w - 1; x++) {
        const uint8_t *above = in + x - w, *here = in + x, *below = in + x + w;
        const int sum = above[-1] + above[0] + above[1] + here[-1] + 5 * here[0] + here[1] + below[-1] + below[0] + below[1];
        out[x] = blend(here[0], static_cast<float>((2 * sum + 13) / 26));
      }
    }
}

void solarize(Image p, double magnitude) {
  const float threshold = static_cast<float>(magnitude);
  Table table;
  for (int v = 0; v < 256; v++) table[v] = static_cast<float>(v) >= threshold ? 255 - v : v;
  look(table, p.data, p.bytes());
}

void autoContrast(Image p) {
  const int64_t area = p.area();
  for (int64_t c = 0; c < p.channels; c++) {
    uint8_t* plane = p.data + c * area;
    uint8_t low = 255, high = 0;
    for (int64_t i = 0; i < area; i++) {
      low = std::min(low, plane[i]);
      high = std::max(high, plane[i]);
    }
    if (low == high) continue;
    // A Python number over a tensor is the tensor's reciprocal times the number: rounded twice.
    const float from = low, inverse = 1.f / static_cast<float>(high - low), scale = inverse * 255.f;
    Table table;
    for (int v = 0; v < 256; v++) table[v] = toByte((static_cast<float>(v) - from) * scale);
    look(table, plane, area);
  }
}

void equalize(Image p) {
  const int64_t area = p.area();
  for (int64_t c = 0; c < p.channels; c++) {
    uint8_t* plane = p.data + c * area;
    std::array<int64_t, 256> count{};
    for (int64_t i = 0; i < area; i++) count[plane[i]]++;
    int brightest = 255;
    while (brightest > 0 && count[brightest] == 0) brightest--;
    const int64_t step = (area - count[brightest]) / 255;
    if (step == 0) continue;
    Table table;
    int64_t below = 0;
    for (int v = 0; v < 256; v++) {
      table[v] = static_cast<uint8_t>(std::min<int64_t>(255, (below + step / 2) / step));
      below += count[v];
    }
    look(table, plane, area);
  }
}

void shift(Image p, const uint8_t* source, int64_t dy, int64_t dx) {
  const int64_t h = p.height, w = p.width;
  const int64_t first = std::clamp<int64_t>(dx, 0, w), last = std::clamp<int64_t>(w + dx, 0, w);
  for (int64_t c = 0; c < p.channels; c++)
    for (int64_t y = 0; y < h; y++) {
      uint8_t* out = p.data + (c * h + y) * w;
      const int64_t row = y - dy;
      std::memset(out, 0, w);
      if (row >= 0 && row < h && last > first)
        std::memcpy(out + first, source + (c * h + row) * w + first - dx, last - first);
    }
}

// From output to input pixels, both counted from the centre: two rows of [x, y, offset].
using Affine = std::array<double, 6>;

double radians(double degrees) { return degrees * (M_PI / 180.0); }
double degrees(double radians) { return radians * (180.0 / M_PI); }

Affine inverseOf(int32_t operation, double magnitude, int64_t height, int64_t width) {
  // A shear leaves the upper left corner where it is: there and back in the reference's order of additions.
  const double x = 0.5 * width, y = 0.5 * height;
  if (operation == kShearX) {
    const double slope = std::tan(radians(degrees(std::atan(magnitude))));
    return {1, slope, (x + slope * y) - x, 0, 1, 0};
  }
  if (operation == kShearY) {
    const double angle = radians(degrees(std::atan(magnitude)));
    const double slope = -(std::sin(-angle) / std::cos(angle));
    return {1, 0, 0, slope, 1, (slope * x + y) - y};
  }
  const double angle = radians(-magnitude), cosine = std::cos(angle), sine = std::sin(angle);
  return {cosine, sine, 0, -sine, cosine, 0};
}

// The pixel that a position in [-1, 1] falls on, halves to the even one; outside the image, any number that is no pixel.
inline int64_t nearest(float position, float half) {
  // Added and taken away again, 3 * 2^22 rounds to an integer (and does not where the number is far beyond any image).
  constexpr float kInteger = 12582912.f;
  const float pixel = (position + 1.f) * half - 0.5f;
  return static_cast<int64_t>((pixel + kInteger) - kInteger);
}

// The grid comes about as in the reference's matrix product on a CPU with fused multiply-add: the x term rounded, y fused onto
// it, then the offset. Where a map falls half-way between two pixels, this order decides which one it is.
void warp(Image p, const uint8_t* source, int32_t operation, double magnitude, std::vector<float>& columns) {
  const Affine map = inverseOf(operation, magnitude, p.height, p.width);
  const int64_t h = p.height, w = p.width, area = p.area();
  const float halfWidth = 0.5f * w, halfHeight = 0.5f * h;
  float theta[6];
  for (int i = 0; i < 6; i++) theta[i] = static_cast<float>(map[i]) / (i < 3 ? halfWidth : halfHeight);
  columns.resize(2 * w);
  for (int64_t x = 0; x < w; x++) {
    const float fromCentre = static_cast<float>(x) - halfWidth + 0.5f;
    columns[x] = fromCentre * theta[0];
    columns[w + x] = fromCentre * theta[3];
  }
  for (int64_t y = 0; y < h; y++) {
    const float fromCentre = static_cast<float>(y) - halfHeight + 0.5f;
    for (int64_t x = 0; x < w; x++) {
      const int64_t column = nearest(std::fma(fromCentre, theta[1], columns[x]) + theta[2], halfWidth);
      const int64_t row = nearest(std::fma(fromCentre, theta[4], columns[w + x]) + theta[5], halfHeight);
      const bool inside = column >= 0 && column < w && row >= 0 && row < h;
      const int64_t from = inside ? row * w + column : 0, to = y * w + x;
      for (int64_t c = 0; c < p.channels; c++) p.data[c * area + to] = inside ? source[c * area + from] : 0;
    }
  }
}

}  // namespace

const char* magnitudeProblem(int32_t operation, double magnitude) {
  if (operation < 0 || operation >= kOperations) return "there is no such operation";
  if (!(std::fabs(magnitude) < 1e6)) return "it must be a finite number";
  switch (operation) {
    case kBrightness:
    case kColor:
    case kContrast:
    case kSharpness: return magnitude >= -1 ? nullptr : "a blend needs at least -1";
    case kPosterize: return magnitude >= 0 && magnitude <= 8 ? nullptr : "posterize takes 0 to 8 bits";
    case kSolarize: return magnitude >= 0 && magnitude <= 255 ? nullptr : "solarize takes a threshold of 0 to 255";
    default: return nullptr;
  }
}

void operate(Image p, int32_t operation, double magnitude, Scratch& scratch) {
  auto source = [&] {
    scratch.copy.assign(p.data, p.data + p.bytes());
    return scratch.copy.data();
  };
  switch (operation) {
    case kShearX:
    case kShearY:
    case kRotate: return warp(p, source(), operation, magnitude, scratch.columns);
    case kTranslateX: return shift(p, source(), 0, static_cast<int64_t>(magnitude));
    case kTranslateY: return shift(p, source(), static_cast<int64_t>(magnitude), 0);
    case kBrightness: return look(Blend(magnitude).with(0), p.data, p.bytes());
    case kColor: return color(p, magnitude);
    case kContrast: return contrast(p, magnitude);
    case kSharpness: return sharpness(p, source(), magnitude);
    case kPosterize: {
      const uint8_t mask = static_cast<uint8_t>(0xff00 >> static_cast<int>(magnitude));
      for (int64_t i = 0; i < p.bytes(); i++) p.data[i] &= mask;
      return;
    }
    case kSolarize: return solarize(p, magnitude);
    case kAutoContrast: return autoContrast(p);
    case kEqualize: return equalize(p);
    case kInvert:
      for (int64_t i = 0; i < p.bytes(); i++) p.data[i] = 255 - p.data[i];
      return;
    default: return;
  }
}

}  // namespace thrive
