#include <gtest/gtest.h>

#include <algorithm>
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

Case Draw(testing::Random& random) {
  Case c{testing::DrawWindow(random, 100),
         random.Chance(0.5),
         random.Float(0.001f, 0.1f),
         static_cast<int32_t>(random.Int(-255, 0)),
         {},
         RoundingProfile::kAimetDiv};
  // Output scales that are a simple fraction of the input's put averages on exact ties.
  c.out = {{8, false},
           random.Chance(0.5) ? c.scale / 2 : random.Float(0.001f, 0.1f),
           static_cast<int32_t>(random.Int(-255, 0))};
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
std::vector<double> Expected(const Case& c, const uint8_t* in) {
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

AveragePoolArgs Args(const Case& c, const uint8_t* in, kernels::OutputType type, void* out) {
  const kernels::QuantizeTo to{c.out.scale, c.out.offset, 0, 255, 0, 255, c.profile};
  return {in, c.r.window, c.r.pad_bottom, c.r.pad_right, c.include_pad, c.scale, c.offset, to, type, out};
}

class AveragePoolTest : public ::testing::TestWithParam<Variant<AveragePoolFn>> {};

TEST_P(AveragePoolTest, MatchesReference) {
  testing::Random random(72);
  size_t compared = 0;
  for (size_t i = 0; i < testing::Cases(300); ++i) {
    const Case c = Draw(random);
    const Window& w = c.r.window;
    GuardedBuffer<uint8_t> in(w.in_height * w.in_width * w.channels), codes(w.out_height * w.out_width * w.channels);
    for (uint8_t& code : in) code = static_cast<uint8_t>(random.Int(0, 255));
    const std::vector<double> expected = Expected(c, in.data());
    if (expected.empty()) continue;
    GuardedBuffer<double> reals(codes.size());
    GuardedBuffer<float> floats(codes.size());
    GetParam().run(Args(c, in.data(), kernels::OutputType::kU8, codes.data()));
    GetParam().run(Args(c, in.data(), kernels::OutputType::kF64, reals.data()));
    GetParam().run(Args(c, in.data(), kernels::OutputType::kF32, floats.data()));
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

INSTANTIATE_TEST_SUITE_P(EveryTarget, AveragePoolTest,
                         ::testing::ValuesIn(kernels::AveragePoolVariants().begin(),
                                             kernels::AveragePoolVariants().end()),
                         [](const auto& p) { return std::string(p.param.name); });

}  // namespace
}  // namespace lq
