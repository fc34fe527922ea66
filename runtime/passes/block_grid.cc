#include "runtime/passes/block_grid.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace lq {
namespace {

constexpr int kFractionBits = 24;  // of float32, with the leading one

// The values of a block so far: their range, and the exponent of the last bit that any of them has.
struct Bits {
  float low = 0, high = 0;
  int last = 128;

  void Add(float value) {
    if (value == 0) return;
    int exponent = 0;
    const auto fraction = static_cast<uint32_t>(std::ldexp(std::frexp(std::abs(value), &exponent), kFractionBits));
    low = std::min(low, value);
    high = std::max(high, value);
    last = std::min(last, exponent - kFractionBits + std::countr_zero(fraction));
  }
  bool IsZero() const { return low == 0 && high == 0; }
  // Whether the codes lie on the grid.
  bool Fits(const Grid& grid) const {
    return IsZero() || (std::ldexp(static_cast<double>(low), -last) >= static_cast<double>(grid.qmin()) &&
                        std::ldexp(static_cast<double>(high), -last) <= static_cast<double>(grid.qmax()));
  }
};

}  // namespace

std::optional<Encoding> BlockGridOf(const Constant& matrix, size_t block_axis, int64_t block_size) {
  if (matrix.dtype != DType::kF32 || matrix.shape.rank() != 2 || matrix.f32.empty()) return std::nullopt;
  const auto length = static_cast<size_t>(matrix.shape[block_axis]), size = static_cast<size_t>(block_size);
  if (block_size < 1 || length % size != 0) return std::nullopt;
  const auto channels = static_cast<size_t>(matrix.shape[1 - block_axis]), blocks = length / size;
  const size_t columns = static_cast<size_t>(matrix.shape[1]);
  std::vector<Bits> bits(channels * blocks);  // [channel][block]
  for (size_t i = 0; i < matrix.f32.size(); ++i) {
    if (!std::isfinite(matrix.f32[i])) return std::nullopt;
    const size_t row = i / columns, column = i % columns;
    const size_t channel = block_axis == 0 ? column : row, at = block_axis == 0 ? row : column;
    bits[channel * blocks + at / size].Add(matrix.f32[i]);
  }
  PerBlock encoding{{4, true}, 1 - block_axis, block_axis, block_size, {}, std::vector<int32_t>(bits.size(), 0)};
  for (const Bits& block : bits) {
    if (!block.Fits(encoding.grid)) encoding.grid.bitwidth = 8;
    encoding.scale.push_back(block.IsZero() ? 1.0f : std::ldexp(1.0f, block.last));
  }
  const bool fits = std::all_of(bits.begin(), bits.end(), [&](const Bits& b) { return b.Fits(encoding.grid); });
  if (!fits) return std::nullopt;
  return Encoding(std::move(encoding));
}

}  // namespace lq
