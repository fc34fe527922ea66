// What the planner fuses, and what it says of layers on floats.
#include "runtime/plan/planner.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/expect_error.h"
#include "tests/support/graph_builder.h"

namespace lq {
namespace {

using testing::GraphBuilder;

const Encoding kWeight = PerTensor{{8, true}, 0.01f, 0};

PerTensor Activation(float scale, int32_t offset = 0) { return {{8, false}, scale, offset}; }

std::vector<std::string> Ops(const Plan& plan) {
  std::vector<std::string> ops;
  for (const PlannedStep& step : plan.steps) ops.push_back(step.op);
  return ops;
}

class PlannerTest : public ::testing::Test {
 protected:
  ValueId Input() { return builder_.Input({-1, 4, 6, 6}, Activation(0.1f)); }
  ValueId Conv(ValueId x, std::optional<Encoding> encoding) {
    const ValueId w = builder_.Floats({5, 4, 1, 1}, std::vector<float>(20, 0.5f), kWeight);
    return builder_.Node("Conv", {x, w}, {}, std::move(encoding));
  }
  Result<Plan> Build(ValueId output, bool keep = false) {
    builder_.Output(output);
    options_.keep_encoded_tensors = keep;
    return Planner::Build(builder_.graph(), options_);
  }
  std::vector<std::string> OpsOf(ValueId output, bool keep = false) {
    const Result<Plan> plan = Build(output, keep);
    EXPECT_TRUE(plan.ok()) << plan.status().message();
    return plan.ok() ? Ops(*plan) : std::vector<std::string>();
  }
  GraphBuilder builder_;
  SessionOptions options_;
};

using Expected = std::vector<std::string>;

TEST_F(PlannerTest, FusesReluBehindAnUnencodedConv) {
  const ValueId relu = builder_.Node("Relu", {Conv(Input(), std::nullopt)}, {}, Activation(0.05f));
  EXPECT_EQ(OpsOf(relu), (Expected{"Quantize", "Conv+Relu", "Output"}));
}

// The same encoding on both sides of a Clip: derived by AIMET's exporter, idempotent.
TEST_F(PlannerTest, FusesClipBehindTheSameEncoding) {
  const ValueId low = builder_.Floats({}, {0.0f}), high = builder_.Floats({}, {6.0f});
  const ValueId clip = builder_.Node("Clip", {Conv(Input(), Activation(0.05f)), low, high}, {}, Activation(0.05f));
  EXPECT_EQ(OpsOf(clip), (Expected{"Quantize", "Conv+Clip", "Output"}));
}

TEST_F(PlannerTest, KeepsTheEncodedTensorWhereItIsAskedFor) {
  const ValueId relu = builder_.Node("Relu", {Conv(Input(), Activation(0.05f, -20))}, {}, Activation(0.05f, -20));
  EXPECT_EQ(OpsOf(relu, true), (Expected{"Quantize", "Conv", "Relu", "Output"}));
}

TEST_F(PlannerTest, DoesNotFuseAcrossAnotherEncoding) {
  const ValueId relu = builder_.Node("Relu", {Conv(Input(), Activation(0.05f, -20))}, {}, Activation(0.04f));
  EXPECT_EQ(OpsOf(relu), (Expected{"Quantize", "Conv", "Relu", "Output"}));
}

TEST_F(PlannerTest, QuantizesBeforeDataMovement) {
  const ValueId relu = builder_.Node("Relu", {Conv(Input(), std::nullopt)});
  const ValueId flat = builder_.Node("Flatten", {relu}, {{"axis", int64_t{1}}}, Activation(0.05f));
  EXPECT_EQ(OpsOf(flat), (Expected{"Quantize", "Conv+Relu+Flatten", "Flatten", "Output"}));
}

TEST_F(PlannerTest, RunsOnValuesWhereTwoReadAnUnencodedTensor) {
  const ValueId conv = Conv(Input(), std::nullopt);
  const ValueId relu = builder_.Node("Relu", {conv}, {}, Activation(0.05f));
  const ValueId add = builder_.Node("Add", {conv, relu}, {}, Activation(0.1f));
  EXPECT_EQ(OpsOf(add), (Expected{"Quantize", "Conv", "Relu", "Add", "Output"}));
}

// What a layer on floats says of itself.
TEST_F(PlannerTest, SaysWhyALayerAddsUpFloats) {
  PerBlock blocks{{4, true}, 0, 1, 2, std::vector<float>(10, 0.1f), std::vector<int32_t>(10, 0)};
  blocks.scale[3] = 0.2f;
  const ValueId x = Input(), w = builder_.Floats({5, 4, 1, 1}, std::vector<float>(20, 0.5f)),
                scaled = builder_.Floats({5, 4, 1, 1}, std::vector<float>(20, 0.5f), blocks);
  builder_.Output(builder_.Node("Conv", {x, w}));
  builder_.Output(builder_.Node("Conv", {x, scaled}));
  builder_.Output(Conv(builder_.Input({-1, 4, 6, 6}), Activation(0.1f)));
  builder_.Output(Conv(x, Activation(0.1f)));
  const Result<Plan> plan = Planner::Build(builder_.graph(), options_);
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  std::vector<std::string> why;
  for (const PlannedStep& step : plan->steps) {
    if (step.op != "Conv") continue;
    why.push_back(step.why);
    EXPECT_EQ(step.why.empty(), !step.step->info().sums_floats);
  }
  EXPECT_EQ(why, (Expected{"weight '" + builder_.graph().value(w).name + "' has no encoding",
                           "float scales of weight '" + builder_.graph().value(scaled).name + "' vary along the sum",
                           "'input1' has no encoding", ""}));
}

TEST_F(PlannerTest, GroupsThatDoNotFitAreAnError) {
  const ValueId w = builder_.Floats({5, 4, 1, 1}, std::vector<float>(20, 0.5f), kWeight);
  const ValueId x = Input();
  builder_.Output(builder_.Node("Conv", {x, w}, {{"group", int64_t{5}}}, Activation(0.1f)));
  const Result<Plan> plan = Planner::Build(builder_.graph(), options_);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(plan.status().message().find("in 5 groups does not fit 4 input channels"), std::string::npos)
      << plan.status().message();
}

// Before anything is made for each of the groups.
TEST_F(PlannerTest, GroupsOfATransposedConvolutionDivideItsWeight) {
  const PerChannel channels{{8, true}, 1, std::vector<float>(5, 0.1f), std::vector<int32_t>(5, 0)};
  const ValueId w = builder_.Floats({4, 5, 1, 1}, std::vector<float>(20, 0.5f), channels);
  const Result<Plan> plan =
      Build(builder_.Node("ConvTranspose", {Input(), w}, {{"group", int64_t{INT32_MAX}}}, Activation(0.1f)));
  testing::ExpectInvalid(plan.status(), {"ConvTranspose", "(4, 5, 1, 1)", "2147483647 groups"});
}

// The product that could read its input as it is must not hide that it fits no input.
TEST_F(PlannerTest, ATransposeBeforeAProductFitsItsInput) {
  const ValueId a = builder_.Input({2, 3, 4}, Activation(0.1f)), b = builder_.Input({2, 5, 4}, Activation(0.1f));
  const ValueId turned = builder_.Node("Transpose", {b}, {{"perm", std::vector<int64_t>{1, 0}}}, Activation(0.1f));
  const Result<Plan> plan = Build(builder_.Node("MatMul", {a, turned}, {}, Activation(0.1f)));
  testing::ExpectInvalid(plan.status(), {"Transpose", "perm (1, 0)", "(2, 5, 4)"});
}

}  // namespace
}  // namespace lq
