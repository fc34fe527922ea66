#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>

#include "kernels/contracts.h"
#include "kernels/reference/reference.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/images.h"

namespace lq {
namespace {

using kernels::AveragePoolArgs;
using kernels::AveragePoolFn;
using kernels::Variant;
using kernels::Window;
using testing::GuardedBuffer;

struct Case {
  testing::RandomWindow r;
  bool include_pad;
  float scale;
  int32_t offset;
  PerTensor out;
  RoundingProfile profile;
};

// `top`: the largest code of input and output, 255 or 65535.
Case Draw(testing::Random& random, int64_t top) {
  Case c{testing::DrawWindow(random, 100),
         random.Chance(0.5),
         random.Float(0.001f, 0.1f),
         static_cast<int32_t>(random.Int(-top, 0)),
         {},
         RoundingProfile::kAimetDiv};
  // Output scales that are a simple fraction of the input's put averages on exact ties.
  c.out = {{top == 255 ? 8 : 16, false},
           random.Chance(0.5) ? c.scale / 2 : random.Float(0.001f, 0.1f),
           static_cast<int32_t>(random.Int(-top, 0))};
  c.profile = static_cast<RoundingProfile>(random.Int(0, 2));
  return c;
}

reference::PoolGeometry Geometry(const Case& c) {
  const Window& w = c.r.window;
  return {w.channels,     w.in_height,     w.in_width,     w.out_height,      w.out_width,      w.kernel_height,
          w.kernel_width, w.stride_height, w.stride_width, w.dilation_height, w.dilation_width, w.pad_top,
          w.pad_left,     c.r.pad_bottom,  c.r.pad_right,  c.include_pad};
}

// The expected real values, channels first; empty if some window holds no cell.
template <class T>
std::vector<double> Expected(const Case& c, const T* in) {
  const Window& w = c.r.window;
  const reference::PoolGeometry g = Geometry(c);
  std::vector<int32_t> x = testing::Centred(in, w.in_height * w.in_width, w.channels, c.offset);
  std::vector<int32_t> largest(w.out_height * w.out_width * w.channels, INT32_MIN);
  reference::MaxPool(g, x, largest);
  if (std::count(largest.begin(), largest.end(), INT32_MIN) != 0) return {};
  std::vector<double> y(largest.size());
  reference::AveragePool(g, x, c.scale, y);
  return y;
}

AveragePoolArgs Args(const Case& c, const void* in, kernels::OutputType type, void* out) {
  const auto top = static_cast<int32_t>(c.out.grid.qmax());
  const kernels::QuantizeTo to{c.out.scale, c.out.offset, 0, top, 0, top, c.profile};
  const bool wide = c.out.grid.bitwidth > 8;
  return {in, c.r.window, c.r.pad_bottom, c.r.pad_right, c.include_pad, c.scale, c.offset, to, type, out, wide};
}

class AveragePoolTest : public ::testing::TestWithParam<Variant<AveragePoolFn>> {};

// T: uint8_t or uint16_t, the codes of both sides.
template <class T>
void CheckRandomWindows(AveragePoolFn run) {
  testing::Random random(72);
  size_t compared = 0;
  for (size_t i = 0; i < testing::Cases(300); ++i) {
    const Case c = Draw(random, std::numeric_limits<T>::max());
    const Window& w = c.r.window;
    GuardedBuffer<T> in(w.in_height * w.in_width * w.channels), codes(w.out_height * w.out_width * w.channels);
    for (T& code : in) code = static_cast<T>(random.Int(0, std::numeric_limits<T>::max()));
    const std::vector<double> expected = Expected(c, in.data());
    if (expected.empty()) continue;
    GuardedBuffer<double> reals(codes.size());
    GuardedBuffer<float> floats(codes.size());
    run(Args(c, in.data(), sizeof(T) == 1 ? kernels::OutputType::kU8 : kernels::OutputType::kU16, codes.data()));
    run(Args(c, in.data(), kernels::OutputType::kF64, reals.data()));
    run(Args(c, in.data(), kernels::OutputType::kF32, floats.data()));
    const size_t pixels = w.out_height * w.out_width;
    for (size_t j = 0; j < codes.size(); ++j) {
      const double y = expected[j % w.channels * pixels + j / w.channels];
      ASSERT_EQ(reals[j], y) << "case " << i << " element " << j;
      ASSERT_EQ(floats[j], static_cast<float>(y)) << "case " << i << " element " << j;
      ASSERT_EQ(codes[j], reference::QuantizeReal(y, c.out.grid, c.out.scale, c.out.offset, c.profile).code)
          << "case " << i << " element " << j << " value " << y;
      ++compared;
    }
  }
  EXPECT_GT(compared, 10000u);
}

TEST_P(AveragePoolTest, MatchesReference) { CheckRandomWindows<uint8_t>(GetParam().run); }

TEST_P(AveragePoolTest, MatchesReferenceOfU16) { CheckRandomWindows<uint16_t>(GetParam().run); }

// The largest sums: 65536 cells of code 65535.
TEST_P(AveragePoolTest, LargestSumsOfU16) {
  Window w{256, 256, 3, 1, 1, 256, 256, 1, 1, 1, 1, 0, 0, 0, 1};
  const std::vector<uint16_t> in(kernels::kMaxAverageCellsU16 * w.channels, 65535);
  std::vector<double> out(w.channels);
  GetParam().run({in.data(), w, 0, 0, false, 0.5f, -1, {}, kernels::OutputType::kF64, out.data(), true});
  EXPECT_EQ(out, std::vector<double>(w.channels, 32767.0));
}

INSTANTIATE_TEST_SUITE_P(EveryTarget, AveragePoolTest,
                         ::testing::ValuesIn(kernels::AveragePoolVariants().begin(),
                                             kernels::AveragePoolVariants().end()),
                         [](const auto& p) { return std::string(p.param.name); });

}  // namespace
}  // namespace lq
