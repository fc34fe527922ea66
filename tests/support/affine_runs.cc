// The library's side of affine_oracle.h.
#include <gtest/gtest.h>

#include <cstring>

#include "lanequant/target.h"
#include "tests/support/affine_oracle.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/tensor_codec.h"

namespace lq::testing {
namespace {

// Bytes that end at a guard page (or, misaligned, that many bytes before it).
class Placed {
 public:
  Placed(size_t size, size_t misalignment) : size_(size), buffer_(size + misalignment) {}
  Placed(std::span<const std::byte> bytes, size_t misalignment) : Placed(bytes.size(), misalignment) {
    if (!bytes.empty()) std::memcpy(buffer_.data(), bytes.data(), bytes.size());
  }
  std::span<std::byte> bytes() { return {buffer_.data(), size_}; }

 private:
  size_t size_;
  GuardedBuffer<std::byte> buffer_;
};

// An AffineQuantizer and what it points to.
class Placement {
 public:
  Placement(const AffineProblem& problem, size_t misalignment)
      : scale_(EncodeFloats(problem.scale_type, problem.scale), misalignment),
        offset_(OffsetBytes(problem), misalignment) {
    quantizer.scale = {problem.scale_type, problem.scale_shape, scale_.bytes()};
    const DType offset_type = problem.float_offsets ? DType::kF32 : DType::kS32;
    if (!problem.offset.empty()) quantizer.offset = {offset_type, problem.scale_shape, offset_.bytes()};
    quantizer.block_size = problem.block_size;
    quantizer.qmin = problem.qmin, quantizer.qmax = problem.qmax;
    quantizer.zero_point_shift = problem.shift;
    quantizer.profile = problem.profile;
  }

  AffineQuantizer quantizer;

 private:
  static std::vector<std::byte> OffsetBytes(const AffineProblem& problem) {
    if (problem.float_offsets) {
      return EncodeFloats(DType::kF32, std::vector<float>(problem.offset.begin(), problem.offset.end()));
    }
    return EncodeCodes(DType::kS32, std::vector<int64_t>(problem.offset.begin(), problem.offset.end()));
  }

  Placed scale_, offset_;
};

bool Succeeded(const Status& status, const AffineProblem& problem) {
  EXPECT_TRUE(status.ok()) << status.message() << "\n" << problem.ToString();
  return status.ok();
}

}  // namespace

std::vector<int64_t> RunQuantize(const AffineProblem& problem, std::span<const float> in, const AffineRun& run) {
  Placement placement(problem, run.misalignment);
  Placed x(EncodeFloats(problem.real, in), run.misalignment);
  Placed out(BytesOf(problem.codes, problem.shape.NumElements()), run.misalignment);
  const Status status = Quantize({problem.real, problem.shape, x.bytes()}, placement.quantizer,
                                 {problem.codes, problem.shape, out.bytes()}, run.options);
  if (!Succeeded(status, problem)) return {};
  std::vector<int64_t> codes = DecodeCodes(problem.codes, out.bytes(), in.size());
  const std::vector<std::byte> again = EncodeCodes(problem.codes, codes);  // spare bits are 0
  EXPECT_TRUE(std::ranges::equal(again, out.bytes())) << problem.ToString();
  return codes;
}

std::vector<float> RunDequantize(const AffineProblem& problem, std::span<const int64_t> codes, const AffineRun& run) {
  Placement placement(problem, run.misalignment);
  Placed q(EncodeCodes(problem.codes, codes), run.misalignment);
  Placed out(BytesOf(problem.real, problem.shape.NumElements()), run.misalignment);
  const Status status = Dequantize({problem.codes, problem.shape, q.bytes()}, placement.quantizer,
                                   {problem.real, problem.shape, out.bytes()}, run.options);
  if (!Succeeded(status, problem)) return {};
  return DecodeFloats(problem.real, out.bytes(), codes.size());
}

std::vector<float> RunQuantizeDequantize(const AffineProblem& problem, std::span<const float> in,
                                         const AffineRun& run) {
  Placement placement(problem, run.misalignment);
  Placed x(EncodeFloats(problem.real, in), run.misalignment);
  Placed out(BytesOf(problem.real, problem.shape.NumElements()), run.misalignment);
  const Status status = QuantizeDequantize({problem.real, problem.shape, x.bytes()}, placement.quantizer,
                                           {problem.real, problem.shape, out.bytes()}, run.options);
  if (!Succeeded(status, problem)) return {};
  return DecodeFloats(problem.real, out.bytes(), in.size());
}

std::vector<std::string> RunnableTargets() {
  std::vector<std::string> names;
  for (const TargetInfo& target : CompiledTargets()) {
    if (target.supported) names.push_back(target.name);
  }
  return names;
}

}  // namespace lq::testing
