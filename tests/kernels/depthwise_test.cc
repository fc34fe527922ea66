#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "kernels/contracts.h"
#include "kernels/packing.h"
#include "tests/support/depthwise_case.h"
#include "tests/support/guarded_buffer.h"

namespace lq {
namespace {

using kernels::DepthwiseFn;
using kernels::OutputType;
using kernels::Variant;
using kernels::Window;
using testing::GuardedBuffer;

class DepthwiseTest : public ::testing::TestWithParam<Variant<DepthwiseFn>> {};

TEST_P(DepthwiseTest, MatchesReference) {
  testing::Random random(73);
  for (size_t i = 0; i < testing::Cases(300); ++i) {
    const Window w = testing::DrawWindow(random, 150).window;
    GuardedBuffer<uint8_t> in(w.in_height * w.in_width * w.channels);
    for (uint8_t& code : in) code = static_cast<uint8_t>(random.Chance(0.1) ? 255 : random.Int(0, 255));
    // Full 16-bit weights now and then: 25 taps of 32768 * 255 still fit int32.
    const testing::DepthwiseCase layer(random, w, random.Chance(0.2) ? 32767 : 127, in.data());
    const size_t taps = w.kernel_height * w.kernel_width;
    GuardedBuffer<int16_t> weights(kernels::PackedDepthwiseCount(w.channels, taps));
    kernels::PackDepthwise(layer.weights().data(), w.channels, taps, weights.data());
    GuardedBuffer<uint8_t> zeros(w.channels);
    std::fill(zeros.begin(), zeros.end(), layer.zero_code());
    testing::CheckDepthwise(layer, w, [&](const Window& band, OutputType type, void* out) {
      GetParam().run({in.data(), band, weights.data(), zeros.data(), &layer.epilogue(), type, out});
    });
    ASSERT_FALSE(HasFatalFailure()) << "case " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(EveryTarget, DepthwiseTest,
                         ::testing::ValuesIn(kernels::DepthwiseVariants().begin(), kernels::DepthwiseVariants().end()),
                         [](const auto& p) { return std::string(p.param.name); });

}  // namespace
}  // namespace lq
