// The comparison behind `lanequant validate`. Expected numbers are worked out by hand or are AIMET's own.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "runtime/compare/code_difference.h"
#include "runtime/compare/missing_references.h"
#include "runtime/compare/reference_layers.h"
#include "runtime/compare/rows.h"
#include "tests/support/expect_error.h"
#include "tests/support/graph_builder.h"

namespace lq {
namespace {

using testing::ExpectInvalid;
using testing::ExpectUnsupported;
using testing::GraphBuilder;

template <class T>
NamedArray MakeArray(const std::string& name, DType dtype, const Shape& shape, const std::vector<T>& values) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(values));
  return {name, dtype, shape, {bytes.begin(), bytes.end()}};
}

std::vector<int32_t> ToVector(std::span<const int32_t> codes) { return {codes.begin(), codes.end()}; }

TEST(CodeDifferenceTest, CountsAndKeepsTheLargest) {
  const std::vector<int32_t> a{1, 2, 3, 250, -128}, b{1, 3, 3, 0, 127};
  CodeDifference difference;
  difference.Add(a, b);
  EXPECT_EQ(difference.compared, 5u);
  EXPECT_EQ(difference.different, 3u);
  EXPECT_EQ(difference.largest, 255);
  CodeDifference sum;
  sum.Add(difference);
  sum.Add(a, a);
  EXPECT_EQ(sum.compared, 10u);
  EXPECT_EQ(sum.different, 3u);
  EXPECT_EQ(sum.largest, 255);
}

ObservedTensor Recorded(std::vector<int32_t> codes, std::vector<double> t, std::vector<double> near_tie) {
  ObservedTensor tensor;
  tensor.codes = std::move(codes);
  tensor.t = std::move(t);
  tensor.near_tie = std::move(near_tie);
  return tensor;
}

TEST(TieDistanceTest, ExplainsOnlyDifferencesOfOneNearATie) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  struct Case {
    int32_t simulated, reference;
    double t, allowed;
    uint64_t unexplained;
  };
  for (const Case& c : {Case{3, 3, 3.0, 0.0, 0},                // equal: the distance does not matter
                        Case{2, 3, 2.5, 0.0, 0},                // a tie
                        Case{3, 2, 2.50390625, 0.00390625, 0},  // just within
                        Case{3, 2, 2.50390625, 0.00390624, 1},  // just beyond
                        Case{3, 4, 2.50390625, 0.25, 1},        // away from the tie
                        Case{-3, -2, -2.5, 0.0, 0},             // a tie that went up or down
                        Case{2, 4, 2.5, 0.25, 1},               // two codes
                        Case{2, 3, nan, 0.25, 1}}) {
    TieDistance tie;
    tie.Add(Recorded({c.simulated}, {c.t}, {c.allowed}), std::vector<int32_t>{c.reference});
    EXPECT_EQ(tie.unexplained, c.unexplained) << c.simulated << " " << c.reference << " " << c.t;
  }
}

TEST(TieDistanceTest, KeepsTheDifferenceThatUsesMostOfItsAllowance) {
  TieDistance tie;
  tie.Add(Recorded({0, 1, 2, 3}, {0.25, 1.375, 2.4375, 3.0}, {0.5, 0.25, 0.25, 0.001}),
          std::vector<int32_t>{1, 2, 3, 3});
  EXPECT_EQ(tie.unexplained, 0u);
  // Distances 0.25, 0.125, 0.0625 of 0.5, 0.25, 0.25: the first and second use half, the third a quarter.
  EXPECT_EQ(tie.distance, 0.25);
  EXPECT_EQ(tie.allowance, 0.5);
  tie.Add(Recorded({4}, {4.3125}, {0.25}), std::vector<int32_t>{5});
  EXPECT_EQ(tie.distance, 0.1875);
  EXPECT_EQ(tie.allowance, 0.25);
}

// input0 (u8, scale 0.5, offset -10) -> Conv0_output (s8, scale 0.25) -> Clip1_output (the same encoding)
struct Network {
  Network() {
    input = builder.Input({-1, 2}, PerTensor{{8, false}, 0.5f, -10});
    middle = builder.Node("Conv", {input}, {}, PerTensor{{8, true}, 0.25f, 0});
    result = builder.Node("Clip", {middle}, {}, PerTensor{{8, true}, 0.25f, 0});
    builder.Node("Relu", {result});
  }
  Result<ReferenceLayers> Make(const std::vector<NamedArray>& arrays) {
    return ReferenceLayers::Make(builder.graph(), arrays);
  }
  GraphBuilder builder;
  ValueId input, middle, result;
};

TEST(ReferenceLayersTest, TurnsValuesIntoCodes) {
  Network network;
  const auto layers = network.Make({
      MakeArray<float>("input0", DType::kF32, {3, 2}, {-5.0f, 0.0f, 122.5f, 0.5f, 1.0f, 1.5f}),
      MakeArray<double>("Clip1_output", DType::kF64, {3, 1}, {-32.0, 31.75, 0.25}),
      MakeArray<int8_t>("Conv0_output", DType::kS8, {3, 1}, {-128, 127, 5}),
  });
  ASSERT_TRUE(layers.ok()) << layers.status().message();
  EXPECT_EQ(layers->rows(), 3);
  EXPECT_EQ(layers->size(), 3u);
  EXPECT_TRUE(layers->notes().empty());
  EXPECT_EQ(ToVector(layers->Codes(network.input, {0, 3})), (std::vector<int32_t>{0, 10, 255, 11, 12, 13}));
  EXPECT_EQ(ToVector(layers->Codes(network.input, {1, 1})), (std::vector<int32_t>{255, 11}));
  EXPECT_EQ(ToVector(layers->Codes(network.result, {1, 2})), (std::vector<int32_t>{127, 1}));
  EXPECT_EQ(ToVector(layers->Codes(network.middle, {0, 3})), (std::vector<int32_t>{-128, 127, 5}));
}

TEST(ReferenceLayersTest, TakesIntegersOfEveryTypeAsCodes) {
  Network network;
  for (const NamedArray& array : {
           MakeArray<uint8_t>("input0", DType::kU8, {1, 2}, {0, 200}),
           MakeArray<uint16_t>("input0", DType::kU16, {1, 2}, {0, 200}),
           MakeArray<int16_t>("input0", DType::kS16, {1, 2}, {0, 200}),
           MakeArray<int32_t>("input0", DType::kS32, {1, 2}, {0, 200}),
           MakeArray<int64_t>("input0", DType::kS64, {1, 2}, {0, 200}),
       }) {
    const auto layers = network.Make({array});
    ASSERT_TRUE(layers.ok()) << layers.status().message();
    EXPECT_EQ(ToVector(layers->Codes(network.input, {0, 1})), (std::vector<int32_t>{0, 200})) << NameOf(array.dtype);
  }
}

// Their float32 values lie up to 0.004 codes from the grid: 2^-24 of 65535.
TEST(ReferenceLayersTest, TakesDequantizedCodesOf16Bits) {
  const PerTensor e{{16, false}, 7.986493e-05f, -2694};
  testing::GraphBuilder builder;
  const ValueId input = builder.Input({-1, 65536}, e);
  builder.Output(builder.Node("Relu", {input}, {}, e));
  std::vector<float> values;
  std::vector<int32_t> codes;
  for (int32_t q = 0; q < 65536; ++q) {
    codes.push_back(q);
    values.push_back(static_cast<float>(q + e.offset) * e.scale);
  }
  const std::shared_ptr<const Graph> graph = builder.Share();
  const std::vector<NamedArray> arrays{MakeArray<float>("input0", DType::kF32, {1, 65536}, values)};
  const auto layers = ReferenceLayers::Make(*graph, arrays);
  ASSERT_TRUE(layers.ok()) << layers.status().message();
  EXPECT_EQ(ToVector(layers->Codes(input, {0, 1})), codes);
}

TEST(ReferenceLayersTest, RefusesValuesThatAreNotOnTheGrid) {
  Network network;
  const float inf = std::numeric_limits<float>::infinity();
  const char* kSentence = "the encodings do not match the layers";
  // 0.125 / 0.5 + 10 = 10.25 codes.
  ExpectInvalid(network.Make({MakeArray<float>("input0", DType::kF32, {1, 2}, {0.5f, 0.125f})}).status(),
                {kSentence, "'input0'", "10.25 codes", "0.25 from"});
  // On an integer, but the grid ends at 255.
  ExpectInvalid(network.Make({MakeArray<float>("input0", DType::kF32, {1, 2}, {0.5f, 123.0f})}).status(),
                {kSentence, "256 codes"});
  ExpectInvalid(network.Make({MakeArray<float>("input0", DType::kF32, {1, 1}, {NAN})}).status(), {kSentence});
  ExpectInvalid(network.Make({MakeArray<float>("input0", DType::kF32, {1, 1}, {inf})}).status(), {kSentence});
  ExpectInvalid(network.Make({MakeArray<int32_t>("input0", DType::kS32, {1, 1}, {-1})}).status(), {kSentence, "-1"});
  // Within 1e-3 of a code is rounding.
  EXPECT_TRUE(network.Make({MakeArray<double>("input0", DType::kF64, {1, 1}, {0.5 * 1.0009})}).ok());
  ExpectInvalid(network.Make({MakeArray<double>("input0", DType::kF64, {1, 1}, {0.5 * 1.0011})}).status(), {kSentence});
}

// A fused Clip: AIMET wrote the output's encoding on its input, but never rounded there.
TEST(ReferenceLayersTest, PassesOverTheInputOfAFusedClip) {
  Network network;
  const auto layers = network.Make({MakeArray<float>("Conv0_output", DType::kF32, {1, 1}, {0.1f}),
                                    MakeArray<float>("Clip1_output", DType::kF32, {1, 1}, {0.25f})});
  ASSERT_TRUE(layers.ok()) << layers.status().message();
  EXPECT_TRUE(layers->Codes(network.middle, {0, 1}).empty());
  ASSERT_EQ(layers->notes().size(), 1u);
  EXPECT_NE(layers->notes()[0].find("'Conv0_output'"), std::string::npos);
  ExpectInvalid(network.Make({MakeArray<float>("Clip1_output", DType::kF32, {1, 1}, {0.1f})}).status(),
                {"'Clip1_output'"});
}

TEST(ReferenceLayersTest, ListsWhatMatchesNothing) {
  Network network;
  const NamedArray input = MakeArray<float>("input0", DType::kF32, {1, 2}, {0, 0});
  const NamedArray unknown = MakeArray<float>("who", DType::kF32, {1, 1}, {0.1f});
  const NamedArray unencoded = MakeArray<float>("Relu2_output", DType::kF32, {1, 1}, {0.1f});
  const auto layers = network.Make({unknown, input, unencoded});
  ASSERT_TRUE(layers.ok()) << layers.status().message();
  EXPECT_EQ(layers->size(), 1u);
  ASSERT_EQ(layers->notes().size(), 2u);
  EXPECT_NE(layers->notes()[0].find("'who'"), std::string::npos);
  EXPECT_NE(layers->notes()[1].find("layers without an encoding, not compared: 1"), std::string::npos);
  ExpectInvalid(network.Make({unknown, unencoded}).status(), {"none of the 2 layers"});
}

// As of a recurrent network, with the steps of time in front.
TEST(ReferenceLayersTest, OtherLeadingDimensionsAreComparedAsAWhole) {
  Network network;
  const auto layers = network.Make({MakeArray<float>("Clip1_output", DType::kF32, {3, 1}, {0, 0.25f, 0.5f}),
                                    MakeArray<float>("input0", DType::kF32, {2, 2}, {0, 0, 0.5f, 0})});
  ASSERT_TRUE(layers.ok()) << layers.status().message();
  EXPECT_EQ(layers->rows(), 2);
  EXPECT_EQ(ToVector(layers->Codes(network.input, {1, 1})), (std::vector<int32_t>{11, 10}));
  EXPECT_EQ(ToVector(layers->Codes(network.result, {0, 2})), (std::vector<int32_t>{0, 1, 2}));
  EXPECT_TRUE(layers->Codes(network.result, {0, 1}).empty());
  ASSERT_EQ(layers->notes().size(), 1u);
  EXPECT_NE(layers->notes()[0].find("'Clip1_output' has 3 rows, others 2"), std::string::npos);
}

// A tensor of the file that no node makes any more: a state of zeros.
TEST(ReferenceLayersTest, NotesWhatTheNetworkDoesNotCompute) {
  Network network;
  const ValueId state = network.builder.Node("ConstantOfShape", {}, {}, PerTensor{{8, false}, 0.5f, 0});
  network.builder.graph().nodes.pop_back();
  const auto layers = network.Make({MakeArray<float>("input0", DType::kF32, {1, 2}, {0, 0}),
                                    MakeArray<float>("ConstantOfShape3_output", DType::kF32, {1, 2}, {0, 0})});
  ASSERT_TRUE(layers.ok()) << layers.status().message();
  EXPECT_EQ(layers->size(), 1u);
  EXPECT_TRUE(layers->Codes(state, {0, 1}).empty());
  ASSERT_EQ(layers->notes().size(), 1u);
  EXPECT_NE(layers->notes()[0].find("'ConstantOfShape3_output' is not compared"), std::string::npos);
}

TEST(ReferenceLayersTest, RefusesScalars) {
  Network network;
  ExpectInvalid(network.Make({MakeArray<float>("input0", DType::kF32, {}, {0})}).status(), {"'input0'", "no rows"});
}

std::vector<std::pair<int64_t, int64_t>> Slices(const Graph& graph, int64_t rows) {
  std::vector<std::pair<int64_t, int64_t>> slices;
  const auto result = SliceRows(graph, rows, 64);
  EXPECT_TRUE(result.ok()) << result.status().message();
  if (result.ok()) {
    for (Rows slice : *result) slices.emplace_back(slice.first, slice.count);
  }
  return slices;
}

TEST(RowsTest, SlicesByTheBatch) {
  using Pairs = std::vector<std::pair<int64_t, int64_t>>;
  GraphBuilder dynamic, fixed;
  dynamic.Input({-1, 3});
  fixed.Input({2, 3});
  EXPECT_EQ(Slices(dynamic.graph(), 130), (Pairs{{0, 64}, {64, 64}, {128, 2}}));
  EXPECT_EQ(Slices(dynamic.graph(), 64), (Pairs{{0, 64}}));
  EXPECT_EQ(Slices(dynamic.graph(), 1), (Pairs{{0, 1}}));
  EXPECT_EQ(Slices(fixed.graph(), 4), (Pairs{{0, 2}, {2, 2}}));
  ExpectInvalid(SliceRows(fixed.graph(), 5, 64).status(), {"'input0'", "5 rows", "batch of 2"});
  ExpectInvalid(SliceRows(dynamic.graph(), 0, 64).status(), {"0 rows"});
}

TEST(RowsTest, RefusesInputsWithoutACommonBatch) {
  GraphBuilder scalar, mixed, none;
  scalar.Input({});
  mixed.Input({-1, 3});
  mixed.Input({2, 3});
  ExpectUnsupported(BatchOf(scalar.graph()).status(), {"'input0'"});
  ExpectUnsupported(BatchOf(mixed.graph()).status(), {"'input1' has batch 2", "'input0' has -1"});
  ExpectInvalid(BatchOf(none.graph()).status(), {"no input"});
}

TEST(RowsTest, TakesRowsOfAnArray) {
  const NamedArray array = MakeArray<float>("a", DType::kF32, {3, 2}, {0, 1, 2, 3, 4, 5});
  const ConstTensorView rows = RowsOf(array.view(), {1, 2});
  EXPECT_EQ(rows.shape, (Shape{2, 2}));
  ASSERT_EQ(rows.bytes.size(), 16u);
  EXPECT_EQ(rows.data<float>()[0], 2.0f);
  EXPECT_EQ(rows.data<float>()[3], 5.0f);
}

// Of a TopK only the indices are used: the values have no name.
TEST(MissingReferencesTest, TakesOutputsThatAreLeftOut) {
  testing::GraphBuilder builder;
  const PerTensor e{{8, false}, 1.0f, 0};
  const ValueId x = builder.Input({1, 4}, e), a = builder.Node("Sigmoid", {x}, {}, e);
  const ValueId indices = builder.Node("TopK", {a, builder.Ints({1})});
  builder.graph().nodes.back().outputs = {kAbsent, indices};
  NamedArray layer{builder.graph().value(x).name, DType::kF32, {1, 4}, std::vector<std::byte>(4 * sizeof(float))};
  const auto reference = ReferenceLayers::Make(builder.graph(), std::span(&layer, 1));
  ASSERT_TRUE(reference.ok()) << reference.status().message();
  EXPECT_EQ(MissingBefore(builder.graph(), *reference, {indices}), std::vector<ValueId>{a});
}

}  // namespace
}  // namespace lq
