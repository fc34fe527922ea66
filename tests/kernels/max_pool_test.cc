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

using kernels::MaxPoolFn;
using kernels::Variant;
using kernels::Window;
using testing::GuardedBuffer;

reference::PoolGeometry Geometry(const testing::RandomWindow& r) {
  const Window& w = r.window;
  return {w.channels,     w.in_height,       w.in_width,       w.out_height,
          w.out_width,    w.kernel_height,   w.kernel_width,   w.stride_height,
          w.stride_width, w.dilation_height, w.dilation_width, w.pad_top,
          w.pad_left,     r.pad_bottom,      r.pad_right,      false};
}

// A dilated window over a small image may hold no cell at all: such shapes are refused before they come to a kernel.
bool IsFilled(const testing::RandomWindow& r) {
  reference::PoolGeometry g = Geometry(r);
  g.channels = 1;
  const std::vector<int32_t> x(g.in_height * g.in_width, 1);
  std::vector<int32_t> y(g.out_height * g.out_width, -1);
  reference::MaxPool(g, x, y);
  return std::count(y.begin(), y.end(), -1) == 0;
}

class MaxPoolTest : public ::testing::TestWithParam<Variant<MaxPoolFn>> {};

// T: uint8_t or uint16_t, the codes.
template <class T>
void CheckRandomWindows(MaxPoolFn run) {
  testing::Random random(71);
  for (size_t i = 0; i < testing::Cases(300); ++i) {
    const testing::RandomWindow r = testing::DrawWindow(random, 150);
    if (!IsFilled(r)) continue;
    const Window& w = r.window;
    GuardedBuffer<T> in(w.in_height * w.in_width * w.channels), out(w.out_height * w.out_width * w.channels);
    for (T& code : in) code = static_cast<T>(random.Int(0, std::numeric_limits<T>::max()));
    run({in.data(), w, out.data(), sizeof(T) == 2});
    const std::vector<int32_t> x = testing::Centred(in.data(), w.in_height * w.in_width, w.channels, -3);
    std::vector<int32_t> expected(out.size());
    reference::MaxPool(Geometry(r), x, expected);
    ASSERT_EQ(testing::Centred(out.data(), w.out_height * w.out_width, w.channels, -3), expected) << "case " << i;
  }
}

TEST_P(MaxPoolTest, MatchesReference) { CheckRandomWindows<uint8_t>(GetParam().run); }

TEST_P(MaxPoolTest, MatchesReferenceOfU16) { CheckRandomWindows<uint16_t>(GetParam().run); }

TEST_P(MaxPoolTest, WritesOnlyItsRows) {
  Window w{};
  w.in_height = w.in_width = 4;
  w.channels = 5;
  w.out_height = w.out_width = 4;
  w.kernel_height = w.kernel_width = w.stride_height = w.stride_width = w.dilation_height = w.dilation_width = 1;
  w.y_begin = 1;
  w.y_end = 3;
  const std::vector<uint8_t> in(80, 7);
  std::vector<uint8_t> out(80, 1);
  GetParam().run({in.data(), w, out.data()});
  for (size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], i / 20 == 1 || i / 20 == 2 ? 7 : 1) << i;
}

INSTANTIATE_TEST_SUITE_P(EveryTarget, MaxPoolTest,
                         ::testing::ValuesIn(kernels::MaxPoolVariants().begin(), kernels::MaxPoolVariants().end()),
                         [](const auto& p) { return std::string(p.param.name); });

}  // namespace
}  // namespace lq
