#include "tests/support/affine_case.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>

#include "kernels/reference/small_floats.h"

namespace lq::testing {
namespace {

using kernels::Arithmetic;
using kernels::CodeType;
using kernels::FloatType;

template <class T>
T Read(const std::byte* p, size_t i) {
  T value;
  std::memcpy(&value, p + i * sizeof(T), sizeof(T));
  return value;
}
template <class T>
void Write(std::byte* p, size_t i, T value) {
  std::memcpy(p + i * sizeof(T), &value, sizeof(T));
}

size_t BitsOf(CodeType type) {
  switch (type) {
    case CodeType::kU2:
    case CodeType::kS2:
      return 2;
    case CodeType::kU4:
    case CodeType::kS4:
      return 4;
    case CodeType::kU8:
    case CodeType::kS8:
      return 8;
    case CodeType::kU16:
    case CodeType::kS16:
      return 16;
    case CodeType::kS32:
      break;
  }
  return 32;
}

bool IsUnsigned(CodeType type) {
  return type == CodeType::kU2 || type == CodeType::kU4 || type == CodeType::kU8 || type == CodeType::kU16;
}

float RoundTo(Arithmetic arithmetic, float value) {
  if (arithmetic == Arithmetic::kF16) return reference::RoundToF16(value);
  if (arithmetic == Arithmetic::kBF16) return reference::RoundToBF16(value);
  return value;
}

// Every order of magnitude of a float, the smallest and the largest included; often a power of two.
float RandomScale(Random& random) {
  if (random.Chance(0.2)) return std::ldexp(1.0f, static_cast<int>(random.Int(-10, 4)));
  if (random.Chance(0.01)) return std::ldexp(random.Float(1, 2), static_cast<int>(random.Int(-149, 127)));
  return std::exp(random.Float(-8, 3));
}

// Integers up to this, and their sums in the grids drawn here, are values of the type.
int64_t LargestOffset(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::kF16 ? 2048 : arithmetic == Arithmetic::kBF16 ? 256 : 1 << 24;
}

}  // namespace

size_t BytesOf(FloatType type) { return type == FloatType::kF32 ? 4 : 2; }

float FloatAt(const std::byte* floats, FloatType type, size_t i) {
  if (type == FloatType::kF32) return Read<float>(floats, i);
  const uint16_t bits = Read<uint16_t>(floats, i);
  return type == FloatType::kF16 ? reference::FloatOfF16(bits) : reference::FloatOfBF16(bits);
}

void SetFloat(std::byte* floats, FloatType type, size_t i, float value) {
  if (type == FloatType::kF32) return Write(floats, i, value);
  Write(floats, i, type == FloatType::kF16 ? reference::F16Bits(value) : reference::BF16Bits(value));
}

bool SameFloat(const std::byte* a, const std::byte* b, FloatType type, size_t i) {
  const size_t bytes = BytesOf(type);
  if (std::memcmp(a + i * bytes, b + i * bytes, bytes) == 0) return true;
  return std::isnan(FloatAt(a, type, i)) && std::isnan(FloatAt(b, type, i));
}

size_t BytesOf(CodeType type, size_t n) { return (n * BitsOf(type) + 7) / 8; }

int64_t LowestOf(CodeType type) { return IsUnsigned(type) ? 0 : -(int64_t{1} << (BitsOf(type) - 1)); }
int64_t HighestOf(CodeType type) { return LowestOf(type) + (int64_t{1} << BitsOf(type)) - 1; }

int64_t CodeAt(const std::byte* codes, CodeType type, size_t i) {
  const size_t bits = BitsOf(type);
  uint64_t word = 0;
  std::memcpy(&word, codes + i * bits / 8, (bits + 7) / 8);
  word = word >> (i * bits % 8) & ((uint64_t{1} << bits) - 1);
  const auto code = static_cast<int64_t>(word);
  return code > HighestOf(type) ? code - (int64_t{1} << bits) : code;
}

void SetCode(std::byte* codes, CodeType type, size_t i, int64_t code) {
  const size_t bits = BitsOf(type), at = i * bits % 8;
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  uint64_t word = 0;
  std::memcpy(&word, codes + i * bits / 8, (bits + 7) / 8);
  word = (word & ~(mask << at)) | (static_cast<uint64_t>(code) & mask) << at;
  std::memcpy(codes + i * bits / 8, &word, (bits + 7) / 8);
}

AffineCase::AffineCase(size_t elements, size_t count, size_t run, Random& random)
    : n(elements),
      type(static_cast<FloatType>(random.Int(0, 2))),
      profile(static_cast<RoundingProfile>(random.Int(0, 3))),
      stream(random.Chance(0.3)),
      guard(GuardOf(random)),
      scale(count, guard),
      offset(count, guard) {
  DrawArithmetic(random);
  DrawGrid(random);
  const bool shifts = profile == RoundingProfile::kAimetDiv || profile == RoundingProfile::kAimetOnnx;
  shift = shifts && random.Chance(0.25) ? 0.5f : 0.0f;
  DrawScales(random);
  layout = {scale.data(), offset.data(), count, run};
}

void AffineCase::DrawArithmetic(Random& random) {
  arithmetic = random.Chance(0.15) ? Arithmetic::kF64 : Arithmetic::kF32;
  const bool divides = profile == RoundingProfile::kAimetDiv || profile == RoundingProfile::kOnnx;
  if (!divides || type == FloatType::kF32 || random.Chance(0.5)) return;
  arithmetic = type == FloatType::kF16 ? Arithmetic::kF16 : Arithmetic::kBF16;
}

void AffineCase::DrawGrid(Random& random) {
  const int widest = arithmetic == Arithmetic::kF64    ? 32
                     : arithmetic == Arithmetic::kF16  ? 10
                     : arithmetic == Arithmetic::kBF16 ? 7
                                                       : (random.Chance(0.1) ? 21 : 16);
  const int bits = static_cast<int>(random.Chance(0.7) ? random.Int(2, std::min(widest, 8)) : random.Int(2, widest));
  qmin = random.Chance(0.5) ? 0 : -(int64_t{1} << (bits - 1));
  qmax = qmin + (int64_t{1} << bits) - 1;
  if (random.Chance(0.2)) {
    qmin = random.Int(qmin, qmax - 1);
    qmax = random.Int(qmin + 1, qmax);
  }
  do {
    code = static_cast<CodeType>(random.Int(0, 8));
  } while (HasCodes() && (qmin < LowestOf(code) || qmax > HighestOf(code)));
}

void AffineCase::DrawScales(Random& random) {
  const bool far = random.Chance(0.1), symmetric = random.Chance(0.4), extreme = random.Chance(0.1);
  const int64_t largest = LargestOffset(arithmetic);
  const int64_t reach = far ? largest : std::min(largest, std::max(std::abs(qmin), std::abs(qmax)));
  for (size_t i = 0; i < scale.size(); ++i) {
    float s = RoundTo(arithmetic, RandomScale(random));
    // One that the fast rules do not take sends its whole row or group the literal way: in few cases only.
    if (!extreme) s = RoundTo(arithmetic, std::exp(random.Float(-8, 3)));
    scale[i] = s > 0 && std::isfinite(s) ? s : 1.0f;
    offset[i] = symmetric ? 0 : static_cast<int32_t>(random.Int(-reach, reach));
  }
}

reference::AffineRule AffineCase::RuleOf(size_t i) const {
  const size_t k = ScaleOf(i);
  return {scale[k], offset[k], shift, qmin, qmax, profile, arithmetic};
}

float AffineCase::ValueFor(size_t i, Random& random) const {
  constexpr float kSpecial[] = {0.0f,
                                -0.0f,
                                1e-45f,
                                -1e-45f,
                                1e-40f,
                                3.4028235e38f,
                                -3.4028235e38f,
                                1e6f,
                                -1e6f,
                                std::numeric_limits<float>::infinity(),
                                -std::numeric_limits<float>::infinity(),
                                std::numeric_limits<float>::quiet_NaN()};
  if (random.Chance(0.03)) return kSpecial[random.Size(0, std::size(kSpecial) - 1)];
  const size_t k = ScaleOf(i);
  const double unit = static_cast<double>(random.Int(qmin - 3, qmax + 3) + offset[k]) + double{shift};
  if (random.Chance(0.1)) return static_cast<float>(random.Real(-1e-3, 1e-3) * scale[k]);
  if (random.Chance(0.5)) return static_cast<float>((unit + random.Real(-0.5, 0.5)) * scale[k]);
  const float half_way = static_cast<float>((unit + 0.5) * scale[k]);
  const float next = random.Chance(0.5) ? -3.4028235e38f : 3.4028235e38f;
  return random.Chance(0.5) ? half_way : std::nextafter(half_way, next);
}

std::string AffineCase::ToString() const {
  constexpr const char* kFloats[] = {"f32", "f16", "bf16"};
  constexpr const char* kCodes[] = {"u8", "s8", "u16", "s16", "s32", "u4", "s4", "u2", "s2"};
  constexpr const char* kArithmetics[] = {"f32", "f16", "bf16", "f64"};
  constexpr const char* kProfiles[] = {"aimet_div", "aimet_fakequant", "aimet_onnx", "onnx"};
  return "n " + std::to_string(n) + ", " + std::to_string(layout.count) + " scales, runs of " +
         std::to_string(layout.run) + ", " + kProfiles[static_cast<size_t>(profile)] + " in " +
         kArithmetics[static_cast<size_t>(arithmetic)] + ", shift " + std::to_string(shift) + ", " +
         kFloats[static_cast<size_t>(type)] + ", grid " + std::to_string(qmin) + ".." + std::to_string(qmax) + " as " +
         kCodes[static_cast<size_t>(code)] + (stream ? ", stream" : "");
}

}  // namespace lq::testing
