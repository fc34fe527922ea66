// Every bundle below the folder that the environment variable LQ_GOLDEN names (models/NETWORK/VARIANT), against AIMET.
// Bundles that are refused by name are listed and counted apart: they are not passed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "runtime/graph.h"
#include "tests/support/golden_bundle.h"

namespace lq {
namespace {

using testing::Arrays;
using testing::Bundle;
using testing::Compare;
using testing::Comparison;
using testing::Feed;

std::vector<std::string> FindBundles(const std::string& golden) {
  std::vector<std::string> paths;
  std::error_code error;
  for (auto entry = std::filesystem::recursive_directory_iterator(golden + "/models", error);
       entry != std::filesystem::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->path().filename() == "aimet.json") paths.push_back(entry->path().parent_path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

struct Totals {
  size_t compared = 0, without_codes = 0, refused = 0;
};

SimulatorOptions OptionsFor(const Bundle& bundle) {
  SimulatorOptions options;
  options.record = true;
  if (bundle.model.graph().encodings_producer == "aimet-onnx") options.profile = RoundingProfile::kAimetOnnx;
  return options;
}

bool HasEncodedActivations(const Graph& graph) {
  if (graph.value(graph.inputs[0]).encoding.has_value()) return true;
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    return !node.outputs.empty() && graph.value(node.outputs[0]).encoding.has_value();
  });
}

// The only reference tensors that a simulator does not show are constants, such as the bounds of a Clip.
void CheckNotSeen(const Graph& graph, const Comparison& comparison) {
  for (const std::string& name : comparison.not_seen) {
    const bool is_constant = std::any_of(graph.values.begin(), graph.values.end(), [&](const Value& value) {
      return value.name == name && value.constant.has_value();
    });
    EXPECT_TRUE(is_constant) << name << " was not compared";
  }
}

Comparison CompareWith(const Bundle& bundle, const std::string& file, Feed feed) {
  const Result<Arrays> layers = testing::ReadArrays(bundle.path + "/" + file);
  EXPECT_TRUE(layers.ok()) << layers.status().message();
  const Comparison result = Compare(bundle, layers.ok() ? *layers : Arrays{}, feed, OptionsFor(bundle));
  EXPECT_TRUE(result.status.ok()) << result.status.message();
  EXPECT_GT(result.codes, 0u);
  CheckNotSeen(bundle.model.graph(), result);
  std::cout << "  " << file << (feed == Feed::kIsolated ? ", isolated: " : ", cumulative: ") << result.differing
            << " of " << result.codes << " codes differ, " << result.unexplained << " farther than a near-tie; "
            << result.where << "\n";
  return result;
}

void CheckBundle(const Bundle& bundle) {
  // aimet_onnx has no binary64 simulation.
  if (std::filesystem::exists(bundle.path + "/layers_fp64.npz")) {
    EXPECT_EQ(CompareWith(bundle, "layers_fp64.npz", Feed::kCumulative).differing, 0u);
  }
  EXPECT_EQ(CompareWith(bundle, "layers.npz", Feed::kIsolated).unexplained, 0u);
}

TEST(GoldenFolder, AgreesWithAimetInEveryBundleThatIsNotRefused) {
  const char* golden = std::getenv("LQ_GOLDEN");
  if (golden == nullptr) GTEST_SKIP() << "LQ_GOLDEN is not set";
  const std::vector<std::string> paths = FindBundles(golden);
  ASSERT_FALSE(paths.empty()) << golden << " has no models/*/*/aimet.json";
  Totals totals;
  for (const std::string& path : paths) {
    SCOPED_TRACE(path);
    std::cout << path << "\n";
    const Result<Bundle> bundle = testing::LoadBundle(path);
    if (!bundle.ok()) {
      EXPECT_EQ(bundle.status().code(), StatusCode::kUnsupported) << bundle.status().message();
      std::cout << "  refused: " << bundle.status().message() << "\n";
      ++totals.refused;
      continue;
    }
    if (!HasEncodedActivations(bundle->model.graph())) {
      std::cout << "  no activation has an encoding: there are no codes to compare\n";
      ++totals.without_codes;
      continue;
    }
    CheckBundle(*bundle);
    ++totals.compared;
  }
  std::cout << totals.compared << " bundles compared, " << totals.without_codes << " without codes, " << totals.refused
            << " refused\n";
  EXPECT_GT(totals.compared, 0u);
}

}  // namespace
}  // namespace lq
