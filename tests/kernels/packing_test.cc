#include "kernels/packing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/support/guarded_buffer.h"
#include "tests/support/random.h"

namespace lq::testing {
namespace {

// Expected places are worked out from the layouts that packing.h states: where one element must be, not how to walk
// them.

size_t Padded(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

std::vector<int32_t> RandomWeights(size_t count, int64_t low, int64_t high, Random& random) {
  std::vector<int32_t> w(count);
  for (int32_t& value : w) value = static_cast<int32_t>(random.Int(low, high));
  return w;
}

// Index of element (c, l) in [panel][k / depth][group][16][depth].
size_t RowsIndex(size_t c, size_t l, size_t n, size_t k, size_t depth) {
  const size_t panel = c / 64 * 64;
  const size_t channels = std::min<size_t>(64, Padded(n, 16) - panel);
  return panel * Padded(k, depth) + l / depth * channels * depth + c % 64 * depth + l % depth;
}

template <class T>
void ExpectRows(const GuardedBuffer<T>& packed, const std::vector<int32_t>& w, size_t n, size_t k, size_t depth) {
  std::vector<int32_t> expected(Padded(n, 16) * Padded(k, depth), 0);
  ASSERT_EQ(packed.size(), expected.size());
  for (size_t c = 0; c < n; ++c) {
    for (size_t l = 0; l < k; ++l) expected[RowsIndex(c, l, n, k, depth)] = w[c * k + l];
  }
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_EQ(packed[i], expected[i]) << "n " << n << ", k " << k << ", " << i;
}

TEST(Packing, S8AndS16) {
  Random random(1);
  for (size_t i = 0; i < Cases(200); ++i) {
    const size_t n = random.LogSize(1, 200), k = random.LogSize(1, 40);
    const std::vector<int32_t> s8 = RandomWeights(n * k, -128, 127, random);
    GuardedBuffer<int8_t> packed8(kernels::PackedS8Bytes(n, k));
    kernels::PackS8(s8.data(), n, k, packed8.data());
    ExpectRows(packed8, s8, n, k, 4);
    const std::vector<int32_t> s16 = RandomWeights(n * k, -32768, 32767, random);
    GuardedBuffer<int16_t> packed16(kernels::PackedS16Bytes(n, k) / 2);
    kernels::PackS16(s16.data(), n, k, packed16.data());
    ExpectRows(packed16, s16, n, k, 2);
    for (size_t n0 = 0; n0 < n; n0 += 64) {
      EXPECT_EQ(kernels::PanelS8Offset(n0, k), RowsIndex(n0, 0, n, k, 4));
      EXPECT_EQ(kernels::PanelS16Offset(n0, k), 2 * RowsIndex(n0, 0, n, k, 2));
    }
  }
}

TEST(Packing, PanelGroups) {
  EXPECT_EQ(kernels::PanelGroups(1, 0), 1u);
  EXPECT_EQ(kernels::PanelGroups(16, 0), 1u);
  EXPECT_EQ(kernels::PanelGroups(17, 0), 2u);
  EXPECT_EQ(kernels::PanelGroups(64, 0), 4u);
  EXPECT_EQ(kernels::PanelGroups(65, 0), 4u);
  EXPECT_EQ(kernels::PanelGroups(65, 64), 1u);
}

// One panel of a packed LPBQ layer, element by element.
class S4Panel {
 public:
  S4Panel(const kernels::PackedS4& layout, const uint8_t* bytes, size_t n0)
      : layout_(layout), groups_(kernels::PanelGroups(layout.n, n0)), bytes_(bytes + layout.PanelOffset(n0)) {}

  int Nibble(size_t c, size_t k) const {
    const size_t quad = k % Superblock() / 4;
    const uint8_t byte = bytes_[Base(k / layout_.block) + quad / 2 * groups_ * 64 + c * 4 + k % 4];
    return quad % 2 == 0 ? byte & 15 : byte >> 4;
  }
  int Scale(size_t c, size_t block) const {
    const size_t first = block / Step() * Step();
    const size_t blocks = std::min(Step(), layout_.k / layout_.block - first);
    const size_t rows = (blocks * layout_.block / 4 + 1) / 2;
    return bytes_[Base(block) + rows * groups_ * 64 + (block - first) * groups_ * 16 + c];
  }

 private:
  size_t Step() const { return layout_.block % 8 == 0 ? 1 : 2; }
  size_t Superblock() const { return Step() * layout_.block; }
  // Superblocks before the one that holds `block`, all full: half a byte per weight, a byte per channel and block.
  size_t Base(size_t block) const { return block / Step() * groups_ * 16 * (Superblock() / 2 + Step()); }

  const kernels::PackedS4& layout_;
  size_t groups_;
  const uint8_t* bytes_;
};

void CheckS4(size_t n, size_t block, size_t blocks, Random& random) {
  const size_t k = block * blocks;
  const kernels::PackedS4 layout = {n, k, block};
  const std::vector<int32_t> q = RandomWeights(n * k, -8, 7, random);
  const std::vector<int32_t> scale = RandomWeights(n * blocks, 1, 255, random);
  GuardedBuffer<uint8_t> packed(layout.Bytes());
  kernels::PackS4(layout, q.data(), std::vector<uint32_t>(scale.begin(), scale.end()).data(), packed.data());
  for (size_t c = 0; c < Padded(n, 16); ++c) {
    const S4Panel panel(layout, packed.data(), c / 64 * 64);
    for (size_t l = 0; l < k; ++l) {
      ASSERT_EQ(panel.Nibble(c % 64, l), c < n ? q[c * k + l] + 8 : 8) << "channel " << c << ", k " << l;
    }
    for (size_t b = 0; b < blocks && c < n; ++b) ASSERT_EQ(panel.Scale(c % 64, b), scale[c * blocks + b]);
  }
}

TEST(Packing, S4) {
  Random random(2);
  for (size_t block : {4, 8, 12, 16, 20, 64}) {
    for (size_t blocks : {1, 2, 3, 4}) {
      for (size_t n : {1, 16, 17, 64, 65, 150}) CheckS4(n, block, blocks, random);
    }
  }
}

// The sizes that documents quote: 4.125 bits a weight at block 64, one superblock of two for odd blocks.
TEST(Packing, S4Bytes) {
  EXPECT_EQ((kernels::PackedS4{4096, 4096, 64}.Bytes()), 4096u * 4096u / 64u * 33u);
  EXPECT_EQ((kernels::PackedS4{16, 12, 12}.Bytes()), 16u * 8u + 16u);
  EXPECT_EQ((kernels::PackedS4{16, 24, 12}.Bytes()), 16u * 12u + 32u);
}

TEST(Packing, Depthwise) {
  Random random(3);
  for (size_t channels : {1, 15, 16, 17, 40}) {
    for (size_t taps : {1, 2, 9, 25}) {
      const std::vector<int32_t> w = RandomWeights(channels * taps, -32768, 32767, random);
      GuardedBuffer<int16_t> packed(kernels::PackedDepthwiseCount(channels, taps));
      kernels::PackDepthwise(w.data(), channels, taps, packed.data());
      const size_t padded = Padded(channels, 16);
      ASSERT_EQ(packed.size(), padded * Padded(taps, 2));
      for (size_t i = 0; i < packed.size(); ++i) {
        const size_t tap = i / (2 * padded) * 2 + i % 2, channel = i / 2 % padded;
        const int32_t expected = channel < channels && tap < taps ? w[channel * taps + tap] : 0;
        ASSERT_EQ(packed[i], expected) << channels << " channels, " << taps << " taps, " << i;
      }
    }
  }
}

// Walks the layout as packing.h writes it, from weights to bytes.
void CheckDepthwiseS8(const kernels::PackedDepthwiseS8& layout, size_t out_rows, size_t quads, size_t pixels,
                      Random& random) {
  ASSERT_EQ(layout.output_rows(), out_rows);
  ASSERT_EQ(layout.quads(), quads);
  ASSERT_EQ(layout.pixels(), pixels);
  const size_t taps = layout.kernel_height * layout.kernel_width;
  const std::vector<int32_t> w = RandomWeights(layout.channels * taps, -128, 127, random);
  GuardedBuffer<int8_t> packed(layout.Bytes());
  kernels::PackDepthwiseS8(layout, w.data(), packed.data());
  std::vector<int32_t> expected(packed.size(), 0);
  const size_t chunks = (layout.channels + 63) / 64;
  for (size_t chunk = 0; chunk < chunks; ++chunk) {
    for (size_t lane = 0; lane < 64; ++lane) {
      const size_t first = layout.channels < 64 ? 0 : chunk + 1 == chunks ? layout.channels - 64 : chunk * 64;
      if (pixels == 1 && lane >= layout.channels) continue;
      const size_t channel = first + (pixels == 1 ? lane : lane % layout.channels);
      for (size_t tap = 0; tap < taps; ++tap) {
        for (size_t out_row = 0; out_row < out_rows; ++out_row) {
          const size_t row = tap / layout.kernel_width + out_row * layout.stride_height;
          const size_t quad = row / 4, column = tap % layout.kernel_width, vector = lane / 4 % 4;
          const size_t v = (((chunk * quads + quad) * layout.kernel_width + column) * 4 + vector) * out_rows + out_row;
          expected[v * 64 + lane / 16 * 16 + lane % 4 * 4 + row % 4] = w[channel * taps + tap];
        }
      }
    }
  }
  for (size_t i = 0; i < packed.size(); ++i) ASSERT_EQ(packed[i], expected[i]) << "byte " << i;
}

TEST(Packing, DepthwiseS8) {
  Random random(5);
  for (size_t channels : {1, 48, 63, 64, 65, 96, 130}) {
    CheckDepthwiseS8({channels, 3, 3, 1, 1}, 2, 1, 1, random);
    CheckDepthwiseS8({channels, 3, 3, 2, 2}, 1, 1, 1, random);
    CheckDepthwiseS8({channels, 5, 4, 2, 2}, 2, 2, 1, random);
    CheckDepthwiseS8({channels, 8, 1, 1, 1}, 1, 2, 1, random);
  }
  CheckDepthwiseS8({16, 3, 3, 1, 1}, 2, 1, 4, random);
  CheckDepthwiseS8({32, 5, 5, 1, 1}, 2, 2, 2, random);
  CheckDepthwiseS8({32, 3, 3, 2, 2}, 1, 1, 1, random);
}

}  // namespace
}  // namespace lq::testing
