// Validate on AIMET's exports, and on a network small enough to know every code by hand.
#include "runtime/compare/validation.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "tests/support/expect_error.h"
#include "tests/support/golden_bundle.h"
#include "tests/support/graph_builder.h"
#include "tests/support/onnx_writer.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::ExpectInvalid;
using testing::FloatTensor;
using testing::GoldenPath;
using testing::OnnxGraph;
using testing::OnnxNode;
using testing::OnnxValue;
using testing::TempFolder;

Result<Validation> ValidateGolden(const std::string& name, const std::string& layers, BiasMode bias) {
  auto bundle = testing::LoadBundle(GoldenPath(name));
  EXPECT_TRUE(bundle.ok()) << bundle.status().message();
  if (!bundle.ok()) return bundle.status();
  auto arrays = ReadNpz(GoldenPath(name + "/" + layers));
  EXPECT_TRUE(arrays.ok()) << arrays.status().message();
  if (!arrays.ok()) return arrays.status();
  const auto reference = ReferenceLayers::Make(bundle->model.graph(), *arrays);
  if (!reference.ok()) return reference.status();
  SessionOptions options;
  options.bias = bias;
  const std::vector<ConstTensorView> inputs{bundle->data.at("input").view()};
  return Validate({bundle->model, options, inputs, *reference, SerialExecutor(), nullptr});
}

// AIMET in float32 loses one tie, which grows to 71 of 49960 codes (tests/golden/README.md).
TEST(ValidationTest, ExplainsALostTie) {
  const auto validation = ValidateGolden("digits_cnn/w4a8_lpbq", "layers.npz", BiasMode::kFloat);
  ASSERT_TRUE(validation.ok()) << validation.status().message();
  EXPECT_TRUE(validation->Passed());
  EXPECT_EQ(validation->rows, 4);
  EXPECT_EQ(validation->kernel.different, 0u);
  EXPECT_EQ(validation->outputs_different, 0u);
  EXPECT_EQ(validation->output_elements, 2 * 4 * 10u);
  EXPECT_EQ(validation->aimet_isolated.compared, 49960u);
  EXPECT_EQ(validation->aimet_isolated.different, 1u);
  EXPECT_EQ(validation->aimet_isolated.largest, 1);
  EXPECT_EQ(validation->unexplained, 0u);
  EXPECT_EQ(validation->aimet_cumulative.different, 71u);
  // Kernels show Flatten's codes too, which the file does not have, in both passes.
  EXPECT_EQ(validation->kernel.compared, 2 * (49960u + 4 * 128u));
  EXPECT_FALSE(validation->BiasExplains());
}

TEST(ValidationTest, AgreesWithAimetInBinary64) {
  for (const char* name :
       {"digits_cnn/w8a8", "digits_cnn/w8a8_bn", "digits_cnn/w4a8_lpbq", "mlp/w8a8", "mlp/w4a8_lpbq"}) {
    const auto validation = ValidateGolden(name, "layers_fp64.npz", BiasMode::kFloat);
    ASSERT_TRUE(validation.ok()) << validation.status().message();
    EXPECT_TRUE(validation->Passed()) << name;
    EXPECT_EQ(validation->aimet_isolated.different, 0u) << name;
    EXPECT_EQ(validation->aimet_cumulative.different, 0u) << name;
    EXPECT_GT(validation->aimet_isolated.compared, 1000u) << name;
    EXPECT_FALSE(validation->other_bias.has_value()) << name;
  }
}

TEST(ValidationTest, BlamesTheBiasMode) {
  const auto drifted = ValidateGolden("digits_cnn/w8a8", "layers_fp64_int32_bias.npz", BiasMode::kFloat);
  ASSERT_TRUE(drifted.ok()) << drifted.status().message();
  EXPECT_TRUE(drifted->KernelsAgree());
  EXPECT_FALSE(drifted->Passed());
  EXPECT_GT(drifted->unexplained, 0u);
  ASSERT_TRUE(drifted->other_bias.has_value());
  EXPECT_EQ(drifted->other_bias->bias, BiasMode::kInt32);
  EXPECT_EQ(drifted->other_bias->isolated.different, 0u);
  EXPECT_EQ(drifted->other_bias->cumulative.different, 0u);
  EXPECT_EQ(drifted->other_bias->cumulative.compared, 49960u);
  EXPECT_TRUE(drifted->BiasExplains());
  const auto same = ValidateGolden("digits_cnn/w8a8", "layers_fp64_int32_bias.npz", BiasMode::kInt32);
  ASSERT_TRUE(same.ok()) << same.status().message();
  EXPECT_TRUE(same->Passed());
  EXPECT_EQ(same->aimet_cumulative.different, 0u);
}

// 1.55f / 0.1f is less than 15.5 in float32, 1.55f * (1 / 0.1f) is 15.5 and becomes 16: 15 or 16 times 100, far from a
// tie.
TEST(ValidationTest, BlamesTheRoundingProfile) {
  testing::GraphBuilder builder;
  const ValueId x = builder.Input({-1, 1}, PerTensor{{8, false}, 0.1f, 0});
  const ValueId w = builder.Floats({1, 1}, {100}, PerTensor{{8, true}, 1.0f, 0});
  const ValueId y = builder.Node("MatMul", {x, w}, {}, PerTensor{{16, false}, 0.1f, 0});
  builder.Output(y);
  const Model model(builder.Share());
  const float value = 1.55f;
  const ConstTensorView input{DType::kF32, {1, 1}, std::as_bytes(std::span(&value, 1))};
  const auto validate = [&](int32_t code, RoundingProfile profile) {
    NamedArray array{model.graph().value(y).name, DType::kS32, {1, 1}, std::vector<std::byte>(sizeof(code))};
    std::memcpy(array.bytes.data(), &code, sizeof(code));
    const auto reference = ReferenceLayers::Make(model.graph(), std::span(&array, 1));
    EXPECT_TRUE(reference.ok()) << reference.status().message();
    SessionOptions options;
    options.profile = profile;
    auto validation = Validate({model, options, {&input, 1}, *reference, SerialExecutor(), nullptr});
    EXPECT_TRUE(validation.ok()) << validation.status().message();
    return validation.ok() ? *std::move(validation) : Validation();
  };
  constexpr RoundingProfile kDiv = RoundingProfile::kAimetDiv, kFakequant = RoundingProfile::kAimetFakequant;
  const Validation divided = validate(1600, kDiv);
  EXPECT_FALSE(divided.Passed());
  ASSERT_TRUE(divided.ProfileExplains());
  EXPECT_EQ(divided.other_profile->profile, kFakequant);
  EXPECT_EQ(divided.other_profile->isolated.different, 0u);
  EXPECT_TRUE(validate(1600, kFakequant).Passed());
  EXPECT_TRUE(validate(1500, kDiv).Passed());
  EXPECT_FALSE(validate(1234, kDiv).ProfileExplains());
}

// A Relu between equal encodings, which the kernels take into the layer where nobody asks for the tensor before it; and
// an encoded value that no node makes.
// Passes leave out states of zeros: such layers are named, not compared.
TEST(ValidationTest, LeavesOutLayersThatTheNetworkDoesNotMake) {
  testing::GraphBuilder builder;
  const PerTensor encoding{{8, false}, 1.0f, -10};
  const ValueId x = builder.Input({-1, 2}, encoding);
  const ValueId w = builder.Floats({2, 2}, {1, 2, 3, 4}, PerTensor{{8, true}, 1.0f, 0});
  const ValueId y = builder.Node("Relu", {builder.Node("MatMul", {x, w}, {}, encoding)}, {}, encoding);
  builder.Output(y);
  Value& orphan = builder.graph().values.emplace_back();
  orphan.name = "orphan";
  orphan.encoding = encoding;
  const Model model(builder.Share());
  const std::vector<float> values(2 * 20, 1);  // more rows than run at once
  const std::vector<ConstTensorView> inputs{{DType::kF32, {20, 2}, std::as_bytes(std::span(values))}};
  std::vector<NamedArray> arrays;
  for (const char* name : {"input0", "orphan"}) {
    arrays.push_back({name, DType::kF32, {20, 2}, std::vector<std::byte>(values.size() * sizeof(float))});
    std::memcpy(arrays.back().bytes.data(), values.data(), arrays.back().bytes.size());
  }
  const auto reference = ReferenceLayers::Make(model.graph(), arrays);
  ASSERT_TRUE(reference.ok()) << reference.status().message();
  ASSERT_EQ(reference->notes().size(), 1u);
  EXPECT_NE(reference->notes()[0].find("'orphan'"), std::string::npos) << reference->notes()[0];
  const auto whole = Validate({model, {}, inputs, *reference, SerialExecutor(), nullptr});
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  EXPECT_EQ(whole->NotCompared(), std::vector<std::string>());
  EXPECT_EQ(whole->layers.size(), 3u);
  EXPECT_TRUE(whole->Passed());
  EXPECT_FALSE(ReferenceLayers::Make(model.graph(), std::span(arrays).subspan(1)).ok());  // nothing to compare
  // As many rows as no run has: nothing is known about that layer.
  arrays[1] = {model.graph().value(y).name, DType::kF32, {10, 2}, std::vector<std::byte>(20 * sizeof(float))};
  const auto longer = ReferenceLayers::Make(model.graph(), arrays);
  ASSERT_TRUE(longer.ok()) << longer.status().message();
  const auto torn = Validate({model, {}, inputs, *longer, SerialExecutor(), nullptr});
  ASSERT_TRUE(torn.ok()) << torn.status().message();
  EXPECT_EQ(torn->NotCompared(), std::vector<std::string>{arrays[1].name});
  EXPECT_FALSE(torn->Passed());
}

// A weight without an encoding: the layer behind it adds up floats.
TEST(ValidationTest, KeepsLayersOnFloatsToTheirBound) {
  testing::GraphBuilder builder;
  const PerTensor encoding{{8, false}, 0.5f, -100};
  const ValueId x = builder.Input({-1, 2}, encoding), w = builder.Floats({2, 2}, {0.1f, 0.2f, 0.3f, 0.4f});
  const ValueId sums = builder.Node("MatMul", {x, w}, {}, encoding);
  builder.Output(builder.Node("Relu", {sums}, {}, encoding));
  builder.Output(builder.Node("MatMul", {x, w}));
  const Model model(builder.Share());
  const std::vector<float> values{1, -2};
  const std::vector<ConstTensorView> inputs{{DType::kF32, {1, 2}, std::as_bytes(std::span(values))}};
  NamedArray array{"input0", DType::kF32, {1, 2}, std::vector<std::byte>(2 * sizeof(float))};
  std::memcpy(array.bytes.data(), values.data(), array.bytes.size());
  const auto reference = ReferenceLayers::Make(model.graph(), std::span(&array, 1));
  ASSERT_TRUE(reference.ok()) << reference.status().message();
  auto validation = Validate({model, {}, inputs, *reference, SerialExecutor(), nullptr});
  ASSERT_TRUE(validation.ok()) << validation.status().message();
  EXPECT_TRUE(validation->Passed());
  EXPECT_TRUE(validation->sums_floats);
  for (const LayerValidation& layer : validation->layers) {
    EXPECT_EQ(layer.sums_floats, layer.name == model.graph().value(sums).name) << layer.name;
  }
  validation->kernel.different = 1;  // within the bound
  EXPECT_TRUE(validation->Passed());
  validation->kernel_beyond = 1;
  EXPECT_FALSE(validation->Passed());
}

// An allowance of 0.02 codes: 10.49 may become 11, but not 12 or 9; 10.2 stays 10.
TEST(CountBeyondTest, CountsCodesThatTheBoundDoesNotReach) {
  const ObservedTensor simulated{0, {2}, {{8, false}, 1.0f, 0}, {10, 10}, {10.49, 10.2}, {0.02, 0.02}};
  const double error = 0x1p-21;
  const auto count = [&](int32_t first, int32_t second, double e) {
    const int32_t codes[] = {first, second};
    return CountBeyond(simulated, codes, e);
  };
  EXPECT_EQ(count(10, 10, error), 0u);
  EXPECT_EQ(count(11, 10, error), 0u);
  EXPECT_EQ(count(11, 10, error / 4), 1u);
  EXPECT_EQ(count(11, 10, 0), 1u);
  EXPECT_EQ(count(11, 11, error), 1u);
  EXPECT_EQ(count(12, 10, error), 1u);
  EXPECT_EQ(count(9, 9, error), 2u);
}

// A tie went down to the even code, or up to it: the other one is as near.
TEST(CountBeyondTest, TiesMayGoEitherWay) {
  const ObservedTensor simulated{0, {2}, {{8, false}, 1.0f, 0}, {10, 12}, {10.5, 11.5}, {0.02, 0.02}};
  const auto count = [&](int32_t first, int32_t second) {
    const int32_t codes[] = {first, second};
    return CountBeyond(simulated, codes, 0x1p-21);
  };
  EXPECT_EQ(count(11, 11), 0u);
  EXPECT_EQ(count(12, 10), 2u);
}

// AIMET rounds once, behind the Clip, but its exporter gives the sum before it the same encoding, and its activations
// have the result only: 2.5 is a tie, and either 2 or 3 will do; 2 or 3 for 2.75 will not.
TEST(ValidationTest, SeesTiesThroughAFusedClip) {
  testing::GraphBuilder builder;
  const PerTensor encoding{{8, false}, 1.0f, 0};
  const ValueId x = builder.Input({-1, 1}, PerTensor{{8, false}, 0.25f, 0});
  const ValueId sum =
      builder.Node("MatMul", {x, builder.Floats({1, 1}, {1}, PerTensor{{8, true}, 1.0f, 0})}, {}, encoding);
  const ValueId result = builder.Node("Clip", {sum, builder.Floats({}, {0}), builder.Floats({}, {6})}, {}, encoding);
  builder.Output(result);
  const Model model(builder.Share());
  const auto validate = [&](float value, int32_t code) {
    const ConstTensorView input{DType::kF32, {1, 1}, std::as_bytes(std::span(&value, 1))};
    NamedArray array{model.graph().value(result).name, DType::kS32, {1, 1}, std::vector<std::byte>(sizeof(code))};
    std::memcpy(array.bytes.data(), &code, sizeof(code));
    const auto reference = ReferenceLayers::Make(model.graph(), std::span(&array, 1));
    EXPECT_TRUE(reference.ok()) << reference.status().message();
    const auto validation = Validate({model, {}, {&input, 1}, *reference, SerialExecutor(), nullptr});
    EXPECT_TRUE(validation.ok()) << validation.status().message();
    return validation.ok() && validation->Passed();
  };
  EXPECT_TRUE(validate(2.5f, 2));
  EXPECT_TRUE(validate(2.5f, 3));
  EXPECT_TRUE(validate(2.75f, 3));
  EXPECT_FALSE(validate(2.75f, 2));
}

// y = x and two copies of it, of scale 1 and no offset; references by name.
class CopiesTest : public ::testing::Test {
 protected:
  CopiesTest() {
    const PerTensor encoding{{8, false}, 1.0f, 0};
    const ValueId x = builder_.Input({-1, 1}, PerTensor{{8, false}, 0.25f, 0});
    const ValueId w = builder_.Floats({1, 1}, {1}, PerTensor{{8, true}, 1.0f, 0});
    y_ = builder_.Node("MatMul", {x, w}, {}, encoding);
    copy_ = builder_.Node("Transpose", {y_}, {{"perm", std::vector<int64_t>{0, 1}}}, encoding);
    both_ = builder_.Node("Concat", {copy_, y_}, {{"axis", int64_t{1}}}, encoding);
    builder_.Output(both_);
  }
  Validation Validate(float x, const std::map<ValueId, std::vector<int32_t>>& references) {
    const Model model(builder_.Share());
    std::vector<NamedArray> arrays;
    for (const auto& [id, codes] : references) {
      const std::span<const std::byte> bytes = std::as_bytes(std::span(codes));
      arrays.push_back({model.graph().value(id).name, DType::kS32, {1, static_cast<int64_t>(codes.size())}, {}});
      arrays.back().bytes.assign(bytes.begin(), bytes.end());
    }
    const auto reference = ReferenceLayers::Make(model.graph(), arrays);
    EXPECT_TRUE(reference.ok()) << reference.status().message();
    const ConstTensorView input{DType::kF32, {1, 1}, std::as_bytes(std::span(&x, 1))};
    auto validation = lq::Validate({model, {}, {&input, 1}, *reference, SerialExecutor(), nullptr});
    EXPECT_TRUE(validation.ok()) << validation.status().message();
    return validation.ok() ? *std::move(validation) : Validation();
  }

  testing::GraphBuilder builder_;
  ValueId y_, copy_, both_;
};

// Of a tensor that the reference has only behind data movement, the tie is where it was rounded: 2.5 may be 2 or 3.
TEST_F(CopiesTest, SeesTiesThroughDataMovement) {
  EXPECT_TRUE(Validate(2.5f, {{copy_, {3}}}).Passed());
  EXPECT_TRUE(Validate(2.5f, {{both_, {3, 2}}}).Passed());
  EXPECT_TRUE(Validate(2.5f, {{copy_, {3}}, {both_, {3, 3}}}).Passed());
  EXPECT_FALSE(Validate(2.75f, {{copy_, {2}}}).Passed());
  EXPECT_FALSE(Validate(2.5f, {{copy_, {3}}, {both_, {2, 3}}}).Passed());  // no tie: what is moved is the reference's 3
  EXPECT_FALSE(Validate(2.5f, {{y_, {3}}, {copy_, {2}}}).Passed());
}

// Only what lies right before a difference that nothing explains, and that no reference replaced.
TEST_F(CopiesTest, NamesWhatTheReferenceDoesNotHave) {
  const auto name = [&](ValueId id) { return builder_.graph().value(id).name; };
  EXPECT_EQ(Validate(2.75f, {{both_, {2, 2}}}).missing, std::vector<std::string>{name(y_)});
  EXPECT_EQ(Validate(2.75f, {{copy_, {3}}, {both_, {2, 2}}}).missing, std::vector<std::string>{name(y_)});
  EXPECT_EQ(Validate(2.75f, {{y_, {3}}, {both_, {2, 2}}}).missing, std::vector<std::string>());
  EXPECT_EQ(Validate(2.75f, {{both_, {3, 3}}}).missing, std::vector<std::string>());
  EXPECT_EQ(Validate(2.75f, {{y_, {5}}}).missing, std::vector<std::string>{name(0)});  // the network's input
}

TEST(ValidationTest, BothPassesMustCompare) {
  Validation validation;
  validation.layers.resize(3);
  for (LayerValidation& layer : validation.layers) {
    layer.kernel_isolated.compared = layer.kernel_cumulative.compared = 1;
  }
  EXPECT_TRUE(validation.Passed());
  validation.layers[0].name = "a";
  validation.layers[0].kernel_isolated.compared = 0;
  validation.layers[2].name = "c";
  validation.layers[2].kernel_cumulative.compared = 0;
  EXPECT_EQ(validation.NotCompared(), (std::vector<std::string>{"a", "c"}));
  EXPECT_FALSE(validation.Passed());
}

// y = x * [[1, 2], [3, 4]] with a fixed batch of 2; x has scale 1/2, y scale 1, so that no code is rounded.
class FixedBatchTest : public ::testing::Test {
 protected:
  FixedBatchTest() {
    const OnnxGraph graph{{OnnxNode("MatMul", "m", {"x", "w"}, {"y"})},
                          {FloatTensor("w", {2, 2}, {1, 2, 3, 4})},
                          {OnnxValue("x", {2, 2})},
                          {OnnxValue("y", {2, 2})}};
    const std::string onnx = folder_.Write("m.onnx", graph.Model());
    const std::string encodings = folder_.Write(
        "m.encodings",
        R"({"version":"1.0.0","activation_encodings":[)"
        R"({"name":"x","dtype":"INT","enc_type":"PER_TENSOR","bw":8,"is_sym":false,"scale":[0.5],"offset":[0]},)"
        R"({"name":"y","dtype":"INT","enc_type":"PER_TENSOR","bw":8,"is_sym":false,"scale":[1.0],"offset":[0]}],)"
        R"("param_encodings":[)"
        R"({"name":"w","dtype":"INT","enc_type":"PER_TENSOR","bw":8,"is_sym":true,"scale":[1.0],"offset":[-128]}]})");
    auto model = Model::Load(onnx, encodings);
    EXPECT_TRUE(model.ok()) << model.status().message();
    if (model.ok()) model_ = *std::move(model);
  }

  // Four rows of y: 7 10, 15 22, 2 3, 9 13.
  Result<Validation> Run(std::vector<float> y, int64_t columns = 2) const {
    const auto rows = static_cast<int64_t>(y.size()) / columns;
    NamedArray layer{"y", DType::kF32, {rows, columns}, std::vector<std::byte>(y.size() * sizeof(float))};
    std::memcpy(layer.bytes.data(), y.data(), layer.bytes.size());
    const auto reference = ReferenceLayers::Make(model_->graph(), std::span(&layer, 1));
    if (!reference.ok()) return reference.status();
    const std::vector<float> x{1, 2, 3, 4, 0.5f, 0.5f, 1.5f, 2.5f};
    const std::vector<ConstTensorView> inputs{{DType::kF32, {4, 2}, std::as_bytes(std::span(x))}};
    return Validate({*model_, {}, inputs, *reference, SerialExecutor(), nullptr});
  }

  TempFolder folder_;
  std::optional<Model> model_;
};

TEST_F(FixedBatchTest, RunsInSlicesOfTheBatch) {
  ASSERT_TRUE(model_.has_value());
  const auto validation = Run({7, 10, 15, 22, 2, 3, 9, 13});
  ASSERT_TRUE(validation.ok()) << validation.status().message();
  EXPECT_TRUE(validation->Passed());
  EXPECT_EQ(validation->aimet_isolated.compared, 8u);
  EXPECT_EQ(validation->aimet_cumulative.different, 0u);
  ASSERT_EQ(validation->layers.size(), 2u);
  EXPECT_EQ(validation->layers[0].op, "input");
  EXPECT_EQ(validation->layers[1].name, "y");
  EXPECT_EQ(validation->layers[1].op, "MatMul");
}

// The third row would differ.
TEST_F(FixedBatchTest, LeavesTheRowsOfAPartOfABatch) {
  ASSERT_TRUE(model_.has_value());
  const auto validation = Run({7, 10, 15, 22, 2, 4});
  ASSERT_TRUE(validation.ok()) << validation.status().message();
  EXPECT_TRUE(validation->Passed());
  EXPECT_EQ(validation->rows, 2);
  EXPECT_EQ(validation->rows_left, 1);
  EXPECT_EQ(validation->aimet_isolated.compared, 4u);
}

TEST_F(FixedBatchTest, FailsOnADifferenceFarFromATie) {
  ASSERT_TRUE(model_.has_value());
  const auto validation = Run({7, 10, 15, 22, 2, 3, 9, 14});
  ASSERT_TRUE(validation.ok()) << validation.status().message();
  EXPECT_TRUE(validation->KernelsAgree());
  EXPECT_FALSE(validation->Passed());
  EXPECT_EQ(validation->unexplained, 1u);
  EXPECT_EQ(validation->aimet_isolated.different, 1u);
  EXPECT_EQ(validation->layers[1].tie.distance, 0.5);
}

TEST_F(FixedBatchTest, RefusesRowsAndSizesThatDoNotFit) {
  ASSERT_TRUE(model_.has_value());
  ExpectInvalid(Run({7, 10}).status(), {"1 rows", "batch of 2"});
  ExpectInvalid(Run({7, 10, 15, 22, 2, 3, 9, 13, 0, 0}).status(), {"5 rows", "(4, 2)"});
  ExpectInvalid(Run({7, 10, 15, 22, 2, 3, 9, 13, 0, 0, 0, 0}, 3).status(), {"layer 'y'", "6 elements", "computes 4"});
}

}  // namespace
}  // namespace lq
