// TranslateExtendedQuantizers: Quark's quantizers with 16-bit floats as codes.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "runtime/passes/float_rounding.h"
#include "runtime/passes/passes.h"
#include "tests/support/expect_error.h"
#include "tests/support/graph_builder.h"
#include "tests/support/simulate.h"

namespace lq {
namespace {

using testing::ExpectUnsupported;
using testing::GraphBuilder;

struct Network {
  Network(DType type, float scale, const std::vector<float>& constant);

  GraphBuilder builder;
  ValueId folded = kAbsent;  // the constant behind its nodes
};

// x and a constant through a pair of nodes each.
Network::Network(DType type, float scale, const std::vector<float>& constant) {
  const ValueId x = builder.Input({static_cast<int64_t>(constant.size())});
  const ValueId s = builder.Floats({}, {scale}), zero = builder.Floats({}, {0});
  builder.graph().value(zero).constant->file_type = type;
  const auto pair = [&](ValueId id) {
    const ValueId codes = builder.Node("ExtendedQuantizeLinear", {id, s, zero});
    return builder.Node("ExtendedDequantizeLinear", {codes, s, zero});
  };
  const ValueId c = builder.Floats({static_cast<int64_t>(constant.size())}, constant);
  builder.Output(pair(x));
  folded = pair(c);
  for (Node& node : builder.graph().nodes) node.domain = "com.amd.quark";
}

TEST(TranslateExtendedTest, RoundsConstantsAndActivationsAlike) {
  const float inf = std::numeric_limits<float>::infinity();
  struct Case {
    DType type;
    float x, rounded;
  };
  for (const Case& c : {Case{DType::kBF16, 1 + 0x1p-8f, 1},
                        {DType::kBF16, 1 + 0x3p-8f, 1 + 0x1p-6f},
                        {DType::kBF16, inf, 0x1.fep127f},
                        {DType::kBF16, -0x1.ffp127f, -0x1.fep127f},
                        {DType::kBF16, 0x1p-133f, 0x1p-133f},
                        {DType::kBF16, 0x1p-134f, 0},
                        {DType::kF16, 1 + 0x1p-11f, 1},
                        {DType::kF16, 1 + 0x3p-11f, 1 + 0x1p-9f},
                        {DType::kF16, 65520, 65504},
                        {DType::kF16, -1e9f, -65504},
                        {DType::kF16, 0x1p-24f, 0x1p-24f},
                        {DType::kF16, 0x3p-25f, 0x1p-23f},
                        {DType::kF16, 0x1p-25f, 0}}) {
    Network network(c.type, 1, {c.x, -c.x});
    const Result<bool> found = TranslateExtendedQuantizers(network.builder.graph());
    ASSERT_TRUE(found.ok()) << found.status().message();
    EXPECT_TRUE(*found);
    const std::vector<testing::InputTensor> inputs = {{{2}, {c.x, -c.x}}};
    const testing::Simulated run = testing::Simulate(network.builder, inputs);
    ASSERT_TRUE(run.status.ok()) << run.status.message();
    const std::vector<float> rounded = {c.rounded, -c.rounded};
    EXPECT_EQ(run.outputs[0].values, rounded) << c.x;
    EXPECT_EQ(network.builder.graph().value(network.folded).constant->f32, rounded) << c.x;
  }
  EXPECT_TRUE(std::isnan(RoundToFormat(NAN, kHalf)));
}

TEST(TranslateExtendedTest, IntegersAreOnnxs) {
  Network network(DType::kU8, 0.5f, {1});
  GraphBuilder& builder = network.builder;
  const Result<bool> found = TranslateExtendedQuantizers(builder.graph());
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_FALSE(*found);
  EXPECT_EQ(builder.graph().nodes[0].op, "QuantizeLinear");
  EXPECT_EQ(builder.graph().nodes[1].op, "DequantizeLinear");
  EXPECT_EQ(builder.graph().nodes[1].domain, "");
}

TEST(TranslateExtendedTest, RefusesScaledBfloat16) {
  Network bfloat(DType::kBF16, 0.5f, {1}), half(DType::kF16, 0.5f, {1});
  ExpectUnsupported(TranslateExtendedQuantizers(bfloat.builder.graph()).status(),
                    {"ExtendedQuantizeLinear", "scale", "not 1"});
  EXPECT_TRUE(TranslateExtendedQuantizers(half.builder.graph()).ok());  // Quark ignores it
}

}  // namespace
}  // namespace lq
