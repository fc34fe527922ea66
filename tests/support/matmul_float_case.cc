#include "tests/support/matmul_float_case.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/epilogue_setup.h"
#include "kernels/packing_blocks.h"
#include "kernels/reference/matmul_float.h"
#include "kernels/reference/reference.h"
#include "kernels/reference/small_floats.h"
#include "kernels/round_up.h"
#include "tests/support/matmul_outputs.h"

namespace lq::testing {
namespace {

using kernels::FloatType;
using kernels::OutputType;

size_t ElementBytes(FloatType type) { return type == FloatType::kF32 ? 4 : 2; }

float Wild(Random& random) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float values[] = {
      kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN(), 1e-41f, -1e-45f, 3e38f, -3e38f, -0.0f,
      0.0f,      1e-20f};
  return values[random.Size(0, std::size(values) - 1)];
}

}  // namespace

std::string MatmulFloatShape::ToString() const {
  return "m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " + std::to_string(k) + ", block " +
         std::to_string(block) + ", bits " + std::to_string(bits) + ", type " + std::to_string(static_cast<int>(type)) +
         (has_offsets ? ", offsets" : "") + (wild ? ", wild" : "") + ", output " +
         std::to_string(static_cast<int>(out)) + ", seed " + std::to_string(Seed());
}

std::span<const kernels::Variant<kernels::MatmulFloatFn>> MatmulFloatVariants(int bits) {
  if (bits == 32) return kernels::MatmulF32F32Variants();
  return bits == 4 ? kernels::MatmulF32S4Variants() : kernels::MatmulF32S8Variants();
}

MatmulFloatCase::MatmulFloatCase(const MatmulFloatShape& shape, Random& random) : shape_(shape) {
  MakeRows(random);
  MakeWeights(random);
  MakeEpilogue(random);
  scratch_ =
      std::make_unique<GuardedBuffer<std::byte>>(kernels::MatmulFloatScratchBytes(shape.m, shape.k, shape.block));
  out_stride_ = shape.n + (random.Chance(0.5) ? random.Size(0, 70) : 0);
  cut_ = random.Size(0, shape.n / 64) * 64;
  Expect();
}

void MatmulFloatCase::MakeRows(Random& random) {
  const size_t size = ElementBytes(shape_.type);
  a_stride_ = shape_.k + (random.Chance(0.5) ? random.Size(0, 70) : 0);
  a_ = std::make_unique<GuardedBuffer<std::byte>>(((shape_.m - 1) * a_stride_ + shape_.k) * size);
  a_values_.resize(shape_.m * shape_.k);
  // A few wild elements: with more, everything would be NaN.
  const double wild = shape_.wild ? 1.0 / static_cast<double>(shape_.k) : 0;
  for (size_t i = 0; i < a_values_.size(); ++i) {
    float value = random.Chance(wild) ? Wild(random) : random.Float(-4, 4);
    if (shape_.type == FloatType::kF16) value = reference::RoundToF16(value);
    if (shape_.type == FloatType::kBF16) value = reference::RoundToBF16(value);
    a_values_[i] = value;
    const uint16_t narrow = shape_.type == FloatType::kF16 ? reference::F16Bits(value) : reference::BF16Bits(value);
    std::byte* at = a_->data() + (i / shape_.k * a_stride_ + i % shape_.k) * size;
    if (size == 4) std::memcpy(at, &value, 4);
    if (size == 2) std::memcpy(at, &narrow, 2);
  }
}

void MatmulFloatCase::MakeWeights(Random& random) {
  const kernels::PackedBlocks layout = {shape_.n, shape_.k, shape_.block, shape_.bits, shape_.has_offsets};
  const int64_t top = shape_.bits == 4 ? 7 : 127;
  const double wild = shape_.wild ? 1.0 / static_cast<double>(shape_.k) : 0;  // of floats, as in MakeRows
  q_.resize(shape_.n * shape_.k);
  for (float& q : q_) {
    q = static_cast<float>(random.Int(-top - 1, top));
    if (shape_.bits == 32) q = random.Chance(wild) ? Wild(random) : random.Float(-2, 2);
  }
  scale_.resize(shape_.n * layout.blocks());
  for (float& scale : scale_) {
    scale = shape_.wild && random.Chance(0.05) ? std::ldexp(1.0f, static_cast<int>(random.Int(-140, 120)))
                                               : random.Float(0.001f, 0.1f);
  }
  if (shape_.has_offsets) offset_.resize(scale_.size());
  for (float& offset : offset_) offset = static_cast<float>(random.Int(-top - 1, top + 1));
  packed_ = std::make_unique<GuardedBuffer<std::byte>>(layout.Bytes());
  kernels::PackBlocks(layout, {q_.data(), scale_.data(), offset_.data()}, reinterpret_cast<uint8_t*>(packed_->data()));
}

void MatmulFloatCase::MakeEpilogue(Random& random) {
  const size_t padded = kernels::RoundUp(shape_.n, 64);
  for (auto* array : {&one_, &real_mul_, &real_add_}) *array = std::make_unique<GuardedBuffer<double>>(padded);
  std::fill(one_->begin(), one_->end(), 1.0);
  epilogue_.scale = one_->data();
  if (random.Chance(0.5)) {
    bias_ = std::make_unique<GuardedBuffer<double>>(padded);
    for (double& bias : *bias_) bias = double{random.Float(-3, 3)};
    epilogue_.bias = bias_->data();
  }
  epilogue_.clip_min = random.Chance(0.3) ? 0 : -HUGE_VAL;
  epilogue_.clip_max = random.Chance(0.3) ? 6 : HUGE_VAL;
  const Grid grid = {shape_.out == OutputType::kU16 ? 16 : 8, false};
  const auto qmax = static_cast<int32_t>(grid.qmax());
  const float step = random.Float(0.5f, 4) * std::sqrt(static_cast<float>(shape_.k)) / static_cast<float>(qmax);
  epilogue_.to = {step, -qmax / 2, 0, qmax, 0, qmax, RoundingProfile::kAimetDiv};
  const auto code = [&](double y) {
    return static_cast<int32_t>(reference::QuantizeReal(y, grid, step, epilogue_.to.offset, epilogue_.to.profile).code);
  };
  epilogue_.to.lo = code(epilogue_.clip_min);
  epilogue_.to.hi = code(epilogue_.clip_max);
  kernels::SetUpRealEpilogue(shape_.n, real_mul_->data(), real_add_->data(), &epilogue_);
}

double MatmulFloatCase::Expected(size_t row, size_t channel) const {
  const size_t k = shape_.k, blocks = scale_.size() / shape_.n;
  reference::BlockChannel weights = {
      std::span(q_).subspan(channel * k, k), std::span(scale_).subspan(channel * blocks, blocks), {}, shape_.block};
  if (shape_.has_offsets) weights.offset = std::span(offset_).subspan(channel * blocks, blocks);
  double y = double{reference::BlockTotal(std::span(a_values_).subspan(row * k, k), weights)};
  if (bias_ != nullptr) y = y + (*bias_)[channel];
  if (y < epilogue_.clip_min) y = epilogue_.clip_min;
  if (y > epilogue_.clip_max) y = epilogue_.clip_max;
  return y;
}

void MatmulFloatCase::Expect() {
  const size_t size = SizeOf(shape_.out);
  const Grid grid = {size == 2 ? 16 : 8, false};
  expected_.assign(((shape_.m - 1) * out_stride_ + shape_.n) * size, std::byte{0xA5});
  for (size_t i = 0; i < shape_.m; ++i) {
    for (size_t c = 0; c < shape_.n; ++c) {
      const double y = Expected(i, c);
      std::byte* out = expected_.data() + (i * out_stride_ + c) * size;
      if (shape_.out != OutputType::kU8 && shape_.out != OutputType::kU16) {
        StoreReal(y, shape_.out, out);
        continue;
      }
      const auto& to = epilogue_.to;
      int64_t code = reference::QuantizeReal(y, grid, to.scale, to.offset, to.profile).code;
      if (std::isnan(y)) code = to.lo;
      std::memcpy(out, &code, size);  // little endian
    }
  }
}

::testing::AssertionResult MatmulFloatCase::Check(const kernels::Variant<kernels::MatmulFloatFn>& variant) const {
  GuardedBuffer<std::byte> out(expected_.size());
  kernels::MatmulFloatArgs args{};
  args.a = a_->data();
  args.a_type = shape_.type;
  args.a_stride = a_stride_;
  args.m = shape_.m;
  args.n = shape_.n;
  args.k = shape_.k;
  args.w = packed_->data();
  args.block = shape_.block;
  args.has_offsets = shape_.has_offsets;
  args.epilogue = &epilogue_;
  args.out_type = shape_.out;
  args.out = out.data();
  args.out_stride = out_stride_;
  args.scratch = scratch_->data();
  RunInTwoCalls(variant, args, cut_);
  const size_t size = SizeOf(shape_.out);
  for (size_t i = 0; i < expected_.size() / size; ++i) {
    if (SameOutput(shape_.out, out.data() + i * size, expected_.data() + i * size)) continue;
    return ::testing::AssertionFailure() << variant.name << ": " << shape_.ToString() << ": first difference at row "
                                         << i / out_stride_ << ", channel " << i % out_stride_;
  }
  return ::testing::AssertionSuccess();
}

void CheckRandomFloatShapes(int bits, size_t cases, uint64_t stream) {
  Random random(stream);
  const FloatType types[] = {FloatType::kF32, FloatType::kF32, FloatType::kF16, FloatType::kBF16};
  const OutputType outs[] = {OutputType::kF32,  OutputType::kF64, OutputType::kF16,
                             OutputType::kBF16, OutputType::kU8,  OutputType::kU16};
  for (size_t i = 0; i < Cases(cases); ++i) {
    MatmulFloatShape shape = {random.LogSize(1, 60), random.LogSize(1, 400), random.LogSize(1, 400), 0, bits};
    shape.block = random.Chance(0.5) ? 8 * random.LogSize(1, 16) : random.LogSize(1, 300);
    shape.type = types[random.Size(0, 3)];
    shape.has_offsets = random.Chance(0.4);
    shape.wild = random.Chance(0.2);
    shape.out = outs[random.Size(0, 5)];
    const MatmulFloatCase test(shape, random);
    for (const auto& variant : MatmulFloatVariants(bits)) ASSERT_TRUE(test.Check(variant));
  }
}

}  // namespace lq::testing
