// ExpandOperators and ExpandEinsum.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/passes/passes.h"
#include "tests/support/executors.h"
#include "tests/support/expect_error.h"
#include "tests/support/graph_builder.h"
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"

namespace lq {
namespace {

// A ConvTranspose of a (1, 2, 5, 5) image with a window of 3 x 3 and stride 2.
Node Expanded(const testing::GraphBuilder::Attributes& attributes, bool quantized = false) {
  testing::GraphBuilder builder;
  const ValueId x = builder.Input({1, 2, 5, 5});
  ValueId weight = builder.Floats({2, 1, 3, 3}, std::vector<float>(18));
  if (quantized) weight = builder.Node("DequantizeLinear", {weight, builder.Floats({}, {1})});
  testing::GraphBuilder::Attributes all = attributes;
  all.emplace("strides", std::vector<int64_t>{2, 2});
  builder.Output(builder.Node("ConvTranspose", {x, weight}, all));
  const Status status = ExpandOperators(builder.graph());
  EXPECT_TRUE(status.ok()) << status.message();
  return builder.graph().nodes.back();
}

using Numbers = std::vector<int64_t>;

TEST(ExpandOperatorsTest, TransposedConvolutionsOfAGivenLength) {
  // Without pads the output is 2 * 4 + 3 = 11 long. As ONNX Runtime 1.31 has it, the larger half is in front.
  const Node eight = Expanded({{"output_shape", Numbers{8, 12}}});
  EXPECT_EQ(eight.Ints("pads", {}), (Numbers{2, 0, 1, 0}));
  EXPECT_EQ(eight.Ints("output_padding", {}), (Numbers{0, 1}));
  EXPECT_EQ(eight.attributes.count("output_shape"), 0u);
  const Node upper = Expanded({{"output_shape", Numbers{8, 11}}, {"auto_pad", std::string("SAME_UPPER")}});
  EXPECT_EQ(upper.Ints("pads", {}), (Numbers{1, 0, 2, 0}));
  for (const bool quantized : {false, true}) {  // 10 long, whatever the input is
    EXPECT_EQ(Expanded({{"auto_pad", std::string("SAME_UPPER")}}, quantized).Ints("pads", {}), (Numbers{0, 0, 1, 1}));
    EXPECT_EQ(Expanded({{"auto_pad", std::string("SAME_LOWER")}}, quantized).Ints("pads", {}), (Numbers{1, 1, 0, 0}));
  }
}

TEST(ExpandOperatorsTest, OperandsThatMove) {
  testing::GraphBuilder builder;
  const ValueId x = builder.Input({3, 4}), weight = builder.Floats({3, 2}, std::vector<float>(6));
  const ValueId rows = builder.Ints({2, 0});
  builder.graph().value(rows).constant->shape = Shape{2, 1};
  builder.Output(builder.Node("Gemm", {x, weight}, {{"transA", int64_t{1}}}));
  builder.Output(builder.Node("GatherND", {x, rows}));
  const Status status = ExpandOperators(builder.graph());
  ASSERT_TRUE(status.ok()) << status.message();
  const Graph& graph = builder.graph();
  ASSERT_EQ(graph.nodes.size(), 3u);
  EXPECT_EQ(graph.nodes[0].op, "Transpose");
  EXPECT_EQ(graph.nodes[1].inputs[0], graph.nodes[0].outputs[0]);
  EXPECT_EQ(graph.nodes[1].attributes.count("transA"), 0u);
  EXPECT_EQ(graph.nodes[2].op, "Gather");
  EXPECT_EQ(graph.value(graph.nodes[2].inputs[1]).constant->shape, Shape{2});
}

// What an equation without spaces and ellipsis means: for each element of the result a sum over all other labels.
std::vector<float> SumsOf(const std::string& equation, const std::vector<testing::InputTensor>& operands) {
  std::map<char, size_t> lengths, at;
  std::vector<std::string> terms(1);
  const size_t arrow = equation.find("->");
  for (char c : equation.substr(0, arrow)) c == ',' ? terms.emplace_back() : terms.back() += c;
  std::string labels = equation.substr(arrow + 2);
  for (size_t i = 0; i < terms.size(); ++i) {
    for (size_t d = 0; d < terms[i].size(); ++d) {
      lengths[terms[i][d]] = static_cast<size_t>(operands[i].shape[d]);
      if (labels.find(terms[i][d]) == std::string::npos) labels += terms[i][d];
    }
  }
  size_t all = 1, kept = 1;
  for (char label : labels) all *= lengths[label];
  for (char label : equation.substr(arrow + 2)) kept *= lengths[label];
  std::vector<float> sums(kept);
  for (size_t i = 0; i < all; ++i) {
    size_t rest = i;
    for (size_t d = labels.size(); d > 0; --d) {
      at[labels[d - 1]] = rest % lengths[labels[d - 1]];
      rest /= lengths[labels[d - 1]];
    }
    float product = 1;
    for (size_t k = 0; k < terms.size(); ++k) {
      size_t element = 0;
      for (char label : terms[k]) element = element * lengths[label] + at[label];
      product *= operands[k].values[element];
    }
    sums[i / (all / kept)] += product;
  }
  return sums;
}

// `plain`: the equation as SumsOf reads it; `constant`: which operand is one, on the grid of its own encoding.
struct EinsumCase {
  const char *equation, *plain;
  std::vector<Shape> shapes;
  int constant = -1;
};

// Halves and quarters, of which all sums are exact.
void ExpectSums(const EinsumCase& test, bool encoded) {
  SCOPED_TRACE(std::string(test.equation) + (encoded ? " of codes" : " of floats"));
  testing::GraphBuilder builder;
  std::vector<testing::InputTensor> operands, inputs;
  std::vector<ValueId> ids;
  for (size_t i = 0; i < test.shapes.size(); ++i) {
    operands.push_back({test.shapes[i], {}});
    for (int64_t e = 0; e < test.shapes[i].NumElements(); ++e) {
      operands[i].values.push_back(static_cast<float>((e * 7 + static_cast<int64_t>(i) * 5) % 23 - 9) * 0.25f);
    }
    const auto encoding = encoded ? std::optional<Encoding>(PerTensor{{8, false}, 0.25f, -100}) : std::nullopt;
    Shape dynamic = test.shapes[i];
    if (dynamic.rank() > 1) dynamic[0] = -1;
    const bool constant = static_cast<int>(i) == test.constant;
    if (!constant) inputs.push_back(operands[i]);
    ids.push_back(constant ? builder.Floats(test.shapes[i], operands[i].values, encoding)
                           : builder.Input(dynamic, encoding));
  }
  const auto out = encoded ? std::optional<Encoding>(PerTensor{{16, false}, 0.0625f, -30000}) : std::nullopt;
  builder.Output(builder.Node("Einsum", ids, {{"equation", std::string(test.equation)}}, out));
  Status status = ExpandEinsum(builder.graph());
  ASSERT_TRUE(status.ok()) << status.message();
  status = FoldNodes(builder.graph());
  ASSERT_TRUE(status.ok()) << status.message();
  const std::vector<float> expected = SumsOf(test.plain, operands);
  const testing::Simulated simulated = testing::Simulate(builder.Share(), inputs);
  ASSERT_TRUE(simulated.status.ok()) << simulated.status.message();
  EXPECT_EQ(simulated.outputs[0].values, expected);
  const Result<Session> session = Session::Prepare(Model(builder.Share()));
  ASSERT_TRUE(session.ok()) << session.status().message();
  std::vector<ConstTensorView> views;
  for (const testing::InputTensor& input : inputs) {
    views.emplace_back(DType::kF32, input.shape, std::as_bytes(std::span<const float>(input.values)));
  }
  const testing::SessionRun run = testing::RunSession(*session, views, SerialExecutor());
  ASSERT_TRUE(run.status.ok()) << run.status.message();
  EXPECT_EQ(run.outputs[0], expected);
}

TEST(ExpandEinsumTest, EqualsItsSums) {
  const EinsumCase cases[] = {
      {"bhqd,bhkd->bhqk", "bhqd,bhkd->bhqk", {{2, 3, 4, 5}, {2, 3, 6, 5}}},
      {"bhqk,bhkd->bhqd", "bhqk,bhkd->bhqd", {{2, 3, 4, 6}, {2, 3, 6, 5}}},
      {"b i j, b j k -> b i k", "bij,bjk->bik", {{2, 3, 4}, {2, 4, 5}}},
      {"bkd,bqd", "bkd,bqd->kq", {{2, 3, 4}, {2, 5, 4}}},  // without a result: the labels that occur once
      {"bkd,bqd->bqk", "bkd,bqd->bqk", {{2, 3, 4}, {2, 5, 4}}},
      {"bqhd,bkhd->bhqk", "bqhd,bkhd->bhqk", {{2, 4, 3, 5}, {2, 6, 3, 5}}},
      {"bsd,de->bse", "bsd,de->bse", {{2, 3, 4}, {4, 5}}, 1},
      {"bsd,dhe->bhse", "bsd,dhe->bhse", {{2, 3, 4}, {4, 2, 5}}, 1},
      {"bqhd,hdo->bqo", "bqhd,hdo->bqo", {{2, 3, 2, 5}, {2, 5, 4}}, 1},
      {"ed,bsd->bse", "ed,bsd->bse", {{5, 4}, {2, 3, 4}}, 0},
      {"bqhd,qkd->bhqk", "bqhd,qkd->bhqk", {{2, 3, 4, 5}, {3, 6, 5}}, 1},
      {"bchw,bc->bhw", "bchw,bc->bhw", {{2, 3, 4, 5}, {2, 3}}},
      {"bi,bi->b", "bi,bi->b", {{2, 5}, {2, 5}}},
      {"bij,bi->bj", "bij,bi->bj", {{2, 3, 4}, {2, 3}}},
      {"i,j->ij", "i,j->ij", {{3}, {4}}},
      {"bi,ib->bi", "bi,ib->bi", {{2, 3}, {3, 2}}},
      {"bij,bkl->bjk", "bij,bkl->bjk", {{2, 3, 4}, {2, 5, 3}}},
      {"...ij,...jk->...ik", "abij,bjk->abik", {{2, 3, 4, 5}, {3, 5, 2}}},
      {"...,...", "ab,ab->ab", {{2, 3}, {2, 3}}},
      {"bij->bji", "bij->bji", {{2, 3, 4}}},
      {"bij->jb", "bij->jb", {{2, 3, 4}}},
      {"bij->bij", "bij->bij", {{2, 3, 4}}},
  };
  for (const EinsumCase& test : cases) {
    for (const bool encoded : {false, true}) ExpectSums(test, encoded);
  }
}

// The product and what moves behind it: one layer, which rounds once, to the encoding of the Einsum's result.
TEST(ExpandEinsumTest, IsOneLayerWithWhatMovesBehindIt) {
  const PerTensor e{{8, false}, 0.25f, -100};
  testing::GraphBuilder builder;
  const std::vector<ValueId> ids{builder.Input({-1, 4, 3, 5}, e), builder.Input({-1, 6, 3, 5}, e)};
  builder.Output(builder.Node("Einsum", ids, {{"equation", std::string("bqhd,bkhd->bqkh")}}, e));
  const Status status = ExpandEinsum(builder.graph());
  ASSERT_TRUE(status.ok()) << status.message();
  const Result<Session> session = Session::Prepare(Model(builder.Share()));
  ASSERT_TRUE(session.ok()) << session.status().message();
  const auto product = std::find_if(session->steps().begin(), session->steps().end(),
                                    [](const StepInfo& step) { return step.op.find("MatMul") != std::string::npos; });
  ASSERT_NE(product, session->steps().end());
  EXPECT_EQ(product->op, "MatMul+Transpose");
  EXPECT_EQ(product->layer.variant.rfind("matmul_u8s8", 0), 0u) << product->layer.variant;
}

TEST(ExpandEinsumTest, RefusesOtherForms) {
  const auto refused = [](const char* equation, const std::vector<Shape>& shapes) {
    testing::GraphBuilder builder;
    std::vector<ValueId> ids;
    for (const Shape& shape : shapes) ids.push_back(builder.Input(shape));
    builder.Output(builder.Node("Einsum", ids, {{"equation", std::string(equation)}}));
    return ExpandEinsum(builder.graph());
  };
  testing::ExpectUnsupported(refused("ii->i", {{3, 3}}), {"Einsum0", "'ii'", "diagonals"});
  testing::ExpectUnsupported(refused("ij,jk,kl->il", {{2, 2}, {2, 2}, {2, 2}}), {"3 inputs", "1 or 2"});
  testing::ExpectUnsupported(refused("bqij,bijk->bqk", {{1, 2, -1, 3}, {1, -1, 3, -1}}), {"bqij,bijk", "lengths"});
  testing::ExpectInvalid(refused("ij,jk->ik", {{2, 2}}), {"2 operands, not of 1"});
  testing::ExpectInvalid(refused("ij->i", {{2, 2, 2}}), {"'ij'", "3 dimensions"});
  testing::ExpectInvalid(refused("ij->ix", {{2, 2}}), {"'ix'"});
  testing::ExpectInvalid(refused("...i->i", {{2, 2}}), {"'...'"});
  testing::ExpectInvalid(refused("i_->i", {{2, 2}}), {"'i_'"});
  testing::ExpectInvalid(refused("......,ab->ab", {{1, 2, 3}, {2, 2}}), {"more than one '...'"});
  testing::ExpectInvalid(refused("bhd,hde->be", {{1, 12, 64}, {64, 12, 8}}), {"label 'h' is 12 and 64 long"});
}

}  // namespace
}  // namespace lq
