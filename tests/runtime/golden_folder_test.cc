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
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"

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

// Bundles that have run on simulator and kernels: a refusal of one of them is a step back.
constexpr const char* kRunning[] = {"audio1d/w4a8_lpbq",
                                    "audio1d/w8a8",
                                    "digits_cnn/w4a16_lpbq",
                                    "digits_cnn/w4a8_lpbq",
                                    "digits_cnn/w4a8_lpbq_dynamo",
                                    "digits_cnn/w4a8_lpbq_onnx",
                                    "digits_cnn/w4a8_lpbq_pointwise_onnx",
                                    "digits_cnn/w8a16",
                                    "digits_cnn/w8a8",
                                    "digits_cnn/w8a8_bn",
                                    "digits_cnn/w8a8_default",
                                    "digits_cnn/w8a8_onnx",
                                    "digits_cnn/w8a8_symmetric",
                                    "encoder/w4a16_lpbq",
                                    "encoder/w4a8_lpbq",
                                    "encoder/w4a8_lpbq_onnx",
                                    "encoder/w8a8",
                                    "mlp/w4a16_lpbq",
                                    "mlp/w4a8_lpbq",
                                    "mlp/w8a8",
                                    "mobile/w4a8_lpbq",
                                    "mobile/w8a16",
                                    "mobile/w8a8",
                                    "residual_1/w8a8",
                                    "residual_29/w8a8",
                                    "residual_8/w4a8_lpbq",
                                    "residual_8/w8a8",
                                    "residual_8/w8a8_onnx"};

bool HasRun(const std::string& path) {
  return std::any_of(std::begin(kRunning), std::end(kRunning), [&](const std::string& name) {
    const std::string end = "/models/" + name;
    return path.size() > end.size() && path.compare(path.size() - end.size(), end.size(), end) == 0;
  });
}

struct Totals {
  size_t compared = 0, without_codes = 0, refused = 0, kernels_refused = 0, not_listed = 0;
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

bool HasWideActivations(const Graph& graph) {
  return std::any_of(graph.values.begin(), graph.values.end(), [](const Value& value) {
    const auto* e = value.encoding.has_value() ? std::get_if<PerTensor>(&*value.encoding) : nullptr;
    return e != nullptr && !value.constant.has_value() && e->grid.bitwidth > 8;
  });
}

// aimet_onnx has no binary64 simulation. AIMET's own rounds block scales and element-wise operators to binary64 where
// the exact simulator has i * c and float32: at 16 bits that shows within 2^-8 codes of a tie (exact_simulator.md 3,
// 9).
void CheckBinary64(const Bundle& bundle) {
  if (!std::filesystem::exists(bundle.path + "/layers_fp64.npz")) return;
  if (!HasWideActivations(bundle.model.graph())) {
    EXPECT_EQ(CompareWith(bundle, "layers_fp64.npz", Feed::kCumulative).differing, 0u);
    return;
  }
  const Comparison isolated = CompareWith(bundle, "layers_fp64.npz", Feed::kIsolated);
  EXPECT_EQ(isolated.unexplained, 0u);
  EXPECT_LE(isolated.differing * 2000, isolated.codes);
}

void CheckBundle(const Bundle& bundle) {
  CheckBinary64(bundle);
  EXPECT_EQ(CompareWith(bundle, "layers.npz", Feed::kIsolated).unexplained, 0u);
}

// The kernels on the first inputs: every code and every output as the simulator's. False if the planner refuses the
// network.
bool CheckKernels(const Bundle& bundle) {
  SessionOptions options;
  options.profile = OptionsFor(bundle).profile;
  options.keep_encoded_tensors = true;
  const Result<Session> session = Session::Prepare(bundle.model, options);
  if (!session.ok()) {
    EXPECT_EQ(session.status().code(), StatusCode::kUnsupported) << session.status().message();
    std::cout << "  kernels: refused: " << session.status().message() << "\n";
    return false;
  }
  const NamedArray& all = bundle.data.at("input");
  const int64_t fixed = session->inputs()[0].shape[0];
  ConstTensorView input = all.view();
  const size_t row = all.bytes.size() / static_cast<size_t>(all.shape[0]);
  input.shape[0] = fixed > 0 ? fixed : std::min<int64_t>(all.shape[0], 4);
  input.bytes = input.bytes.first(row * static_cast<size_t>(input.shape[0]));
  const auto graph = std::make_shared<const Graph>(bundle.model.graph());
  const testing::Simulated expected = testing::Simulate(graph, input, {options.profile, options.bias, false});
  const testing::SessionRun run = testing::RunSession(*session, {&input, 1}, SerialExecutor());
  EXPECT_TRUE(expected.status.ok() && run.status.ok()) << expected.status.message() << run.status.message();
  size_t codes = 0;
  EXPECT_EQ(run.observed.size(), expected.observed.size());
  for (const auto& [id, tensor] : expected.observed) {
    const auto found = run.observed.find(id);
    if (found == run.observed.end()) {
      ADD_FAILURE() << graph->value(id).name << " is not shown by the kernels";
      continue;
    }
    EXPECT_EQ(found->second.codes, tensor.codes) << graph->value(id).name;
    codes += tensor.codes.size();
  }
  for (size_t i = 0; i < run.outputs.size(); ++i) EXPECT_EQ(run.outputs[i], expected.outputs[i].values);
  EXPECT_GT(codes, 0u);
  std::cout << "  kernels: " << codes << " codes compared with the simulator\n";
  return true;
}

void TryBundle(const std::string& path, Totals& totals) {
  SCOPED_TRACE(path);
  std::cout << path << "\n";
  const bool has_run = HasRun(path);
  const Result<Bundle> bundle = testing::LoadBundle(path);
  if (!bundle.ok()) {
    EXPECT_EQ(bundle.status().code(), StatusCode::kUnsupported) << bundle.status().message();
    EXPECT_FALSE(has_run) << "refused, but it ran before: " << bundle.status().message();
    std::cout << "  refused: " << bundle.status().message() << "\n";
    ++totals.refused;
    return;
  }
  if (!HasEncodedActivations(bundle->model.graph())) {
    EXPECT_FALSE(has_run) << "no activation has an encoding, but some had";
    std::cout << "  no activation has an encoding: there are no codes to compare\n";
    ++totals.without_codes;
    return;
  }
  CheckBundle(*bundle);
  ++totals.compared;
  const bool runs = CheckKernels(*bundle);
  EXPECT_TRUE(runs || !has_run) << "refused by the kernels, but it ran before";
  totals.kernels_refused += !runs;
  totals.not_listed += runs && !has_run;
}

TEST(GoldenFolder, AgreesWithAimetInEveryBundleThatIsNotRefused) {
  const char* golden = std::getenv("LQ_GOLDEN");
  if (golden == nullptr) GTEST_SKIP() << "LQ_GOLDEN is not set";
  const std::vector<std::string> paths = FindBundles(golden);
  ASSERT_FALSE(paths.empty()) << golden << " has no models/*/*/aimet.json";
  Totals totals;
  for (const std::string& path : paths) TryBundle(path, totals);
  std::cout << totals.compared << " bundles compared, " << totals.without_codes << " without codes, " << totals.refused
            << " refused, of the compared ones the kernels refused " << totals.kernels_refused << "; "
            << totals.not_listed << " ran that kRunning does not list\n";
  EXPECT_GT(totals.compared, 0u);
}

}  // namespace
}  // namespace lq
