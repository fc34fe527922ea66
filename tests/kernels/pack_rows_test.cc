#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "kernels/contracts_pack.h"
#include "kernels/packing.h"
#include "kernels/packing_blocks.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"

namespace lq::testing {
namespace {

using kernels::RowFormat;

struct RowsCase {
  size_t n, k, stride;  // n <= 64
  RowFormat format;
};

// What the scalar packers make of the same weights, as one panel or block; the scales behind the codes are cut off.
std::vector<uint8_t> Expected(const RowsCase& c, const std::vector<int32_t>& w) {
  const size_t channels = (c.n + 15) / 16 * 16;
  std::vector<uint8_t> out;
  switch (c.format) {
    case RowFormat::kS8:
      out.resize(kernels::PackedS8Bytes(c.n, c.k));
      kernels::PackS8(w.data(), c.n, c.k, reinterpret_cast<int8_t*>(out.data()));
      break;
    case RowFormat::kS4: {
      const kernels::PackedS4 layout = {c.n, c.k, c.k};
      out.resize(layout.Bytes());
      kernels::PackS4(layout, w.data(), std::vector<uint32_t>(c.n, 1).data(), out.data());
      out.resize(out.size() - channels);
      break;
    }
    case RowFormat::kBlockS8:
    case RowFormat::kBlockS4: {
      const kernels::PackedBlocks layout = {c.n, c.k, c.k, c.format == RowFormat::kBlockS4 ? 4 : 8, false};
      out.resize(layout.Bytes());
      const std::vector<float> scale(c.n, 1.0f);
      const std::vector<float> q(w.begin(), w.end());
      kernels::PackBlocks(layout, {q.data(), scale.data(), nullptr}, out.data());
      out.resize(out.size() - channels * sizeof(float));
      break;
    }
  }
  return out;
}

void Check(const RowsCase& c, Random& random) {
  const size_t channels = (c.n + 15) / 16 * 16;
  const bool nibbles = c.format == RowFormat::kS4 || c.format == RowFormat::kBlockS4;
  GuardedBuffer<int8_t> codes((channels - 1) * c.stride + c.k);
  for (int8_t& code : codes) code = static_cast<int8_t>(random.Int(-128, 127));  // between the rows too
  std::vector<int32_t> w(c.n * c.k);
  for (size_t i = 0; i < channels * c.k; ++i) {
    int8_t& code = codes[i / c.k * c.stride + i % c.k];
    code = static_cast<int8_t>(i >= w.size() ? 0 : nibbles ? random.Int(-8, 7) : random.Int(-128, 127));
    if (i < w.size()) w[i] = code;
  }
  const std::vector<uint8_t> expected = Expected(c, w);
  for (const auto& variant : kernels::PackRowsVariants()) {
    GuardedBuffer<uint8_t> out(expected.size());
    variant.run({codes.data(), channels, c.k, c.stride, c.format, out.data()});
    ASSERT_EQ(std::memcmp(out.data(), expected.data(), expected.size()), 0)
        << variant.name << " n " << c.n << " k " << c.k << " format " << static_cast<int>(c.format);
  }
}

TEST(PackRows, Random) {
  Random random(97);
  for (const RowFormat format : {RowFormat::kS8, RowFormat::kS4, RowFormat::kBlockS8, RowFormat::kBlockS4}) {
    for (size_t i = 0; i < Cases(300); ++i) {
      RowsCase c{random.Size(1, 64), random.LogSize(1, 300), 0, format};
      if (format == RowFormat::kS4) c.k = (c.k + 3) / 4 * 4;
      c.stride = c.k + (random.Chance(0.5) ? random.Size(0, 70) : 0);
      Check(c, random);
      if (HasFatalFailure()) return;
    }
  }
}

// The codes of `c` with rows of k, of the variants.
void CheckColumns(const RowsCase& c, Random& random) {
  GuardedBuffer<int8_t> codes((c.k - 1) * c.stride + c.n);
  for (int8_t& code : codes) code = static_cast<int8_t>(random.Int(-128, 127));
  std::vector<int32_t> w(c.n * c.k), sum(c.n), absolute_sum(c.n);
  for (size_t i = 0; i < w.size(); ++i) {
    int8_t& code = codes[i % c.k * c.stride + i / c.k];
    if (c.format == RowFormat::kS4) code = static_cast<int8_t>(random.Int(-8, 7));
    w[i] = code;
    sum[i / c.k] += w[i];
    absolute_sum[i / c.k] += std::abs(w[i]);
  }
  const std::vector<uint8_t> expected = Expected(c, w);
  for (const auto& variant : kernels::PackColumnsVariants()) {
    GuardedBuffer<uint8_t> out(expected.size());
    GuardedBuffer<int32_t> sums(c.n), absolute_sums(c.n);
    variant.run({codes.data(), c.n, c.k, c.stride, c.format, out.data(), sums.data(), absolute_sums.data()});
    const bool same = std::memcmp(out.data(), expected.data(), expected.size()) == 0;
    ASSERT_TRUE(same && std::equal(sum.begin(), sum.end(), sums.begin()) &&
                std::equal(absolute_sum.begin(), absolute_sum.end(), absolute_sums.begin()))
        << variant.name << " n " << c.n << " k " << c.k << " format " << static_cast<int>(c.format);
  }
}

TEST(PackRows, Columns) {
  Random random(98);
  for (const RowFormat format : {RowFormat::kS8, RowFormat::kS4}) {
    const size_t step = format == RowFormat::kS4 ? 8 : 4;
    for (size_t i = 0; i < Cases(300); ++i) {
      RowsCase c{16 * random.Size(1, 4), step * random.LogSize(1, 60), 0, format};
      c.stride = c.n + (random.Chance(0.5) ? random.Size(0, 70) : 0);
      CheckColumns(c, random);
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace lq::testing
