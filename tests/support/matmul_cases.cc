#include "tests/support/matmul_cases.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/epilogue_setup.h"
#include "kernels/packing.h"
#include "kernels/reference/reference.h"
#include "kernels/round_up.h"
#include "tests/support/matmul_outputs.h"

namespace lq::testing {
namespace {

using kernels::MatmulArgs;
using kernels::OutputType;
using kernels::RoundUp;

template <class T>
std::unique_ptr<GuardedBuffer<T>> Guarded(size_t count) {
  return std::make_unique<GuardedBuffer<T>>(count);
}

template <class T>
const T* Data(const std::unique_ptr<GuardedBuffer<T>>& buffer) {
  return buffer == nullptr ? nullptr : buffer->data();
}

float PowerOfTwo(Random& random, int low, int high) {
  return std::ldexp(1.0f, static_cast<int>(random.Int(low, high)));
}

}  // namespace

std::string MatmulShape::ToString() const {
  return "m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " + std::to_string(k) + ", block " +
         std::to_string(block) + ", scales to " + std::to_string(largest_scale) + ", runs " + std::to_string(runs) +
         ", style " + std::to_string(static_cast<int>(style)) + (wide ? ", u16" : ", u8") + ", seed " +
         std::to_string(Seed());
}

MatmulVariantSpan MatmulVariants(MatmulKind kind) {
  switch (kind.weights) {
    case MatmulWeights::kS8:
      return kind.wide ? kernels::MatmulU16S8Variants() : kernels::MatmulU8S8Variants();
    case MatmulWeights::kS4:
      return kind.wide ? kernels::MatmulU16S4Variants() : kernels::MatmulU8S4Variants();
    case MatmulWeights::kS16:
      break;
  }
  return kind.wide ? kernels::MatmulU16S16Variants() : kernels::MatmulU8S16Variants();
}

MatmulCase::MatmulCase(const MatmulShape& shape, Random& random) : shape_(shape) {
  MakeActivations(random);
  MakeWeights(random);
  MakeChannels(random);
  acc_.resize(shape.m * shape.n);
  reference::MatmulAcc(x_, w_, shape.m, shape.n, shape.k, acc_);
  real_.resize(acc_.size());
  for (size_t i = 0; i < acc_.size(); ++i) real_[i] = Real(i / shape.n, i % shape.n);
  ChooseOutput(random);
  FillEpilogue();
  Expect();
  scratch_ = Guarded<std::byte>(shape.wide ? kernels::MatmulU16ScratchBytes(shape.m, shape.k)
                                           : kernels::MatmulScratchBytes(shape.m, shape.k));
  cut_ = random.Size(0, shape.n / 64) * 64;
}

uint16_t MatmulCase::DrawCode(Random& random) const {
  const int64_t top = shape_.LargestCode();
  if (shape_.style == MatmulStyle::kExtreme) return static_cast<uint16_t>(top);
  return static_cast<uint16_t>(shape_.style == MatmulStyle::kEnds ? top * random.Int(0, 1) : random.Int(0, top));
}

// Windows of a random buffer, which may overlap or lie apart.
void MatmulCase::MakePatches(Random& random) {
  kernels::Patches& p = patches_;
  p = {.width = random.LogSize(1, 40),
       .line_step = random.Size(0, 100),
       .height = random.LogSize(1, 10),
       .image_step = random.Size(0, 500),
       .runs = shape_.runs,
       .run_bytes = shape_.k / shape_.runs,
       .run_step = random.Size(0, 100)};
  a_stride_ = random.Size(1, 40);
  const auto begin = [&](size_t i, size_t l) {
    const size_t y = i / p.width;
    return y / p.height * p.image_step + y % p.height * p.line_step + i % p.width * a_stride_ +
           l / p.run_bytes * p.run_step + l % p.run_bytes;
  };
  size_t size = 0;
  for (size_t i = 0; i < shape_.m; ++i) {
    for (size_t run = 1; run <= p.runs; ++run) size = std::max(size, begin(i, run * p.run_bytes - 1) + 1);
  }
  a_ = Guarded<std::byte>(size);
  for (size_t i = 0; i < size; ++i) a_->data()[i] = static_cast<std::byte>(DrawCode(random));
  for (size_t i = 0; i < x_.size(); ++i) {
    x_[i] = static_cast<int32_t>(a_->data()[begin(i / shape_.k, i % shape_.k)]) + offset_x_;
  }
}

void MatmulCase::MakeActivations(Random& random) {
  offset_x_ = static_cast<int32_t>(shape_.style == MatmulStyle::kExtreme ? 0 : random.Int(-shape_.LargestCode(), 0));
  x_.resize(shape_.m * shape_.k);
  if (shape_.runs != 0) return MakePatches(random);
  // u8 rows are read by whole quads.
  const size_t row_bytes = shape_.wide ? 2 * shape_.k : RoundUp(shape_.k, 4);
  a_stride_ = row_bytes + (random.Chance(0.5) ? CodeBytes() * random.Size(0, 70) : 0);
  a_ = Guarded<std::byte>((shape_.m - 1) * a_stride_ + row_bytes);
  for (size_t i = 0; i < shape_.m; ++i) {
    for (size_t l = 0; l < shape_.k; ++l) {
      const uint16_t code = DrawCode(random);
      std::memcpy(a_->data() + i * a_stride_ + l * CodeBytes(), &code, CodeBytes());  // little endian
      x_[i * shape_.k + l] = code + offset_x_;
    }
  }
}

void MatmulCase::MakeWeights(Random& random) {
  const size_t n = shape_.n, k = shape_.k;
  const bool extreme = shape_.style == MatmulStyle::kExtreme;
  const int64_t top = shape_.weights == MatmulWeights::kS8 ? 127 : shape_.weights == MatmulWeights::kS4 ? 7 : 32767;
  const int64_t limit = shape_.style == MatmulStyle::kTies ? 2 : top + 1;
  std::vector<int32_t> q(n * k);
  const bool ends = shape_.style == MatmulStyle::kEnds;
  for (int32_t& code : q) {
    const int64_t drawn = ends ? (random.Chance(0.5) ? top : -top - 1) : random.Int(-limit, limit - 1);
    code = static_cast<int32_t>(extreme ? -top - 1 : drawn);
  }
  w_ = q;
  switch (shape_.weights) {
    case MatmulWeights::kS8:
      packed_ = Guarded<std::byte>(kernels::PackedS8Bytes(n, k));
      kernels::PackS8(q.data(), n, k, reinterpret_cast<int8_t*>(packed_->data()));
      return;
    case MatmulWeights::kS16:
      packed_ = Guarded<std::byte>(kernels::PackedS16Bytes(n, k));
      kernels::PackS16(q.data(), n, k, reinterpret_cast<int16_t*>(packed_->data()));
      return;
    case MatmulWeights::kS4:
      break;
  }
  std::vector<uint32_t> scale(n * (k / shape_.block));
  for (uint32_t& s : scale) {
    s = extreme ? shape_.largest_scale : static_cast<uint32_t>(random.Int(1, shape_.largest_scale));
  }
  for (size_t i = 0; i < n * k; ++i) w_[i] = q[i] * static_cast<int32_t>(scale[i / shape_.block]);
  PackS4(q, scale);
}

void MatmulCase::PackS4(const std::vector<int32_t>& q, const std::vector<uint32_t>& scale) {
  const kernels::PackedS4 layout = {shape_.n, shape_.k, shape_.block};
  packed_ = Guarded<std::byte>(layout.Bytes());
  kernels::PackS4(layout, q.data(), scale.data(), reinterpret_cast<uint8_t*>(packed_->data()));
}

void MatmulCase::MakeChannels(Random& random) {
  const bool ties = shape_.style == MatmulStyle::kTies;
  scale_x_ = ties ? PowerOfTwo(random, -8, -2) : random.Float(0.001f, 0.1f);
  const bool has_bias = random.Chance(0.7), has_batch_norm = !ties && random.Chance(0.3);
  const float wild = random.Chance(0.1) ? 1e6f : 10.0f;  // some channels then have no fast way
  channels_.resize(shape_.n);
  for (Channel& channel : channels_) {
    channel.scale = ties ? PowerOfTwo(random, -10, -6) : random.Float(0.0001f, 0.01f);
    if (has_bias && ties) channel.bias = static_cast<float>(random.Int(-64, 64)) / 4;
    if (has_bias && !ties) channel.bias = random.Float(-wild, wild);
    if (has_batch_norm) {
      channel.batch_norm = {random.Float(-2, 2), random.Float(-5, 5), random.Float(-5, 5), random.Float(0.001f, 4)};
    }
  }
}

double MatmulCase::Real(size_t i, size_t c) const {
  const Channel& channel = channels_[c];
  const double bias = channel.bias.value_or(0);
  const double y = reference::LayerOutput(acc_[i * shape_.n + c], scale_x_, channel.scale,
                                          channel.bias.has_value() ? &bias : nullptr);
  if (!channel.batch_norm.has_value()) return y;
  const BatchNorm& bn = *channel.batch_norm;
  return reference::BatchNormalize(y, bn.gamma, bn.beta, bn.mean, bn.variance, epsilon_);
}

void MatmulCase::ChooseOutput(Random& random) {
  const bool ties = shape_.style == MatmulStyle::kTies;
  constexpr OutputType kUncoded[] = {OutputType::kF32, OutputType::kF64, OutputType::kF16, OutputType::kBF16,
                                     OutputType::kS32};
  const bool fits = std::all_of(acc_.begin(), acc_.end(), [](int64_t acc) { return acc == static_cast<int32_t>(acc); });
  epilogue_.narrow = fits && random.Chance(0.8);  // what is not said must be right, too
  type_ = random.Chance(0.7) || ties ? (random.Chance(0.6) ? OutputType::kU8 : OutputType::kU16)
                                     : kUncoded[random.Size(0, fits ? 4 : 3)];
  grid_ = {static_cast<int>(random.Chance(0.7) ? 8 : random.Int(2, 7)), false};
  if (type_ == OutputType::kU16) grid_.bitwidth = static_cast<int>(random.Chance(0.7) ? 16 : random.Int(9, 15));
  double largest = 0;
  for (double y : real_) largest = std::max(largest, std::abs(y));
  // From a third of the outputs saturated to a few codes in use.
  double step = (largest + 0.01) / (static_cast<double>(grid_.qmax()) * random.Real(0.1, 2));
  if (!ties && random.Chance(0.05)) step *= std::pow(10.0, -random.Real(2, 9));  // far beyond any fixed point
  auto& to = epilogue_.to;
  to.scale = ties ? std::ldexp(1.0f, std::max(-12, std::ilogb(step))) : static_cast<float>(step);
  to.offset = static_cast<int32_t>(random.Int(-grid_.qmax(), 0));
  to.qmax = static_cast<int32_t>(grid_.qmax());
  const int64_t profile = random.Int(0, 2);
  to.profile = profile == 0   ? RoundingProfile::kAimetDiv
               : profile == 1 ? RoundingProfile::kAimetOnnx
                              : RoundingProfile::kAimetFakequant;
  if (random.Chance(0.3)) clip_min_ = 0;
  if (random.Chance(0.2)) clip_max_ = static_cast<float>(random.Real(0.1, 1) * largest);
  to.lo = static_cast<int32_t>(reference::QuantizeReal(clip_min_, grid_, to.scale, to.offset, to.profile).code);
  to.hi = static_cast<int32_t>(reference::QuantizeReal(clip_max_, grid_, to.scale, to.offset, to.profile).code);
  out_stride_ = shape_.n + (random.Chance(0.5) ? random.Size(0, 70) : 0);
}

void MatmulCase::FillChannel(size_t c) {
  int64_t sum = 0;
  for (size_t l = 0; l < shape_.k; ++l) sum += w_[c * shape_.k + l];
  // 32-bit starts wrap, as the dots that they are added to may.
  (*start_u8_)[c] = static_cast<int32_t>(static_cast<uint64_t>(offset_x_ * sum));
  (*start_s8_)[c] = static_cast<int32_t>(static_cast<uint64_t>((offset_x_ + 128) * sum));
  (*start_wide_)[c] = offset_x_ * sum;
  (*start_u16_)[c] = static_cast<double>(offset_x_ * sum);
  (*start_s16_)[c] = static_cast<double>((offset_x_ + 128 * 257) * sum);
  (*scale_)[c] = static_cast<double>(scale_x_) * static_cast<double>(channels_[c].scale);
  if (bias_ != nullptr) (*bias_)[c] = *channels_[c].bias;
  if (bn_mean_ == nullptr) return;
  const BatchNorm& bn = *channels_[c].batch_norm;
  (*bn_mean_)[c] = bn.mean;
  (*bn_gain_)[c] = double{bn.gamma} / std::sqrt(double{bn.variance} + double{epsilon_});
  (*bn_beta_)[c] = bn.beta;
}

void MatmulCase::FillEpilogue() {
  const size_t n = shape_.n, padded = RoundUp(n, 64);
  start_u8_ = Guarded<int32_t>(padded);
  start_s8_ = Guarded<int32_t>(padded);
  start_wide_ = Guarded<int64_t>(padded);
  scale_ = Guarded<double>(padded);
  start_u16_ = Guarded<double>(padded);
  start_s16_ = Guarded<double>(padded);
  real_mul_ = Guarded<double>(padded);
  real_add_ = Guarded<double>(padded);
  fast_mul_ = Guarded<float>(padded);
  fast_add_ = Guarded<float>(padded);
  if (channels_[0].bias.has_value()) bias_ = Guarded<double>(padded);
  if (channels_[0].batch_norm.has_value()) {
    for (auto* array : {&bn_mean_, &bn_gain_, &bn_beta_}) *array = Guarded<double>(padded);
  }
  for (size_t c = 0; c < n; ++c) FillChannel(c);
  epilogue_.start_u8 = Data(start_u8_);
  epilogue_.start_s8 = Data(start_s8_);
  epilogue_.start_wide = Data(start_wide_);
  epilogue_.start_u16 = Data(start_u16_);
  epilogue_.start_s16 = Data(start_s16_);
  epilogue_.scale = Data(scale_);
  epilogue_.bias = Data(bias_);
  epilogue_.bn_mean = Data(bn_mean_);
  epilogue_.bn_gain = Data(bn_gain_);
  epilogue_.bn_beta = Data(bn_beta_);
  epilogue_.clip_min = clip_min_;
  epilogue_.clip_max = clip_max_;
  kernels::SetUpFastEpilogue(n, fast_mul_->data(), fast_add_->data(), &epilogue_);
  kernels::SetUpRealEpilogue(n, real_mul_->data(), real_add_->data(), &epilogue_);
}

void MatmulCase::Expect() {
  const size_t size = SizeOf(type_);
  const auto& to = epilogue_.to;
  expected_.assign(((shape_.m - 1) * out_stride_ + shape_.n) * size, std::byte{0xA5});
  for (size_t i = 0; i < shape_.m; ++i) {
    for (size_t c = 0; c < shape_.n; ++c) {
      double y = real_[i * shape_.n + c];
      if (y < clip_min_) y = clip_min_;
      if (y > clip_max_) y = clip_max_;
      std::byte* out = expected_.data() + (i * out_stride_ + c) * size;
      if (type_ == OutputType::kU8 || type_ == OutputType::kU16) {
        const reference::Rounded rounded = reference::QuantizeReal(y, grid_, to.scale, to.offset, to.profile);
        const auto code = static_cast<uint16_t>(rounded.code);
        exact_ties_ += std::abs(y / double{to.scale} - std::floor(y / double{to.scale})) == 0.5;
        std::memcpy(out, &code, size);
      } else if (type_ == OutputType::kS32) {
        const auto sum = static_cast<int32_t>(acc_[i * shape_.n + c]);
        std::memcpy(out, &sum, 4);
      } else {
        StoreReal(y, type_, out);
      }
    }
  }
}

::testing::AssertionResult MatmulCase::Check(const kernels::Variant<kernels::MatmulFn>& variant) const {
  GuardedBuffer<std::byte> out(expected_.size());
  MatmulArgs args{};
  args.a = reinterpret_cast<const uint8_t*>(a_->data());
  args.a_stride = a_stride_;
  args.m = shape_.m;
  args.n = shape_.n;
  args.k = shape_.k;
  args.w = packed_->data();
  args.block = shape_.block;
  args.epilogue = &epilogue_;
  args.out_type = type_;
  args.out = out.data();
  args.out_stride = out_stride_;
  args.scratch = scratch_->data();
  if (shape_.runs != 0) args.patches = &patches_;
  RunInTwoCalls(variant, args, cut_);
  return Compare(variant.name, out.data());
}

::testing::AssertionResult MatmulCase::Compare(const std::string& name, const std::byte* out) const {
  if (std::memcmp(out, expected_.data(), expected_.size()) == 0) return ::testing::AssertionSuccess();
  const auto difference = std::mismatch(expected_.begin(), expected_.end(), out);
  const size_t index = static_cast<size_t>(difference.first - expected_.begin()) / SizeOf(type_);
  const size_t row = index / out_stride_, channel = index % out_stride_;
  return ::testing::AssertionFailure() << name << ": " << shape_.ToString() << ", output type "
                                       << static_cast<int>(type_) << ": first difference at row " << row << ", channel "
                                       << channel << ", byte " << static_cast<int>(*difference.second) << " instead of "
                                       << static_cast<int>(*difference.first);
}

void CheckRandomShapes(MatmulKind kind, size_t cases, uint64_t stream) {
  CheckRandomShapes(kind, MatmulVariants(kind), cases, stream);
}

void CheckRandomShapes(MatmulKind kind, MatmulVariantSpan variants, size_t cases, uint64_t stream) {
  Random random(stream);
  size_t exact_ties = 0;
  for (size_t i = 0; i < Cases(cases); ++i) {
    MatmulShape shape;
    shape.weights = kind.weights;
    shape.wide = kind.wide;
    shape.m = random.LogSize(1, 400);
    shape.n = random.LogSize(1, 400);
    shape.k = random.LogSize(1, 400);
    shape.style = random.Chance(0.2)   ? MatmulStyle::kTies
                  : random.Chance(0.1) ? MatmulStyle::kEnds
                                       : MatmulStyle::kRandom;
    if (kind.weights == MatmulWeights::kS4) {
      shape.block = 4 * random.LogSize(1, 20);
      shape.k = shape.block * random.LogSize(1, std::max<size_t>(1, 400 / shape.block));
      shape.largest_scale = random.Chance(0.8) ? 16 : 255;
    } else if (kind.weights == MatmulWeights::kS8 && !kind.wide && random.Chance(0.3)) {
      shape.runs = random.Size(1, 5);
      shape.k = shape.runs * 4 * random.LogSize(1, 20);
    }
    const MatmulCase test(shape, random);
    exact_ties += test.exact_ties();
    for (const auto& variant : variants) ASSERT_TRUE(test.Check(variant));
  }
  EXPECT_GT(exact_ties, 10 * cases);
}

}  // namespace lq::testing
