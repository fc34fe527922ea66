// One depthwise layer for the tests of both depthwise kernels: what goes in and what the reference makes of it.
#ifndef LANEQUANT_TESTS_SUPPORT_DEPTHWISE_CASE_H_
#define LANEQUANT_TESTS_SUPPORT_DEPTHWISE_CASE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "kernels/contracts.h"
#include "kernels/epilogue_setup.h"
#include "kernels/reference/reference.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/images.h"

namespace lq::testing {

// A layer with random weights and constants, and its expected real outputs [channels][pixels].
class DepthwiseCase {
 public:
  // Weights in -largest - 1 .. largest.
  DepthwiseCase(Random& random, const kernels::Window& window, int64_t largest, const uint8_t* in)
      : w_(window), bias_(w_.channels) {
    const size_t taps = w_.kernel_height * w_.kernel_width;
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
    Compute(in);
    MakeEpilogue(random);
  }

  const std::vector<int32_t>& weights() const { return weights_; }
  const kernels::Epilogue& epilogue() const { return epilogue_; }
  uint8_t zero_code() const { return static_cast<uint8_t>(-offset_); }
  double expected(size_t pixel, size_t channel) const {
    return expected_[channel * w_.out_height * w_.out_width + pixel];
  }
  int64_t ExpectedCode(size_t pixel, size_t channel) const {
    const kernels::QuantizeTo& to = epilogue_.to;
    const int64_t code =
        reference::QuantizeReal(expected(pixel, channel), {8, false}, to.scale, to.offset, to.profile).code;
    return std::clamp<int64_t>(code, to.lo, to.hi);
  }

 private:
  void Compute(const uint8_t* in) {
    const std::vector<int32_t> x = Centred(in, w_.in_height * w_.in_width, w_.channels, offset_);
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

  void MakeEpilogue(Random& random) {
    const float step = static_cast<float>(std::max(largest_, 1e-3) / 150);
    epilogue_ = kernels::Epilogue{};
    epilogue_.start_u8 = start_.data();
    epilogue_.scale = scale_.data();
    epilogue_.bias = bias_.data();
    epilogue_.clip_min = -__builtin_inf();
    epilogue_.clip_max = __builtin_inf();
    const int32_t lo = random.Chance(0.3) ? static_cast<int32_t>(random.Int(0, 120)) : 0;  // a fused clip
    const int32_t hi = random.Chance(0.3) ? static_cast<int32_t>(random.Int(130, 255)) : 255;
    const auto profile = static_cast<RoundingProfile>(random.Int(0, 2));
    epilogue_.to = {step, static_cast<int32_t>(random.Int(-255, 0)), 0, 255, lo, hi, profile};
    kernels::SetUpFastEpilogue(w_.channels, mul_.data(), add_.data(), &epilogue_);
    if (random.Chance(0.1)) epilogue_.fast = false;
  }

  kernels::Window w_;
  int32_t offset_;
  float s_x_;
  std::vector<int32_t> weights_, start_;
  std::vector<float> s_w_, mul_, add_;
  std::vector<double> scale_, bias_, expected_;
  double largest_ = 0;
  kernels::Epilogue epilogue_;
};

// Runs `run(window, type, out)` on the rows in two bands and compares codes and reals with the reference.
template <class Run>
void CheckDepthwise(const DepthwiseCase& layer, const kernels::Window& window, const Run& run) {
  const size_t row = window.out_width * window.channels;
  GuardedBuffer<uint8_t> codes(window.out_height * row);
  GuardedBuffer<float> floats(codes.size());
  GuardedBuffer<double> reals(codes.size());
  std::fill(codes.begin(), codes.end(), uint8_t{0xAA});
  kernels::Window band = window;
  band.y_end = window.out_height / 2;
  run(band, kernels::OutputType::kU8, codes.data());
  for (size_t j = band.y_end * row; j < codes.size(); ++j) ASSERT_EQ(codes[j], 0xAA) << "element " << j;
  band.y_begin = band.y_end;
  band.y_end = window.out_height;
  run(band, kernels::OutputType::kU8, codes.data());
  run(window, kernels::OutputType::kF32, floats.data());
  run(window, kernels::OutputType::kF64, reals.data());
  for (size_t j = 0; j < codes.size(); ++j) {
    const double expected = layer.expected(j / window.channels, j % window.channels);
    ASSERT_EQ(reals[j], expected) << "element " << j;
    ASSERT_EQ(floats[j], static_cast<float>(expected)) << "element " << j;
    ASSERT_EQ(codes[j], layer.ExpectedCode(j / window.channels, j % window.channels)) << "element " << j;
  }
}

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_DEPTHWISE_CASE_H_
