// The simulator's Conv against a naive loop, over all combinations of kernel, stride, dilation, padding and groups.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tests/support/random.h"
#include "tests/support/simulate.h"

namespace lq {
namespace {

using testing::GraphBuilder;
using testing::InputTensor;
using testing::Random;
using testing::Simulate;
using testing::Simulated;

struct Axis {
  int64_t in, kernel, stride, dilation;
  std::string auto_pad;
  int64_t pad_begin, pad_end;  // for NOTSET

  int64_t extent() const { return (kernel - 1) * dilation + 1; }
  int64_t out() const {
    if (auto_pad == "VALID") return (in - extent()) / stride + 1;
    if (auto_pad != "NOTSET")
      return static_cast<int64_t>(std::ceil(static_cast<double>(in) / static_cast<double>(stride)));
    return (in + pad_begin + pad_end - extent()) / stride + 1;
  }
  int64_t begin() const {
    if (auto_pad == "VALID") return 0;
    if (auto_pad == "NOTSET") return pad_begin;
    const int64_t total = std::max<int64_t>(0, (out() - 1) * stride + extent() - in);
    return auto_pad == "SAME_LOWER" ? (total + 1) / 2 : total / 2;
  }
};

constexpr int64_t kBatch = 2, kOutChannels = 4;
const PerTensor kInput{{8, false}, 0.03f, -101};

struct ConvCase {
  Axis h, w;
  int64_t in_channels, groups;
};

struct ConvData {
  std::vector<float> x, w, bias;
  PerChannel w_encoding;
};

// All values are on their grids: x = fl32((q + o) * s), so that the codes are known without quantizing.
struct ConvCodes {
  std::vector<int64_t> x, w;
};

ConvData MakeData(const ConvCase& c, Random& random, ConvCodes& codes) {
  ConvData data;
  for (int64_t i = 0; i < kBatch * c.in_channels * c.h.in * c.w.in; ++i) {
    codes.x.push_back(random.Int(-101, 154));
    data.x.push_back(static_cast<float>(codes.x.back()) * kInput.scale);
  }
  data.w_encoding = {{8, true}, 0, {}, {}};
  const int64_t per_channel = c.in_channels / c.groups * c.h.kernel * c.w.kernel;
  for (int64_t n = 0; n < kOutChannels; ++n) {
    const float scale = random.Float(0.001f, 0.02f);
    data.w_encoding.scale.push_back(scale);
    data.w_encoding.offset.push_back(0);
    data.bias.push_back(random.Float(-1, 1));
    for (int64_t i = 0; i < per_channel; ++i) {
      codes.w.push_back(random.Int(-128, 127));
      data.w.push_back(static_cast<float>(codes.w.back()) * scale);
    }
  }
  return data;
}

int64_t NaiveSum(const ConvCase& c, const ConvCodes& codes, int64_t b, int64_t n, int64_t y, int64_t x) {
  const int64_t in_group = c.in_channels / c.groups, group = n / (kOutChannels / c.groups);
  int64_t sum = 0;
  for (int64_t i = 0; i < in_group * c.h.kernel * c.w.kernel; ++i) {
    const int64_t channel = i / (c.h.kernel * c.w.kernel), ky = i / c.w.kernel % c.h.kernel, kx = i % c.w.kernel;
    const int64_t iy = y * c.h.stride + ky * c.h.dilation - c.h.begin(),
                  ix = x * c.w.stride + kx * c.w.dilation - c.w.begin();
    if (iy < 0 || iy >= c.h.in || ix < 0 || ix >= c.w.in) continue;
    const int64_t at = ((b * c.in_channels + group * in_group + channel) * c.h.in + iy) * c.w.in + ix;
    sum += codes.x[static_cast<size_t>(at)] * codes.w[static_cast<size_t>(n * in_group * c.h.kernel * c.w.kernel + i)];
  }
  return sum;
}

GraphBuilder::Attributes AttributesOf(const ConvCase& c) {
  GraphBuilder::Attributes attributes{{"strides", std::vector<int64_t>{c.h.stride, c.w.stride}},
                                      {"dilations", std::vector<int64_t>{c.h.dilation, c.w.dilation}},
                                      {"group", c.groups}};
  if (c.h.auto_pad == "NOTSET") {
    attributes["pads"] = std::vector<int64_t>{c.h.pad_begin, c.w.pad_begin, c.h.pad_end, c.w.pad_end};
  } else {
    attributes["auto_pad"] = c.h.auto_pad;
  }
  return attributes;
}

// The first output has codes and weights with encodings, the second the codes themselves as plain floats: the float
// path, exact because its sums stay below 2^24.
void CheckConv(const ConvCase& c, Random& random) {
  ConvCodes codes;
  const ConvData data = MakeData(c, random, codes);
  const Shape in{kBatch, c.in_channels, c.h.in, c.w.in},
      weight{kOutChannels, c.in_channels / c.groups, c.h.kernel, c.w.kernel};
  GraphBuilder g;
  const ValueId x = g.Input({-1, c.in_channels, c.h.in, c.w.in}, kInput), plain_x = g.Input(in);
  const ValueId w = g.Floats(weight, data.w, data.w_encoding);
  const ValueId plain_w = g.Floats(weight, {codes.w.begin(), codes.w.end()});
  g.Output(g.Node("Conv", {x, w, g.Floats({kOutChannels}, data.bias)}, AttributesOf(c)));
  g.Output(g.Node("Conv", {plain_x, plain_w}, AttributesOf(c)));
  const Simulated got = Simulate(g, {{in, data.x}, {in, {codes.x.begin(), codes.x.end()}}});
  ASSERT_TRUE(got.status.ok()) << got.status.message();
  const int64_t out_h = c.h.out(), out_w = c.w.out();
  ASSERT_EQ(got.outputs[0].shape, (Shape{kBatch, kOutChannels, out_h, out_w}));
  for (int64_t i = 0; i < kBatch * kOutChannels * out_h * out_w; ++i) {
    const auto at = static_cast<size_t>(i), n = static_cast<size_t>(i / (out_h * out_w) % kOutChannels);
    const int64_t acc =
        NaiveSum(c, codes, i / (out_h * out_w * kOutChannels), static_cast<int64_t>(n), i / out_w % out_h, i % out_w);
    const double scale = static_cast<double>(kInput.scale) * static_cast<double>(data.w_encoding.scale[n]);
    const double y = static_cast<double>(acc) * scale + static_cast<double>(data.bias[n]);
    ASSERT_EQ(got.outputs[0].values[at], static_cast<float>(y)) << i;
    ASSERT_EQ(got.outputs[1].values[at], static_cast<float>(acc)) << i;
  }
}

TEST(SimulatorConv, EqualsANaiveLoopOverAllGeometries) {
  Random random(1);
  size_t checked = 0;
  for (const std::string auto_pad : {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"}) {
    for (int64_t kernel : {1, 2, 3}) {
      for (int64_t stride : {1, 2, 3}) {
        for (int64_t dilation : {1, 2}) {
          for (int64_t groups : {1, 2, 4}) {
            const Axis h{6, kernel, stride, dilation, auto_pad, random.Int(0, 2), random.Int(0, 2)};
            const Axis w{7, 4 - kernel, 4 - stride, 3 - dilation, auto_pad, random.Int(0, 2), random.Int(0, 2)};
            SCOPED_TRACE(::testing::Message()
                         << auto_pad << " kernel " << kernel << " stride " << stride << " dilation " << dilation
                         << " groups " << groups << " seed " << testing::Seed());
            CheckConv({h, w, 4, groups}, random);
            ++checked;
          }
        }
      }
    }
  }
  EXPECT_EQ(checked, 4u * 3 * 3 * 2 * 3);
}

// One input channel, one output channel, weight 1 x 1: what a Conv does to a number.
struct OneNumber {
  PerTensor input{{8, false}, 0.1f, 0};
  std::optional<Encoding> weight = PerTensor{{8, true}, 0.3f, 0};
  float weight_value = 0.9f, bias = 0.25f;
};

ValueId AddConv(GraphBuilder& g, const OneNumber& c, std::optional<Encoding> output) {
  const ValueId x = g.Input({-1, 1, 1, 1}, c.input), w = g.Floats({1, 1, 1, 1}, {c.weight_value}, c.weight);
  return g.Node("Conv", {x, w, g.Floats({1}, {c.bias})}, {}, std::move(output));
}

TEST(SimulatorConv, Int32BiasIsRoundedToTheScaleOfTheAccumulator) {
  const OneNumber c;
  GraphBuilder g;
  g.Output(AddConv(g, c, std::nullopt));
  const std::vector<InputTensor> input{{{1, 1, 1, 1}, {0.7f}}};
  const double s_x = 0.1f, s_w = 0.3f, y = 7.0 * 3.0 * (s_x * s_w);
  const double s_b = static_cast<float>(s_x * s_w);  // 0.03: 0.25 lies between codes 8 and 9
  const Simulated with_float = Simulate(g, input), with_int32 = Simulate(g, input, {.bias = BiasMode::kInt32});
  EXPECT_EQ(with_float.outputs[0].values[0], static_cast<float>(y + 0.25));
  EXPECT_EQ(with_int32.outputs[0].values[0], static_cast<float>(y + 8.0 * s_b));
}

TEST(SimulatorConv, UnencodedWeightsAndInputsTakeTheFloatPath) {
  OneNumber c;
  c.weight = std::nullopt;
  GraphBuilder g;
  const ValueId conv = AddConv(g, c, std::nullopt);
  const ValueId w = g.Floats({1, 1, 1, 1}, {0.6f}, PerTensor{{8, true}, 0.3f, 0});
  g.Output(conv);
  g.Output(g.Node("Conv", {conv, w}));  // a real tensor times integer weights
  const Simulated got = Simulate(g, {{{2, 1, 1, 1}, {0.7f, 0.3f}}});
  ASSERT_TRUE(got.status.ok()) << got.status.message();
  for (size_t i = 0; i < 2; ++i) {
    const double x = (i == 0 ? 7 : 3) * static_cast<double>(0.1f);
    const double y = x * static_cast<double>(0.9f) + 0.25;
    EXPECT_EQ(got.outputs[0].values[i], static_cast<float>(y));
    EXPECT_EQ(got.outputs[1].values[i], static_cast<float>(y * (2 * static_cast<double>(0.3f))));
  }
}

TEST(SimulatorConv, NearTieGrowsWithTheSumOfAbsoluteProducts) {
  const PerTensor output{{8, false}, 0.02f, -100};
  GraphBuilder g;
  const ValueId x = g.Input({1, 2, 1, 1}, PerTensor{{8, false}, 0.1f, -10});
  const ValueId w = g.Floats({1, 2, 1, 1}, {0.9f, 0.6f}, PerTensor{{8, true}, 0.3f, 0});
  const ValueId conv = g.Node("Conv", {x, w, g.Floats({1}, {-0.5f})});
  const ValueId bn =
      g.Node("BatchNormalization",
             {conv, g.Floats({1}, {-3.0f}), g.Floats({1}, {0.125f}), g.Floats({1}, {0.0f}), g.Floats({1}, {4.0f})},
             {{"epsilon", 0.0f}});
  const ValueId relu = g.Node("Relu", {bn}, {}, output);
  g.Output(relu);
  const Simulated got = Simulate(g, {{{1, 2, 1, 1}, {0.7f, -0.8f}}}, {.record = true});
  ASSERT_TRUE(got.status.ok()) << got.status.message();
  const ObservedTensor& seen = got.observed.at(relu);
  const double s = static_cast<double>(0.1f) * static_cast<double>(0.3f);
  const double y = (static_cast<double>(7 * 3 - 8 * 2) * s - 0.5) * (-3.0 / 2.0) + 0.125;
  const double magnitude = (static_cast<double>(7 * 3 + 8 * 2) * s + 0.5) * 1.5, s_o = output.scale;
  ASSERT_EQ(seen.t.size(), 1u);
  EXPECT_EQ(seen.t[0], y / s_o);
  EXPECT_EQ(seen.codes[0], std::lrint(y / s_o) + 100);
  EXPECT_DOUBLE_EQ(seen.near_tie[0], std::ldexp(8.0, -24) * magnitude / s_o + std::ldexp(std::abs(y / s_o), -22));
  // The graph input is quantized in float32: all others.
  EXPECT_EQ(got.observed.at(x).t[0], static_cast<double>(0.7f / 0.1f));
  EXPECT_EQ(got.observed.at(x).near_tie[0], std::ldexp(static_cast<double>(0.7f / 0.1f), -22));
}

TEST(SimulatorConv, ErrorsNameTheNodeAndBothNumbers) {
  GraphBuilder g;
  const ValueId x = g.Input({-1, 3, 4, 4}, kInput);
  const ValueId w = g.Floats({1, 2, 1, 1}, {1, 1}, PerTensor{{8, true}, 1, 0});
  g.Output(g.Node("Conv", {x, w}));
  const Simulated got = Simulate(g, {{{1, 3, 4, 4}, std::vector<float>(48)}});
  EXPECT_EQ(
      got.status.message(),
      "Conv 'Conv0' of tensor 'Conv0_output': input of shape (1, 3, 4, 4), but the weight (1, 2, 1, 1) in 1 groups "
      "needs (batch, 2, height, width)");

  GraphBuilder one_d;
  const ValueId line = one_d.Input({-1, 1, 4}, kInput);
  one_d.Output(one_d.Node("Conv", {line, one_d.Floats({1, 1, 3}, {1, 2, 3})}));
  EXPECT_EQ(Simulate(one_d, {{{1, 1, 4}, {0, 0, 0, 0}}}).status.message(),
            "Conv 'Conv0' of tensor 'Conv0_output': weight 'constant1' of shape (1, 1, 3) is 1-D, but only 2-D "
            "and 3-D convolutions are supported");
}

}  // namespace
}  // namespace lq
