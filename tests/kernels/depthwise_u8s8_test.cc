#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "kernels/contracts.h"
#include "kernels/packing.h"
#include "tests/support/depthwise_case.h"
#include "tests/support/guarded_buffer.h"

namespace lq {
namespace {

using kernels::DepthwiseU8S8Fn;
using kernels::OutputType;
using kernels::Variant;
using kernels::Window;
using testing::GuardedBuffer;

class DepthwiseU8S8Test : public ::testing::TestWithParam<Variant<DepthwiseU8S8Fn>> {
 protected:
  void Check(const Window& w, testing::Random& random) const {
    GuardedBuffer<uint8_t> in(w.in_height * w.in_width * w.channels);
    for (uint8_t& code : in) code = static_cast<uint8_t>(random.Chance(0.1) ? 255 : random.Int(0, 255));
    const testing::DepthwiseCase layer(random, w, 127, in.data());
    const kernels::PackedDepthwiseS8 layout{w.channels, w.kernel_height, w.kernel_width, w.stride_height,
                                            w.stride_width};
    ASSERT_TRUE(layout.Fits());
    GuardedBuffer<int8_t> weights(layout.Bytes());
    kernels::PackDepthwiseS8(layout, layer.weights().data(), weights.data());
    testing::CheckDepthwise(layer, w, [&](const Window& band, OutputType type, void* out) {
      GetParam().run({in.data(), band, weights.data(), layer.zero_code(), &layer.epilogue(), type, out});
    });
    ASSERT_FALSE(HasFatalFailure()) << w.in_height << "x" << w.in_width << "x" << w.channels << ", kernel "
                                    << w.kernel_height << "x" << w.kernel_width << ", stride " << w.stride_height << "x"
                                    << w.stride_width << ", padding " << w.pad_top << ", " << w.pad_left;
  }
};

// Filters up to 8x8, any border (some windows see padding only), odd and even sizes.
TEST_P(DepthwiseU8S8Test, MatchesReference) {
  testing::Random random(79);
  for (size_t i = 0; i < testing::Cases(400); ++i) {
    Window w{};
    w.in_height = random.LogSize(1, 14);
    w.in_width = random.LogSize(1, 20);
    w.channels = random.LogSize(1, 150);
    w.kernel_height = random.LogSize(1, 8);
    w.kernel_width = random.LogSize(1, 8);
    w.stride_height = random.Size(1, 4);
    w.stride_width = random.Size(1, std::min<size_t>(w.kernel_width, 4));
    w.dilation_height = w.dilation_width = 1;
    w.pad_top = random.Size(0, w.kernel_height + 1);
    w.pad_left = random.Size(0, w.kernel_width + 1);
    const size_t high = w.in_height + w.pad_top + random.Size(0, w.kernel_height + 1);
    const size_t wide = w.in_width + w.pad_left + random.Size(0, w.kernel_width + 1);
    if (high < w.kernel_height || wide < w.kernel_width) continue;
    w.out_height = (high - w.kernel_height) / w.stride_height + 1;
    w.out_width = (wide - w.kernel_width) / w.stride_width + 1;
    w.y_end = w.out_height;
    Check(w, random);
    if (HasFatalFailure()) return;
  }
}

// 3x3 with "same" padding: every number of channels that begins, fills and overlaps chunks, every width of a few steps.
TEST_P(DepthwiseU8S8Test, EveryChannelCountAndWidth) {
  testing::Random random(83);
  for (size_t i = 0; i < 130; ++i) {
    for (const size_t stride : {1, 2}) {
      Window w = {3, 1 + i % 20, i + 1, 0, 0, 3, 3, stride, stride, 1, 1, 1, 1, 0, 0};
      w.out_height = w.y_end = (w.in_height - 1) / stride + 1;
      w.out_width = (w.in_width - 1) / stride + 1;
      Check(w, random);
      if (HasFatalFailure()) return;
    }
  }
}

// Rows longer than the buffer of columns, with pixels that share vectors (16, 32 channels) and with two quads.
TEST_P(DepthwiseU8S8Test, LongRows) {
  testing::Random random(89);
  for (const size_t channels : {16, 32, 48, 64}) {
    for (const size_t size : {3, 5}) {
      for (const size_t stride : {1, 2}) {
        Window w = {5, 271, channels, 0, 0, size, size, stride, stride, 1, 1, size / 2, size / 2, 0, 0};
        w.out_height = w.y_end = (w.in_height - 1) / stride + 1;
        w.out_width = (w.in_width - 1) / stride + 1;
        Check(w, random);
        if (HasFatalFailure()) return;
      }
    }
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DepthwiseU8S8Test);  // no target with a native 8-bit dot
INSTANTIATE_TEST_SUITE_P(EveryTarget, DepthwiseU8S8Test,
                         ::testing::ValuesIn(kernels::DepthwiseU8S8Variants().begin(),
                                             kernels::DepthwiseU8S8Variants().end()),
                         [](const auto& p) { return std::string(p.param.name); });

}  // namespace
}  // namespace lq
