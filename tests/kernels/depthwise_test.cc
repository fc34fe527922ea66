#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "kernels/contracts.h"
#include "kernels/epilogue_setup.h"
#include "kernels/packing.h"
#include "kernels/reference/reference.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/images.h"

namespace lq {
namespace {

using kernels::DepthwiseFn;
using kernels::Epilogue;
using kernels::OutputType;
using kernels::Variant;
using kernels::Window;
using testing::GuardedBuffer;

// A layer with random weights and constants, and its expected real outputs [channels][pixels].
class Layer {
 public:
  Layer(testing::Random& random, const testing::RandomWindow& r, const uint8_t* in) : w_(r.window), bias_(w_.channels) {
    const size_t taps = w_.kernel_height * w_.kernel_width;
    // Full 16-bit weights now and then: 25 taps of 32768 * 255 still fit int32.
    const int64_t largest = random.Chance(0.2) ? 32767 : 127;
    weights_.resize(w_.channels * taps);
    for (int32_t& v : weights_) v = static_cast<int32_t>(random.Int(-largest - 1, largest));
    offset_ = static_cast<int32_t>(random.Int(-255, 0));
    s_x_ = random.Float(0.005f, 0.02f);
    const size_t padded = (w_.channels + 63) / 64 * 64;
    start_.resize(padded);
    scale_.resize(padded);
    bias_.resize(padded);
    mul_.resize(padded);
    add_.resize(padded);
    for (size_t c = 0; c < w_.channels; ++c) {
      s_w_.push_back(random.Float(0.001f, 0.01f));
      scale_[c] = double{s_x_} * s_w_[c];
      bias_[c] = random.Float(-1, 1);
      for (size_t t = 0; t < taps; ++t) start_[c] += offset_ * weights_[c * taps + t];
    }
    packed_.resize(kernels::PackedDepthwiseCount(w_.channels, taps));
    kernels::PackDepthwise(weights_.data(), w_.channels, taps, packed_.data());
    zero_row_.assign(w_.channels, static_cast<uint8_t>(-offset_));
    Compute(in);
    MakeEpilogue(random);
  }

  void Run(DepthwiseFn run, const uint8_t* in, OutputType type, void* out) const {
    GuardedBuffer<uint8_t> zeros(zero_row_.size());
    std::copy(zero_row_.begin(), zero_row_.end(), zeros.begin());
    GuardedBuffer<int16_t> weights(packed_.size());
    std::copy(packed_.begin(), packed_.end(), weights.begin());
    run({in, w_, weights.data(), zeros.data(), &epilogue_, type, out});
  }

  double expected(size_t pixel, size_t channel) const {
    return expected_[channel * w_.out_height * w_.out_width + pixel];
  }
  int64_t ExpectedCode(size_t pixel, size_t channel) const {
    const kernels::QuantizeTo& to = epilogue_.to;
    return reference::QuantizeReal(expected(pixel, channel), {8, false}, to.scale, to.offset, to.profile).code;
  }

 private:
  void Compute(const uint8_t* in) {
    const std::vector<int32_t> x = testing::Centred(in, w_.in_height * w_.in_width, w_.channels, offset_);
    const reference::ConvGeometry g{1,
                                    w_.channels,
                                    w_.in_height,
                                    w_.in_width,
                                    w_.channels,
                                    w_.out_height,
                                    w_.out_width,
                                    w_.channels,
                                    w_.kernel_height,
                                    w_.kernel_width,
                                    w_.stride_height,
                                    w_.stride_width,
                                    w_.dilation_height,
                                    w_.dilation_width,
                                    w_.pad_top,
                                    w_.pad_left};
    std::vector<int64_t> acc(w_.channels * w_.out_height * w_.out_width);
    reference::ConvAcc(g, x, weights_, acc);
    const size_t pixels = w_.out_height * w_.out_width;
    for (size_t i = 0; i < acc.size(); ++i) {
      const size_t c = i / pixels;
      expected_.push_back(reference::LayerOutput(acc[i], s_x_, s_w_[c], &bias_[c]));
      largest_ = std::max(largest_, std::abs(expected_.back()));
    }
  }

  void MakeEpilogue(testing::Random& random) {
    const float step = static_cast<float>(std::max(largest_, 1e-3) / 150);
    epilogue_ = Epilogue{};
    epilogue_.start_u8 = start_.data();
    epilogue_.scale = scale_.data();
    epilogue_.bias = bias_.data();
    epilogue_.clip_min = -__builtin_inf();
    epilogue_.clip_max = __builtin_inf();
    epilogue_.to = {step, static_cast<int32_t>(random.Int(-255, 0)),     0, 255, 0,
                    255,  static_cast<RoundingProfile>(random.Int(0, 2))};
    kernels::SetUpFastEpilogue(w_.channels, mul_.data(), add_.data(), &epilogue_);
  }

  Window w_;
  int32_t offset_;
  float s_x_;
  std::vector<int32_t> weights_, start_;
  std::vector<float> s_w_, mul_, add_;
  std::vector<double> scale_, bias_, expected_;
  std::vector<int16_t> packed_;
  std::vector<uint8_t> zero_row_;
  double largest_ = 0;
  Epilogue epilogue_;
};

class DepthwiseTest : public ::testing::TestWithParam<Variant<DepthwiseFn>> {};

TEST_P(DepthwiseTest, MatchesReference) {
  testing::Random random(73);
  for (size_t i = 0; i < testing::Cases(300); ++i) {
    const testing::RandomWindow r = testing::DrawWindow(random, 150);
    const Window& w = r.window;
    const size_t pixels = w.out_height * w.out_width;
    GuardedBuffer<uint8_t> in(w.in_height * w.in_width * w.channels), codes(pixels * w.channels);
    for (uint8_t& code : in) code = static_cast<uint8_t>(random.Chance(0.1) ? 255 : random.Int(0, 255));
    const Layer layer(random, r, in.data());
    layer.Run(GetParam().run, in.data(), OutputType::kU8, codes.data());
    GuardedBuffer<double> reals(codes.size());
    layer.Run(GetParam().run, in.data(), OutputType::kF64, reals.data());
    for (size_t j = 0; j < codes.size(); ++j) {
      ASSERT_EQ(reals[j], layer.expected(j / w.channels, j % w.channels)) << "case " << i << " element " << j;
      ASSERT_EQ(codes[j], layer.ExpectedCode(j / w.channels, j % w.channels)) << "case " << i << " element " << j;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryTarget, DepthwiseTest,
                         ::testing::ValuesIn(kernels::DepthwiseVariants().begin(), kernels::DepthwiseVariants().end()),
                         [](const auto& p) { return std::string(p.param.name); });

}  // namespace
}  // namespace lq
