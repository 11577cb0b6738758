// Contrastive distillation's inner loops for the CPU: drawing negatives, and the noise-contrastive loss of the scores picked among
// all, with its gradient. src/distill/losses/crd-*.ts has the same in TypeScript and plain operators, which other devices
// and dtypes use and the tests compare against.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>

#include "handles.h"
#include "napi.h"

// Hot loops choose their instructions at run time: the build itself may travel.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define THRIVE_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define THRIVE_CLONES
#endif

namespace thrive {
namespace {

constexpr int kLanes = 16;

// Philox4x32-10 on counters [first + lane, p0, p1, p2] under a key: four words a lane, as src/torch/random.ts lays them out.
THRIVE_CLONES
void philox(uint32_t first, uint32_t p0, uint32_t p1, uint32_t p2, uint32_t k0, uint32_t k1, uint32_t* words) {
  uint32_t c0[kLanes], c1[kLanes], c2[kLanes], c3[kLanes];
  for (int i = 0; i < kLanes; i++) c0[i] = first + i, c1[i] = p0, c2[i] = p1, c3[i] = p2;
  for (int round = 0; round < 10; round++, k0 += 0x9e3779b9u, k1 += 0xbb67ae85u) {
    for (int i = 0; i < kLanes; i++) {
      const uint64_t a = static_cast<uint64_t>(c0[i]) * 0xd2511f53u, b = static_cast<uint64_t>(c2[i]) * 0xcd9e8d57u;
      c0[i] = static_cast<uint32_t>(b >> 32) ^ c1[i] ^ k0;
      c1[i] = static_cast<uint32_t>(b);
      c2[i] = static_cast<uint32_t>(a >> 32) ^ c3[i] ^ k1;
      c3[i] = static_cast<uint32_t>(a);
    }
  }
  for (int i = 0; i < kLanes; i++) words[4 * i] = c0[i], words[4 * i + 1] = c1[i], words[4 * i + 2] = c2[i], words[4 * i + 3] = c3[i];
}

// One stream of src/torch/random.ts: a key, and a path of up to three numbers, each plus one.
class Stream {
 public:
  Stream(uint32_t k0, uint32_t k1, uint32_t p0, uint32_t p1, uint32_t p2) : k0_(k0), k1_(k1), p0_(p0), p1_(p1), p2_(p2) {}

  // Uniform in [0, n), as `Stream.int`.
  uint32_t below(uint32_t n) {
    uint64_t product = static_cast<uint64_t>(word()) * n;
    if (static_cast<uint32_t>(product) < n) {
      const uint32_t threshold = (0u - n) % n;
      while (static_cast<uint32_t>(product) < threshold) product = static_cast<uint64_t>(word()) * n;
    }
    return static_cast<uint32_t>(product >> 32);
  }

 private:
  uint32_t word() {
    if (at_ == 4 * kLanes) {
      philox(block_, p0_, p1_, p2_, k0_, k1_, words_);
      block_ += kLanes;
      at_ = 0;
    }
    return words_[at_++];
  }

  const uint32_t k0_, k1_, p0_, p1_, p2_;
  uint32_t block_ = 0, words_[4 * kLanes];
  int at_ = 4 * kLanes;
};

struct Int32s {
  const int32_t* data;
  int64_t length;
};

Int32s toInt32s(napi_env env, napi_value value, const char* name) {
  TypedArray array = toTypedArray(env, value);
  if (array.type != napi_int32_array) throw BadArgument(std::string(name) + ": expected an Int32Array");
  return {static_cast<const int32_t*>(array.data), static_cast<int64_t>(array.length)};
}

// (samples sorted by class, where each class begins and the end, class of each row, sample of each row, key words 0 and 1,
// epoch, negatives, relaxed) -> int32 [B, 1 + negatives]
// The positive is the row's own sample, or any of its class when relaxed. Negatives are drawn from all other classes, without
// replacement, and come in ascending order; where there are too few, with replacement, as drawn.
napi_value drawContrast(Arguments& arguments) {
  napi_env env = arguments.env;
  const Int32s order = toInt32s(env, arguments[0], "order"), starts = toInt32s(env, arguments[1], "starts"),
               labels = toInt32s(env, arguments[2], "labels"), rows = toInt32s(env, arguments[3], "rows");
  const auto k0 = static_cast<uint32_t>(toInt(env, arguments[4])), k1 = static_cast<uint32_t>(toInt(env, arguments[5]));
  const int64_t epoch = toInt(env, arguments[6]), negatives = toInt(env, arguments[7]);
  const bool relaxed = toBool(env, arguments[8]);
  const int64_t classes = starts.length - 1, batch = rows.length;
  if (classes < 1 || labels.length != batch || negatives < 1) throw BadArgument("expected a class for each row, and negatives");
  for (int64_t c = 0; c < classes; c++)
    if (starts.data[c] < 0 || starts.data[c] > starts.data[c + 1] || starts.data[c + 1] > order.length)
      throw BadArgument("starts must not decrease and must end with the number of samples");
  std::vector<bool> there(order.length);
  for (int64_t i = 0; i < order.length; i++) {
    const int32_t sample = order.data[i];
    if (sample < 0 || sample >= order.length || there[sample]) throw BadArgument("order must hold the samples, each once");
    there[sample] = true;
  }
  for (int64_t b = 0; b < batch; b++) {
    const int32_t label = labels.data[b];
    if (label < 0 || label >= classes) throw BadArgument("class " + std::to_string(label) + " is outside the classes");
    const int32_t own = starts.data[label + 1] - starts.data[label];
    if (own == order.length) throw BadArgument("there are no samples of other classes");
    if (relaxed && own == 0) throw BadArgument("class " + std::to_string(label) + " has no samples");
  }
  at::Tensor out = at::empty({batch, 1 + negatives}, at::kInt);
  int32_t* target = out.data_ptr<int32_t>();
  at::parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
    std::vector<uint64_t> seen;
    for (int64_t b = begin; b < end; b++) {
      const int32_t label = labels.data[b], first = starts.data[label], own = starts.data[label + 1] - first;
      const int64_t others = order.length - own;
      const auto sampleAt = [&](int64_t p) { return order.data[p < first ? p : p + own]; };
      Stream stream(k0, k1, static_cast<uint32_t>(epoch + 1), static_cast<uint32_t>(rows.data[b]) + 1, 0);
      int32_t* row = target + b * (1 + negatives);
      *row++ = relaxed ? order.data[first + stream.below(own)] : rows.data[b];
      if (negatives > others) {
        for (int64_t j = 0; j < negatives; j++) row[j] = sampleAt(stream.below(others));
        continue;
      }
      // Draw those to take or those to leave, whichever are fewer, again where one came before.
      const bool take = 2 * negatives <= others;
      seen.assign((order.length + 63) / 64, 0);
      const auto mark = [&](int32_t sample) {
        uint64_t& word = seen[sample / 64];
        const uint64_t before = word;
        word |= uint64_t{1} << (sample % 64);
        return word != before;
      };
      if (!take)
        for (int32_t j = first; j < first + own; j++) mark(order.data[j]);
      for (int64_t left = take ? negatives : others - negatives; left > 0;) left -= mark(sampleAt(stream.below(others)));
      for (int64_t w = 0; w < static_cast<int64_t>(seen.size()); w++) {
        uint64_t bits = take ? seen[w] : ~seen[w];
        if (w == order.length / 64) bits &= (uint64_t{1} << (order.length % 64)) - 1;
        for (; bits; bits &= bits - 1) *row++ = static_cast<int32_t>(64 * w + __builtin_ctzll(bits));
      }
    }
  });
  return fromTensor(env, out);
}

// How exp(score / temperature) becomes a loss: probabilities p = exp / Z against noise of density c.
struct Nce {
  float inverseZ;
  double c, eps;
  // 1 / (temperature B)
  float scale;
};

// The loss of negatives, the sum of log((p + c + eps) / c), and its gradient with respect to the scores.
THRIVE_CLONES
double negatives(const float* exps, int64_t count, const Nce& nce, float* gradient) {
  constexpr int kProducts = 8;
  const double inverse = 1 / nce.c, base = 1 + nce.eps * inverse;
  const float noise = static_cast<float>(nce.c + nce.eps);
  for (int64_t j = 0; j < count; j++) {
    const float p = exps[j] * nce.inverseZ;
    gradient[j] = p / (p + noise) * nce.scale;
  }
  // Logarithms of products of a few, in double, where none overflows.
  double loss = 0, product[kProducts];
  std::fill(product, product + kProducts, 1.0);
  int64_t j = 0;
  for (int64_t taken = 0; j + kProducts <= count; j += kProducts) {
    for (int lane = 0; lane < kProducts; lane++)
      product[lane] *= base + static_cast<double>(exps[j + lane] * nce.inverseZ) * inverse;
    if (++taken % 8 == 0) {
      for (double& value : product) {
        loss += std::log(value);
        value = 1;
      }
    }
  }
  for (const double value : product) loss += std::log(value);
  for (; j < count; j++) loss += std::log(base + static_cast<double>(exps[j] * nce.inverseZ) * inverse);
  return loss;
}

// The loss of a positive, -log(p / (p + c + eps)), and its gradient with respect to the score.
double positive(float exp, const Nce& nce, float& gradient) {
  const double p = static_cast<double>(exp) * nce.inverseZ, noise = nce.c + nce.eps;
  gradient = static_cast<float>(-noise / (p + noise) * nce.scale);
  return std::log1p(noise / p);
}

THRIVE_CLONES
float dot(const float* a, const float* b, int64_t length) {
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= length; i += kLanes)
    for (int lane = 0; lane < kLanes; lane++) lanes[lane] += a[i + lane] * b[i + lane];
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  for (; i < length; i++) sum += a[i] * b[i];
  return sum;
}

THRIVE_CLONES
void addScaled(float* sum, const float* row, float factor, int64_t length) {
  for (int64_t i = 0; i < length; i++) sum[i] += factor * row[i];
}

at::Tensor checkFloats(napi_env env, napi_value value, const char* name) {
  at::Tensor tensor = toTensor(env, value);
  if (tensor.dim() != 2 || tensor.scalar_type() != at::kFloat || !tensor.device().is_cpu() || !tensor.is_contiguous())
    throw BadArgument(std::string(name) + ": expected a contiguous float32 matrix on the CPU, got " + describe(tensor));
  return tensor;
}

at::Tensor checkIndex(napi_env env, napi_value value, int64_t batch, int64_t samples) {
  at::Tensor index = toTensor(env, value);
  if (index.dim() != 2 || index.scalar_type() != at::kInt || !index.device().is_cpu() || !index.is_contiguous() ||
      index.size(0) != batch || index.size(1) < 2)
    throw BadArgument("index: expected contiguous int32 [B, 1 + negatives] on the CPU, got " + describe(index));
  const int32_t* data = index.data_ptr<int32_t>();
  std::atomic<bool> bad{false};
  at::parallel_for(0, index.numel(), 65536, [&](int64_t begin, int64_t end) {
    bool outside = false;
    for (int64_t i = begin; i < end; i++) outside |= data[i] < 0 || data[i] >= samples;
    if (outside) bad = true;
  });
  if (bad) throw BadArgument("index: a sample is outside the " + std::to_string(samples) + " of the memory");
  return index;
}

// What both ways of scoring are given: (embeddings [B, D], memory [N, D], index int32 [B, 1 + K], temperature, Z or 0, c, eps).
struct Contrast {
  at::Tensor embeddings, memory, index;
  int64_t batch, samples, width, count;
  const float *anchors, *rows;
  const int32_t* ids;
  float inverseT;
  double z, c, eps;

  explicit Contrast(Arguments& arguments) {
    napi_env env = arguments.env;
    embeddings = checkFloats(env, arguments[0], "embeddings");
    memory = checkFloats(env, arguments[1], "memory");
    batch = embeddings.size(0), width = embeddings.size(1), samples = memory.size(0);
    if (memory.size(1) != width) throw BadArgument("the memory and the embeddings differ in width");
    index = checkIndex(env, arguments[2], batch, samples);
    count = index.size(1);
    anchors = embeddings.data_ptr<float>(), rows = memory.data_ptr<float>(), ids = index.data_ptr<int32_t>();
    inverseT = static_cast<float>(1 / toDouble(env, arguments[3]));
    z = toDouble(env, arguments[4]), c = toDouble(env, arguments[5]), eps = toDouble(env, arguments[6]);
  }

  // The first batch's Z: the mean exp times the number of samples.
  void setZ(double sum) {
    z = sum / static_cast<double>(batch * count) * static_cast<double>(samples);
  }

  Nce nce() const {
    return {static_cast<float>(1 / z), c, eps, inverseT / static_cast<float>(batch)};
  }

  float expOf(int64_t b, int32_t id) const {
    return std::exp(dot(anchors + b * width, rows + id * width, width) * inverseT);
  }

  napi_value result(napi_env env, double loss, at::Tensor gradient) const {
    const std::vector<napi_value> values = {fromDouble(env, loss / static_cast<double>(batch)), fromDouble(env, z),
                                            fromTensor(env, std::move(gradient))};
    return fromItems(env, values, [](napi_env, napi_value value) { return value; });
  }
};

// -> [loss, Z, gradient [B, D]]
// Reads the rows of the memory in question one by one: for memories many times longer than the negatives of one sample.
napi_value contrastRows(Arguments& arguments) {
  at::NoGradGuard guard;
  Contrast given(arguments);
  const int64_t batch = given.batch, width = given.width, count = given.count;
  std::vector<float> exps(batch * count);
  at::parallel_for(0, batch * count, 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) exps[i] = given.expOf(i / count, given.ids[i]);
  });
  if (given.z == 0) given.setZ(std::accumulate(exps.begin(), exps.end(), 0.0));
  const Nce nce = given.nce();
  at::Tensor gradients = at::zeros_like(given.embeddings);
  float* result = gradients.data_ptr<float>();
  std::vector<double> losses(batch);
  at::parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> slopes(count);
    for (int64_t b = begin; b < end; b++) {
      const float* exp = exps.data() + b * count;
      losses[b] = positive(exp[0], nce, slopes[0]) + negatives(exp + 1, count - 1, nce, slopes.data() + 1);
      for (int64_t j = 0; j < count; j++)
        addScaled(result + b * width, given.rows + given.ids[b * count + j] * width, slopes[j], width);
    }
  });
  return given.result(arguments.env, std::accumulate(losses.begin(), losses.end(), 0.0), std::move(gradients));
}

// Memory rows at a time: with their scores they fit a core's second-level cache.
constexpr int64_t kBlock = 1024;

// The negatives of each row in ascending order; drawContrast gives them so.
struct SortedRows {
  const int32_t* begin;
  int64_t stride;
  std::vector<int32_t> own;

  explicit SortedRows(const Contrast& given) : begin(given.ids + 1), stride(given.count) {
    const auto sorted = [&](int64_t b) { return std::is_sorted(begin + b * stride, begin + (b + 1) * stride - 1); };
    bool all = true;
    for (int64_t b = 0; b < given.batch && all; b++) all = sorted(b);
    if (all) return;
    own.assign(begin, begin + given.batch * stride - 1);
    for (int64_t b = 0; b < given.batch; b++) std::sort(own.begin() + b * stride, own.begin() + (b + 1) * stride - 1);
    begin = own.data();
  }
};

// One thread's share of scoring the whole memory, block by block.
class Blocks {
 public:
  Blocks(const Contrast& given, const SortedRows& sorted)
      : given_(given),
        transposed_(given.embeddings.t()),
        scores_(at::empty({kBlock, given.batch}, given.memory.options())),
        slopes_(at::empty({kBlock, given.batch}, given.memory.options())),
        sorted_(sorted) {}

  // The sum of the exps of all negatives in these blocks.
  double sum(int64_t begin, int64_t end) {
    double total = 0;
    visit(begin, end, [&](int64_t, const int32_t*, int64_t count) {
      for (int64_t j = 0; j < count; j++) total += exps_[j];
    }, [](const at::Tensor&) {});
    return total;
  }

  // Their loss; the gradient is added to `gradient` [B, D].
  double loss(int64_t begin, int64_t end, const Nce& nce, at::Tensor& gradient) {
    double total = 0;
    std::vector<float> found(given_.count);
    float* slopes = slopes_.data_ptr<float>();
    slopes_.zero_();
    visit(begin, end, [&](int64_t b, const int32_t* ids, int64_t count) {
      total += negatives(exps_.data(), count, nce, found.data());
      for (int64_t j = 0; j < count; j++) slopes[(ids[j] - first_) * given_.batch + b] += found[j];
    }, [&](const at::Tensor& rows) {
      at::Tensor block = slopes_.narrow(0, 0, rows.size(0));
      gradient.addmm_(block.t(), rows);
      block.zero_();
    });
    return total;
  }

 private:
  // `picked` after exps_ holds the exps of a row's negatives in a block, `done` after each block.
  template <class Picked, class Done>
  void visit(int64_t begin, int64_t end, Picked picked, Done done) {
    const int64_t negatives = given_.count - 1, batch = given_.batch;
    const float* scores = scores_.data_ptr<float>();
    exps_.resize(given_.count);
    std::vector<const int32_t*> next(batch), ends(batch);
    for (int64_t b = 0; b < batch; b++) {
      const int32_t* row = sorted_.begin + b * sorted_.stride;
      ends[b] = row + negatives;
      next[b] = std::lower_bound(row, ends[b], static_cast<int32_t>(begin * kBlock));
    }
    for (int64_t block = begin; block < end; block++) {
      first_ = block * kBlock;
      const int64_t last = std::min(given_.samples, first_ + kBlock);
      at::Tensor rows = given_.memory.narrow(0, first_, last - first_), out = scores_.narrow(0, 0, last - first_);
      at::mm_out(out, rows, transposed_);
      for (int64_t b = 0; b < batch; b++) {
        const int32_t *ids = next[b], *stop = ends[b];
        int64_t count = 0;
        for (; ids + count < stop && ids[count] < last; count++)
          exps_[count] = std::exp(scores[(ids[count] - first_) * batch + b] * given_.inverseT);
        picked(b, ids, count);
        next[b] += count;
      }
      done(rows);
    }
  }

  const Contrast& given_;
  at::Tensor transposed_, scores_, slopes_;
  const SortedRows& sorted_;
  std::vector<float> exps_;
  int64_t first_ = 0;
};

// -> [loss, Z, gradient [B, D]]
// Scores the whole memory by matrix products, a block of rows at a time, and takes the gradient's share of the block while it is
// in the cache: the memory is read once.
napi_value contrastAll(Arguments& arguments) {
  at::NoGradGuard guard;
  Contrast given(arguments);
  const int64_t blocks = (given.samples + kBlock - 1) / kBlock, batch = given.batch;
  const int64_t parts = std::min<int64_t>(at::get_num_threads(), blocks);
  const SortedRows sorted(given);
  // Each thread has its own sums, added in order: the result depends on the number of threads, not on their timing.
  std::vector<double> sums(parts);
  const auto inParts = [&](auto run) {
    at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
      at::NoGradGuard threadGuard;
      for (int64_t part = begin; part < end; part++)
        sums[part] = run(part, part * blocks / parts, (part + 1) * blocks / parts);
    });
    return std::accumulate(sums.begin(), sums.end(), 0.0);
  };
  std::vector<float> own(batch);
  for (int64_t b = 0; b < batch; b++) own[b] = given.expOf(b, given.ids[b * given.count]);
  if (given.z == 0) {
    const double sum = inParts([&](int64_t, int64_t begin, int64_t end) { return Blocks(given, sorted).sum(begin, end); });
    given.setZ(sum + std::accumulate(own.begin(), own.end(), 0.0));
  }
  const Nce nce = given.nce();
  at::Tensor partial = at::zeros({parts, batch, given.width}, given.memory.options());
  double loss = inParts([&](int64_t part, int64_t begin, int64_t end) {
    at::Tensor gradient = partial.select(0, part);
    return Blocks(given, sorted).loss(begin, end, nce, gradient);
  });
  at::Tensor gradients = partial.sum(0);
  float* result = gradients.data_ptr<float>();
  for (int64_t b = 0; b < batch; b++) {
    float slope;
    loss += positive(own[b], nce, slope);
    addScaled(result + b * given.width, given.rows + given.ids[b * given.count] * given.width, slope, given.width);
  }
  return given.result(arguments.env, loss, std::move(gradients));
}

}  // namespace

std::vector<Export> contrastExports() {
  return {
      {"drawContrast", guard<drawContrast>},
      {"contrastAll", guard<contrastAll>},
      {"contrastRows", guard<contrastRows>},
  };
}

}  // namespace thrive
