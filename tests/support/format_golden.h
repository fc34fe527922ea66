// The cases of tests/golden/float_formats and tests/golden/block_formats. Their README files say what the arrays are.
#ifndef LANEQUANT_TESTS_SUPPORT_FORMAT_GOLDEN_H_
#define LANEQUANT_TESTS_SUPPORT_FORMAT_GOLDEN_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "kernels/reference/small_floats.h"
#include "lanequant/block_quantize.h"
#include "lanequant/float_quantize.h"
#include "runtime/io/npz.h"
#include "tests/support/temp_folder.h"

namespace lq::testing {

// CASE.ARRAY of an archive.
class GoldenCases {
 public:
  explicit GoldenCases(const std::string& path) {
    Result<std::vector<NamedArray>> arrays = ReadNpz(GoldenPath(path));
    EXPECT_TRUE(arrays.ok()) << arrays.status().message();
    if (!arrays.ok()) return;
    for (NamedArray& array : *arrays) {
      const size_t dot = array.name.rfind('.');
      cases_[array.name.substr(0, dot)][array.name.substr(dot + 1)] = std::move(array);
    }
  }

  using Arrays = std::map<std::string, NamedArray>;
  const std::map<std::string, Arrays>& cases() const { return cases_; }

 private:
  std::map<std::string, Arrays> cases_;
};

template <class T>
std::vector<T> ValuesOf(const NamedArray& array) {
  std::vector<T> values(array.bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
  return values;
}

// Element i of f32, f16 or bf16 data.
inline float FloatAt(DType dtype, const std::byte* data, size_t i) {
  if (dtype == DType::kF32) {
    float value = 0;
    std::memcpy(&value, data + 4 * i, 4);
    return value;
  }
  uint16_t bits = 0;
  std::memcpy(&bits, data + 2 * i, 2);
  return dtype == DType::kF16 ? reference::FloatOfF16(bits) : reference::FloatOfBF16(bits);
}

// The same bits, or both NaN.
inline bool SameFloat(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) || std::memcmp(&a, &b, sizeof(float)) == 0;
}

struct FloatCase {
  FloatFormat format;
  DType in = DType::kF32, out = DType::kF32;
  bool saturate = true;
};
inline FloatCase FloatCaseOf(const NamedArray& numbers) {
  constexpr DType kTypes[] = {DType::kF32, DType::kF16, DType::kBF16};
  const std::vector<int32_t> v = ValuesOf<int32_t>(numbers);
  return {{v[0], v[1], v[2] != 0, v[3] != 0}, kTypes[v[4]], kTypes[v[5]], v[6] != 0};
}

struct BlockCase {
  BlockFormat format;
  int64_t axis = -1;
};
inline BlockCase BlockCaseOf(const NamedArray& numbers) {
  const std::vector<int32_t> v = ValuesOf<int32_t>(numbers);
  const auto element = static_cast<BlockElement>(v[1]);
  const auto ties = static_cast<TieRounding>(v[2]);
  const BlockFormat formats[] = {OnnxMx(element, ties),    TorchMx(element, static_cast<BlockExponent>(v[2])),
                                 OnnxBfp(v[1], ties),      OnnxCompilerBfp(ties),
                                 OnnxBfpPrime(v[1], ties), TorchBfp16(),
                                 TorchMxPairs(v[1], v[3])};
  BlockCase result{formats[v[0]], v[4]};
  result.format.block_size = v[3];
  result.format.sub_block_size = std::max(result.format.sub_block_size, int64_t{v[5]});
  if (v[6] != 0) result.format.sub_block_shift_bits = v[6];
  result.format.rounds_to_bfloat16_first = v[7] != 0;
  return result;
}

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_FORMAT_GOLDEN_H_
