// The simulator's other operators on small cases worked out by hand, and the kinds of tensors between them.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/random.h"
#include "tests/support/simulate.h"

namespace lq {
namespace {

using testing::GraphBuilder;
using testing::InputTensor;
using testing::Random;
using testing::Simulate;
using testing::Simulated;

const PerTensor kUnit{{8, false}, 1.0f, -128};  // codes 0..255 for -128..127

std::vector<float> Values(const Simulated& got, size_t output = 0) {
  EXPECT_TRUE(got.status.ok()) << got.status.message();
  return got.status.ok() ? got.outputs[output].values : std::vector<float>();
}

std::vector<float> Iota(size_t n) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i) values[i] = static_cast<float>(i);
  return values;
}

// ---- Gemm and MatMul ----

// (2, 3) times (3, 2) plus (2): all on the unit grid.
const std::vector<float> kA{1, 2, 3, -4, 5, 6}, kB{7, 8, 9, -10, 11, 12};

TEST(SimulatorGemm, TransposesScalesAndAddsTheBias) {
  for (bool transpose_a : {false, true}) {
    for (bool transpose_b : {false, true}) {
      SCOPED_TRACE(::testing::Message() << transpose_a << transpose_b);
      GraphBuilder g;
      const ValueId a = g.Input(transpose_a ? Shape{3, 2} : Shape{2, 3}, kUnit);
      const PerTensor weight{{8, true}, 0.5f, 0};
      const ValueId b = transpose_b ? g.Floats({2, 3}, {7, 9, 11, 8, -10, 12}, weight) : g.Floats({3, 2}, kB, weight);
      g.Output(g.Node(
          "Gemm", {a, b, g.Floats({2}, {1, -2})},
          {{"alpha", 0.5f}, {"beta", 3.0f}, {"transA", int64_t{transpose_a}}, {"transB", int64_t{transpose_b}}}));
      const InputTensor input = transpose_a ? InputTensor{{3, 2}, {1, -4, 2, 5, 3, 6}} : InputTensor{{2, 3}, kA};
      // A * B = {58, 24; 83, -10}
      EXPECT_EQ(Values(Simulate(g, {input})), (std::vector<float>{32, 6, 44.5f, -11}));
    }
  }
}

TEST(SimulatorMatMul, TakesPerChannelAndLpbqConstants) {
  GraphBuilder g;
  const ValueId a = g.Input({-1, 4}, kUnit);
  const PerChannel channels{{8, true}, 1, {0.5f, 2.0f}, {1, 0}};
  const Lpbq lpbq{4, 8, 1, 0, 2, {1.0f, 0.5f}, {1, 2, 4, 8}};
  const std::vector<float> w{3, 2, 3, 4, 6, 8, 6, 12};  // (4, 2), on both grids
  g.Output(g.Node("MatMul", {a, g.Floats({4, 2}, w, channels)}));
  g.Output(g.Node("MatMul", {a, g.Floats({4, 2}, w, lpbq)}));
  const Simulated got = Simulate(g, {{{1, 4}, {1, -1, 2, 3}}});
  EXPECT_EQ(Values(got, 0), (std::vector<float>{30, 50}));
  EXPECT_EQ(Values(got, 1), (std::vector<float>{30, 50}));
}

TEST(SimulatorMatMul, FloatBlockScalesTakeTheFloatPath) {
  GraphBuilder g;
  const ValueId a = g.Input({-1, 4}, PerTensor{{8, false}, 0.1f, 0});
  const PerBlock blocks{{4, true}, 1, 0, 2, {0.3f, 0.7f}, {0, 0}};
  g.Output(g.Node("MatMul", {a, g.Floats({4, 1}, {0.3f, -0.6f, 1.4f, 2.1f}, blocks)}));
  const double s = 0.1f, s0 = 0.3f, s1 = 0.7f;
  const double y = (1 * s) * (1 * s0) + (2 * s) * (-2 * s0) + (3 * s) * (2 * s1) + (4 * s) * (3 * s1);
  EXPECT_EQ(Values(Simulate(g, {{{1, 4}, {0.1f, 0.2f, 0.3f, 0.4f}}})), std::vector<float>{static_cast<float>(y)});
}

TEST(SimulatorMatMul, MultipliesCodedActivationsExactlyAndBroadcastsBatches) {
  const PerTensor left{{8, false}, 0.1f, -128}, right{{16, true}, 0.003f, 0};
  GraphBuilder g;
  const ValueId a = g.Input({2, 1, 2, 3}, left), b = g.Input({3, 3, 2}, right);
  g.Output(g.Node("MatMul", {a, b}));
  Random random(2);
  std::vector<int64_t> wa, wb;
  InputTensor in_a{{2, 1, 2, 3}, {}}, in_b{{3, 3, 2}, {}};
  for (size_t i = 0; i < 12; ++i) wa.push_back(random.Int(-128, 127));
  for (size_t i = 0; i < 18; ++i) wb.push_back(random.Int(-32768, 32767));
  for (int64_t w : wa) in_a.values.push_back(static_cast<float>(w) * left.scale);
  for (int64_t w : wb) in_b.values.push_back(static_cast<float>(w) * right.scale);
  const Simulated got = Simulate(g, {in_a, in_b});
  const std::vector<float> y = Values(got);
  ASSERT_EQ(got.outputs[0].shape, (Shape{2, 3, 2, 2}));
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t batch_a = i / 12, batch_b = i / 4 % 3, row = i / 2 % 2, column = i % 2;
    int64_t acc = 0;
    for (size_t k = 0; k < 3; ++k) acc += wa[batch_a * 6 + row * 3 + k] * wb[batch_b * 6 + k * 2 + column];
    EXPECT_EQ(y[i], static_cast<float>(static_cast<double>(acc) *
                                       (static_cast<double>(left.scale) * static_cast<double>(right.scale))));
  }
}

TEST(SimulatorMatMul, AnAddedBiasIsABiasInBothModes) {
  const PerTensor weight{{8, true}, 0.3f, 0};
  GraphBuilder g;
  const ValueId a = g.Input({1, 1}, PerTensor{{8, false}, 0.1f, 0});
  const ValueId product = g.Node("MatMul", {a, g.Floats({1, 2}, {0.9f, -0.3f}, weight)});
  g.Output(g.Node("Add", {g.Floats({2}, {0.25f, 0.1f}), product}));
  const double s = static_cast<double>(0.1f) * static_cast<double>(0.3f), s_b = static_cast<float>(s);
  const std::vector<InputTensor> input{{{1, 1}, {0.7f}}};
  EXPECT_EQ(Values(Simulate(g, input)), (std::vector<float>{static_cast<float>(21 * s + 0.25),
                                                            static_cast<float>(-7 * s + static_cast<double>(0.1f))}));
  EXPECT_EQ(Values(Simulate(g, input, {.bias = BiasMode::kInt32})),
            (std::vector<float>{static_cast<float>(21 * s + 8 * s_b), static_cast<float>(-7 * s + 3 * s_b)}));
}

// ---- Element-wise ----

TEST(SimulatorAdd, IsOneFloat32OperationOnCodedOperands) {
  // The float32 sum of fl32(3 * s_a) and fl32(w * s_b) is a tie or next to one where the exact sum is not: some w must
  // tell.
  const PerTensor a_encoding{{8, false}, 0.1f, 0}, b_encoding{{8, false}, 0.3f, 0}, out{{8, false}, 0.2f, 0};
  GraphBuilder g;
  const ValueId a = g.Input({256, 1}, a_encoding), b = g.Input({1, 256}, b_encoding);
  const ValueId sum = g.Node("Add", {a, b}, {}, out);
  g.Output(sum);
  InputTensor in_a{{256, 1}, {}}, in_b{{1, 256}, {}};
  for (int w = 0; w < 256; ++w) {
    in_a.values.push_back(static_cast<float>(w) * 0.1f);
    in_b.values.push_back(static_cast<float>(w) * 0.3f);
  }
  const Simulated got = Simulate(g, {in_a, in_b});
  ASSERT_TRUE(got.status.ok()) << got.status.message();
  const std::vector<int32_t>& codes = got.observed.at(sum).codes;
  size_t binary64_differs = 0;
  for (size_t i = 0; i < codes.size(); ++i) {
    const float y = in_a.values[i / 256] + in_b.values[i % 256];
    const double exact = static_cast<double>(i / 256) * static_cast<double>(0.1f) +
                         static_cast<double>(i % 256) * static_cast<double>(0.3f);
    ASSERT_EQ(codes[i], std::min<long>(std::lrint(y / 0.2f), 255)) << i;
    binary64_differs += codes[i] != std::min<long>(std::lrint(exact / static_cast<double>(0.2f)), 255);
  }
  EXPECT_GT(binary64_differs, 1000u);
}

TEST(SimulatorAdd, KeepsRealOperandsInBinary64) {
  GraphBuilder g;
  const ValueId x = g.Input({1, 1}, PerTensor{{8, false}, 0.1f, 0});
  const ValueId product = g.Node("MatMul", {x, g.Floats({1, 1}, {0.9f}, PerTensor{{8, true}, 0.3f, 0})});
  // 16 bits: the quotient of float32(y) and of y differ in the last bits that `t` shows.
  const ValueId sum = g.Node("Add", {product, x}, {}, PerTensor{{16, false}, 0.0001f, 0});
  g.Output(sum);
  const Simulated got = Simulate(g, {{{1, 1}, {0.7f}}}, {.record = true});
  ASSERT_TRUE(got.status.ok()) << got.status.message();
  const double s = 0.1f, y = 21.0 * (s * static_cast<double>(0.3f)) + 7.0 * s;
  EXPECT_EQ(got.observed.at(sum).t[0], y / static_cast<double>(0.0001f));
  EXPECT_NE(static_cast<double>(static_cast<float>(y)), y);
}

TEST(SimulatorAdd, ConstantsWithAnEncodingAreQuantized) {
  GraphBuilder g;
  const ValueId x = g.Input({2, 2}, kUnit);
  g.Output(g.Node("Add", {x, g.Floats({2}, {0.4f, 2.6f}, kUnit)}));
  g.Output(g.Node("Add", {x, g.Floats({}, {0.5f})}));
  const Simulated got = Simulate(g, {{{2, 2}, {1, 2, 3, 4}}});
  EXPECT_EQ(Values(got, 0), (std::vector<float>{1, 5, 3, 7}));
  EXPECT_EQ(Values(got, 1), (std::vector<float>{1.5f, 2.5f, 3.5f, 4.5f}));
}

TEST(SimulatorClip, TakesBoundsFromInputsOrAttributes) {
  const std::vector<InputTensor> input{{{5}, {-3, -1, 0, 2, 9}}};
  GraphBuilder g;
  const ValueId x = g.Input({5}, kUnit);
  g.Output(g.Node("Clip", {x, g.Floats({}, {-1.4f}), g.Floats({}, {6.0f})}));
  g.Output(g.Node("Clip", {x, kAbsent, g.Floats({}, {6.0f})}));
  g.Output(g.Node("Clip", {x, g.Floats({}, {-1.4f}, kUnit)}));  // the bound is quantized to -1
  g.Output(g.Node("Clip", {x}, {{"min", -2.0f}, {"max", 1.0f}}));
  g.Output(g.Node("Relu", {x}));
  const Simulated got = Simulate(g, input);
  EXPECT_EQ(Values(got, 0), (std::vector<float>{-1.4f, -1, 0, 2, 6}));
  EXPECT_EQ(Values(got, 1), (std::vector<float>{-3, -1, 0, 2, 6}));
  EXPECT_EQ(Values(got, 2), (std::vector<float>{-1, -1, 0, 2, 9}));
  EXPECT_EQ(Values(got, 3), (std::vector<float>{-2, -1, 0, 1, 1}));
  EXPECT_EQ(Values(got, 4), (std::vector<float>{0, 0, 0, 2, 9}));
}

TEST(SimulatorBatchNormalization, IsTheWrittenFormulaInBinary64) {
  const std::vector<float> gamma{1.5f, -0.3f}, beta{0.1f, 2}, mean{-0.7f, 0.2f}, variance{0.9f, 3.3f};
  const PerTensor grid{{8, false}, 0.1f, -50};
  GraphBuilder g;
  const ValueId x = g.Input({1, 2, 1, 2}, grid);
  g.Output(g.Node("BatchNormalization",
                  {x, g.Floats({2}, gamma), g.Floats({2}, beta), g.Floats({2}, mean), g.Floats({2}, variance)},
                  {{"epsilon", 0.01f}}));
  const std::vector<float> y = Values(Simulate(g, {{{1, 2, 1, 2}, {-0.5f, 0.3f, 1.1f, 2}}}));
  const double w[] = {-5, 3, 11, 20};
  for (size_t i = 0; i < 4; ++i) {
    const size_t c = i / 2;
    const double gain =
        static_cast<double>(gamma[c]) / std::sqrt(static_cast<double>(variance[c]) + static_cast<double>(0.01f));
    const double value =
        (w[i] * static_cast<double>(0.1f) - static_cast<double>(mean[c])) * gain + static_cast<double>(beta[c]);
    EXPECT_EQ(y[i], static_cast<float>(value));
  }
}

// ---- Pools and data movement ----

TEST(SimulatorPool, AveragesCountOnlyWhatTheyShould) {
  GraphBuilder g;
  const ValueId x = g.Input({1, 1, 3, 3}, kUnit);  // 0 1 2 / 3 4 5 / 6 7 8
  const GraphBuilder::Attributes padded{{"kernel_shape", std::vector<int64_t>{2, 2}},
                                        {"strides", std::vector<int64_t>{2, 2}},
                                        {"pads", std::vector<int64_t>{1, 1, 0, 0}}};
  GraphBuilder::Attributes with_pad = padded, ceil = padded;
  with_pad["count_include_pad"] = int64_t{1};
  ceil["pads"] = std::vector<int64_t>{0, 0, 0, 0};
  ceil["ceil_mode"] = int64_t{1};
  GraphBuilder::Attributes ceil_with_pad = ceil;
  ceil_with_pad["count_include_pad"] = int64_t{1};
  for (const auto& attributes : {padded, with_pad, ceil, ceil_with_pad})
    g.Output(g.Node("AveragePool", {x}, attributes));
  g.Output(g.Node("AveragePool", {x},
                  {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}}));
  g.Output(g.Node("GlobalAveragePool", {x}));
  const Simulated got = Simulate(g, {{{1, 1, 3, 3}, Iota(9)}});
  EXPECT_EQ(Values(got, 0), (std::vector<float>{0, 1.5f, 4.5f, 6}));
  EXPECT_EQ(Values(got, 1), (std::vector<float>{0, 0.75f, 2.25f, 6}));
  EXPECT_EQ(Values(got, 2), (std::vector<float>{2, 3.5f, 6.5f, 8}));
  EXPECT_EQ(Values(got, 3), (std::vector<float>{2, 3.5f, 6.5f, 8}));  // cells that ceil_mode adds never count
  EXPECT_EQ(Values(got, 4), (std::vector<float>{2, 3, 3.5f, 5, 6, 6.5f, 6.5f, 7.5f, 8}));
  EXPECT_EQ(Values(got, 5), std::vector<float>{4});
}

TEST(SimulatorPool, CeilModeDropsAWindowThatStartsInTheEndPadding) {
  GraphBuilder g;
  const ValueId x = g.Input({1, 1, 1, 3}, kUnit);
  const GraphBuilder::Attributes attributes{{"kernel_shape", std::vector<int64_t>{1, 2}},
                                            {"strides", std::vector<int64_t>{1, 2}},
                                            {"pads", std::vector<int64_t>{0, 0, 0, 2}},
                                            {"ceil_mode", int64_t{1}}};
  g.Output(g.Node("MaxPool", {x}, attributes));
  const Simulated got = Simulate(g, {{{1, 1, 1, 3}, {1, 2, 3}}});
  EXPECT_EQ(Values(got), (std::vector<float>{2, 3}));  // ceil(3 / 2) + 1 = 3 windows, the third starts at 4
}

TEST(SimulatorPool, MaxKeepsCodesAndIgnoresPadding) {
  const PerTensor grid{{8, false}, 0.3f, -200};
  GraphBuilder g;
  const ValueId x = g.Input({1, 2, 1, 4}, grid);
  const ValueId pool = g.Node("MaxPool", {x},
                              {{"kernel_shape", std::vector<int64_t>{1, 2}},
                               {"dilations", std::vector<int64_t>{1, 2}},
                               {"pads", std::vector<int64_t>{0, 1, 0, 1}}},
                              grid);
  g.Output(pool);
  InputTensor input{{1, 2, 1, 4}, {}};
  for (int w : {-9, -5, -7, -3, 4, -1, 2, 3}) input.values.push_back(static_cast<float>(w) * 0.3f);
  const Simulated got = Simulate(g, {input}, {.record = true});
  ASSERT_TRUE(got.status.ok()) << got.status.message();
  // Windows {pad, 1}, {0, 2}, {1, 3}, {2, pad} of each channel.
  EXPECT_EQ(got.observed.at(pool).codes, (std::vector<int32_t>{195, 193, 197, 193, 199, 204, 203, 202}));
  EXPECT_EQ(got.observed.at(pool).t, (std::vector<double>{-5, -7, -3, -7, -1, 4, 3, 2}));
}

TEST(SimulatorPool, TakesUnencodedTensors) {
  GraphBuilder g;
  const ValueId x = g.Input({1, 1, 2, 2}, PerTensor{{8, false}, 0.1f, 0});
  const ValueId sum = g.Node("Add", {x, g.Floats({}, {0.7f})});                                              // f32
  const ValueId conv = g.Node("Conv", {x, g.Floats({1, 1, 1, 1}, {-0.9f}, PerTensor{{8, true}, 0.3f, 0})});  // real
  const GraphBuilder::Attributes window{{"kernel_shape", std::vector<int64_t>{2, 2}}};
  const PerTensor grid{{16, true}, 0.001f, 0};
  const ValueId max_f32 = g.Node("MaxPool", {sum}, window, grid), max_real = g.Node("MaxPool", {conv}, window, grid);
  const ValueId mean_f32 = g.Node("AveragePool", {sum}, window, grid),
                mean_real = g.Node("AveragePool", {conv}, window, grid);
  g.Output(mean_real);
  const Simulated got = Simulate(g, {{{1, 1, 2, 2}, {0.1f, 0.2f, 0.3f, 0.5f}}}, {.record = true});
  ASSERT_TRUE(got.status.ok()) << got.status.message();
  const double s_o = grid.scale, s = static_cast<double>(0.1f) * static_cast<double>(0.3f);
  double sum_f32 = 0, sum_real = 0;
  for (int w : {1, 2, 3, 5}) {
    sum_f32 += static_cast<double>(static_cast<float>(w) * 0.1f + 0.7f);
    sum_real += -3 * w * s;
  }
  // What stays f32 divides in float32, what is real in binary64.
  EXPECT_EQ(got.observed.at(max_f32).t[0], static_cast<double>((5 * 0.1f + 0.7f) / 0.001f));
  EXPECT_EQ(got.observed.at(mean_f32).t[0], sum_f32 / 4 / s_o);
  EXPECT_EQ(got.observed.at(max_real).t[0], -3 * s / s_o);
  EXPECT_EQ(got.observed.at(mean_real).t[0], sum_real / 4 / s_o);
  // Behind a weighted layer the bound follows the cell with the largest sum, or the mean of the sums.
  const auto bound = [&](double magnitude, double t) {
    return std::ldexp(8.0, -24) * magnitude / s_o + std::ldexp(std::abs(t), -22);
  };
  EXPECT_DOUBLE_EQ(got.observed.at(max_real).near_tie[0], bound(15 * s, -3 * s / s_o));
  EXPECT_DOUBLE_EQ(got.observed.at(mean_real).near_tie[0], bound(33 * s / 4, sum_real / 4 / s_o));
}

TEST(SimulatorPool, RefusesWindowsOfPaddingOnly) {
  GraphBuilder g;
  const ValueId x = g.Input({1, 1, 1, 1}, kUnit);
  g.Output(g.Node("MaxPool", {x},
                  {{"kernel_shape", std::vector<int64_t>{1, 1}}, {"pads", std::vector<int64_t>{0, 0, 0, 1}}}));
  EXPECT_EQ(
      Simulate(g, {{{1, 1, 1, 1}, {1}}}).status.message(),
      "MaxPool 'MaxPool0' of tensor 'MaxPool0_output': window 1 along axis 3 holds only padding of an input of 1 x 1");
}

TEST(SimulatorMovement, ReshapesAsOnnxSays) {
  struct Case {
    std::vector<int64_t> target;
    bool allow_zero;
    Shape want;  // rank 0: refused
  };
  const Case cases[] = {{{3, -1}, false, {3, 8}},      {{0, -1}, false, {2, 12}}, {{-1}, false, {24}},
                        {{2, 0, 4}, false, {2, 3, 4}}, {{5, -1}, false, {}},      {{2, 3}, false, {}},
                        {{0, 0, 0, 0}, false, {}},     {{0, -1}, true, {}},       {{4, 0, 2}, false, {4, 3, 2}}};
  for (const Case& c : cases) {
    SCOPED_TRACE(Shape(c.target).ToString());
    GraphBuilder g;
    const ValueId x = g.Input({2, 3, 4}, kUnit);
    g.Output(g.Node("Reshape", {x, g.Ints(c.target)}, {{"allowzero", int64_t{c.allow_zero}}}));
    const Simulated got = Simulate(g, {{{2, 3, 4}, Iota(24)}});
    ASSERT_EQ(got.status.ok(), c.want.rank() > 0) << got.status.message();
    if (!got.status.ok()) continue;
    EXPECT_EQ(got.outputs[0].shape, c.want);
    EXPECT_EQ(got.outputs[0].values, Iota(24));
  }
}

TEST(SimulatorMovement, FlattensBeforeAnyAxis) {
  const Shape want[] = {{1, 24}, {2, 12}, {6, 4}, {24, 1}};
  for (int64_t axis = -3; axis <= 3; ++axis) {
    GraphBuilder g;
    g.Output(g.Node("Flatten", {g.Input({2, 3, 4}, kUnit)}, {{"axis", axis}}));
    const Simulated got = Simulate(g, {{{2, 3, 4}, Iota(24)}});
    ASSERT_TRUE(got.status.ok()) << got.status.message();
    EXPECT_EQ(got.outputs[0].shape, want[axis < 0 ? axis + 3 : axis]);
    EXPECT_EQ(got.outputs[0].values, Iota(24));
  }
}

}  // namespace
}  // namespace lq
