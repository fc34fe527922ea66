// The simulator against AIMET itself: five exports, every code of every quantized activation.
#include "runtime/simulator/simulator.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/golden_bundle.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::Arrays;
using testing::Bundle;
using testing::Compare;
using testing::Comparison;
using testing::Feed;

// What is known of a bundle: tensors and codes of layers_fp64.npz; how many of the 360 labelled inputs AIMET's
// simulation gets right (accuracy_sim and accuracy_fp64, which are equal in all five); and how many codes AIMET's
// float32 simulation has differently from its binary64 one.
struct Known {
  const char* path;
  size_t tensors, codes, correct, lost_ties, float32_differs;
};

class SimulatorGolden : public ::testing::TestWithParam<Known> {
 protected:
  void SetUp() override {
    Result<Bundle> bundle = testing::LoadBundle(testing::GoldenPath(GetParam().path));
    ASSERT_TRUE(bundle.ok()) << bundle.status().message();
    bundle_ = std::make_unique<Bundle>(*std::move(bundle));
  }

  Comparison CompareWith(const std::string& file, Feed feed, const SimulatorOptions& options) const {
    const Result<Arrays> layers = testing::ReadArrays(bundle_->path + "/" + file);
    EXPECT_TRUE(layers.ok()) << layers.status().message();
    const Comparison result = Compare(*bundle_, layers.ok() ? *layers : Arrays{}, feed, options);
    EXPECT_TRUE(result.status.ok()) << result.status.message();
    EXPECT_TRUE(result.not_seen.empty()) << result.not_seen.front();
    EXPECT_EQ(result.tensors, GetParam().tensors);
    EXPECT_EQ(result.codes, GetParam().codes);
    return result;
  }

  std::unique_ptr<Bundle> bundle_;
};

TEST_P(SimulatorGolden, EqualsAimetInBinary64InEveryCode) {
  const Comparison result = CompareWith("layers_fp64.npz", Feed::kCumulative, {});
  EXPECT_EQ(result.differing, 0u) << result.where;
}

TEST_P(SimulatorGolden, DiffersFromAimetInFloat32OnlyByNearTies) {
  const Comparison isolated = CompareWith("layers.npz", Feed::kIsolated, {.record = true});
  EXPECT_EQ(isolated.unexplained, 0u) << isolated.where;
  EXPECT_EQ(isolated.differing, GetParam().lost_ties) << isolated.where;
  const Comparison cumulative = CompareWith("layers.npz", Feed::kCumulative, {});
  EXPECT_EQ(cumulative.differing, GetParam().float32_differs) << cumulative.where;
}

TEST_P(SimulatorGolden, ReachesAimetsAccuracy) {
  const Result<size_t> correct = testing::CountCorrect(*bundle_, {});
  ASSERT_TRUE(correct.ok()) << correct.status().message();
  EXPECT_EQ(*correct, GetParam().correct);
}

INSTANTIATE_TEST_SUITE_P(Bundles, SimulatorGolden,
                         ::testing::Values(Known{"digits_cnn/w8a8", 12, 49960, 357, 0, 0},
                                           Known{"digits_cnn/w8a8_bn", 12, 24980, 357, 0, 0},
                                           Known{"digits_cnn/w4a8_lpbq", 12, 49960, 356, 1, 71},
                                           Known{"mlp/w8a8", 4, 1172, 353, 0, 0},
                                           Known{"mlp/w4a8_lpbq", 4, 1172, 353, 0, 0}),
                         [](const ::testing::TestParamInfo<Known>& known) {
                           std::string name = known.param.path;
                           for (char& c : name) c = c == '/' ? '_' : c;
                           return name;
                         });

// The file's int32 biases of this bundle all have the scale fl32(s_x * s_w), so deriving them gives the device's codes.
TEST(SimulatorInt32Bias, EqualsAimetsExportedBiasesInEveryCode) {
  const std::string path = testing::GoldenPath("digits_cnn/w8a8");
  const Result<Bundle> bundle = testing::LoadBundle(path);
  ASSERT_TRUE(bundle.ok()) << bundle.status().message();
  const Result<Arrays> layers = testing::ReadArrays(path + "/layers_fp64_int32_bias.npz");
  ASSERT_TRUE(layers.ok()) << layers.status().message();
  const Comparison int32_bias = Compare(*bundle, *layers, Feed::kCumulative, {.bias = BiasMode::kInt32});
  ASSERT_TRUE(int32_bias.status.ok()) << int32_bias.status.message();
  EXPECT_EQ(int32_bias.codes, 49960u);
  EXPECT_EQ(int32_bias.differing, 0u) << int32_bias.where;
  const Comparison float_bias = Compare(*bundle, *layers, Feed::kCumulative, {});
  EXPECT_GT(float_bias.differing, 500u);  // the two modes are not the same thing
}

}  // namespace
}  // namespace lq
