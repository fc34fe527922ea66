#include "runtime/compare/validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "runtime/compare/fused_clip.h"
#include "runtime/compare/missing_references.h"
#include "runtime/compare/rows.h"
#include "runtime/compare/session_rows.h"
#include "runtime/compare/share_graph.h"
#include "runtime/session_inspector.h"
#include "runtime/simulator/simulator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// Codes of all activations of a slice are kept as int32 for the comparison: 8 rows of a ResNet-50 are 350 MB.
constexpr int64_t kRows = 8;
// Cumulative differences above this share call for a look at the other bias mode. One lost tie of the golden w4a8_lpbq
// network grows to 0.0014 of its codes.
constexpr double kLargeDrift = 1e-3;

// What near_tie stands for: errors of 8 * 2^-24 of a magnitude.
constexpr double kFloat32Error = 0x1p-21;

enum class Feed { kIsolated, kCumulative };

std::string OpOf(const Graph& graph, ValueId id) {
  for (const Node& node : graph.nodes) {
    if (std::find(node.outputs.begin(), node.outputs.end(), id) != node.outputs.end()) return node.op;
  }
  return std::find(graph.inputs.begin(), graph.inputs.end(), id) != graph.inputs.end() ? "input" : "none";
}

class Validator {
 public:
  explicit Validator(const ValidationRequest& request) : request_(request), graph_(request.model.graph()) {
    for (const Node& node : graph_.nodes) {
      if (IsFusedClip(graph_, node)) clipped_.emplace(node.inputs[0], node.outputs[0]);
    }
  }

  Result<Validation> Run();

 private:
  Status RunPass(const Simulator& simulator, const Session* session, Feed feed);
  Status RunSlice(const Simulator& simulator, const Session* session, Feed feed, Rows rows);
  // Returns the outputs, and fills simulated_ with the codes of all encoded activations.
  Result<std::vector<Simulator::Output>> RunSimulator(const Simulator& simulator, Feed feed, Rows rows);
  Status RunKernels(const Session& session, Feed feed, Rows rows, const std::vector<Simulator::Output>& expected);
  void SeeThroughClip(ObservedTensor& tensor, Rows rows);
  void CompareWithAimet(const ObservedTensor& tensor, Feed feed, Rows rows, LayerValidation& layer);
  void CompareKernels(ObservedTensor& tensor, Feed feed, Rows rows);
  void CompareOutput(ValueId id, Feed feed, std::span<const float> got, const Simulator::Output& expected);
  double ErrorOf(ValueId id) const {
    const auto found = float_errors_.find(id);
    return found == float_errors_.end() ? 0 : found->second;
  }
  LayerValidation& LayerOf(ValueId id);
  Result<OtherChoice> Try(OtherChoice other);
  Status TryOthers();
  Status TryFloatBiases();
  Result<Simulator> MakeSimulator(BiasMode bias, RoundingProfile profile) const;
  void SumUp();
  void NameMissing();
  bool NeedsOtherBias() const;

  const ValidationRequest& request_;
  const Graph& graph_;
  std::vector<Rows> slices_;
  std::map<ValueId, size_t> index_;  // into result_.layers
  std::map<ValueId, ObservedTensor> simulated_;
  std::map<ValueId, double> float_errors_;       // of the session
  std::map<ValueId, ValueId> clipped_;           // from the input of a fused Clip to its result
  std::map<ValueId, ObservedTensor> unclipped_;  // by the result: its input, which AIMET did not round
  Status mismatch_;                              // of an observer, which cannot return one
  Validation result_;
  size_t slices_done_ = 0;
  uint64_t beyond_ = 0;  // isolated codes of the reference that no value within the simulator's bound rounds to
};

Result<Simulator> Validator::MakeSimulator(BiasMode bias, RoundingProfile profile) const {
  return Simulator::Prepare(ShareGraph(request_.model), {profile, bias, true});
}

LayerValidation& Validator::LayerOf(ValueId id) {
  const auto [found, is_new] = index_.emplace(id, result_.layers.size());
  if (is_new)
    result_.layers.push_back({graph_.value(id).name, OpOf(graph_, id), {}, {}, {}, {}, {}, ErrorOf(id) > 0, 0, false});
  return result_.layers[found->second];
}

// The simulator rounds the input of a fused Clip, too: to the same codes, but then the Clip's own numbers lie far from
// every tie. Where the reference has only the result, the ties are those of the input.
void Validator::SeeThroughClip(ObservedTensor& tensor, Rows rows) {
  if (const auto input = unclipped_.find(tensor.id); input != unclipped_.end()) {
    tensor.t = std::move(input->second.t);
    tensor.near_tie = std::move(input->second.near_tie);
    unclipped_.erase(input);
  }
  const auto result = clipped_.find(tensor.id);
  if (result != clipped_.end() && request_.reference.Codes(tensor.id, rows).empty()) {
    unclipped_[result->second] = tensor;
  }
}

void Validator::CompareWithAimet(const ObservedTensor& tensor, Feed feed, Rows rows, LayerValidation& layer) {
  const std::span<const int32_t> reference = request_.reference.Codes(tensor.id, rows);
  if (reference.empty()) return;
  if (reference.size() != tensor.codes.size()) {
    mismatch_ = InvalidArgument(
        fmt::format("layer '{}' has {} elements for {} rows, but the network computes {} of shape {}", layer.name,
                    reference.size(), rows.count, tensor.codes.size(), tensor.shape.ToString()));
    return;
  }
  (feed == Feed::kIsolated ? layer.aimet_isolated : layer.aimet_cumulative).Add(tensor.codes, reference);
  if (feed != Feed::kIsolated) return;
  layer.tie.Add(tensor, reference);
  beyond_ += CountBeyond(tensor, reference, kFloat32Error);
}

Result<std::vector<Simulator::Output>> Validator::RunSimulator(const Simulator& simulator, Feed feed, Rows rows) {
  simulated_.clear();
  std::vector<ConstTensorView> inputs;
  for (const ConstTensorView& input : request_.inputs) inputs.push_back(RowsOf(input, rows));
  auto outputs = simulator.Run(inputs, [&](ObservedTensor& tensor) {
    SeeThroughClip(tensor, rows);
    CompareWithAimet(tensor, feed, rows, LayerOf(tensor.id));
    const std::span<const int32_t> reference = request_.reference.Codes(tensor.id, rows);
    simulated_[tensor.id] = tensor;
    if (feed == Feed::kIsolated && reference.size() == tensor.codes.size()) {
      std::copy(reference.begin(), reference.end(), tensor.codes.begin());
      tensor.t.clear();
      tensor.near_tie.clear();
    }
  });
  if (!mismatch_.ok()) return mismatch_;
  return outputs;
}

void Validator::CompareKernels(ObservedTensor& tensor, Feed feed, Rows rows) {
  LayerValidation& layer = LayerOf(tensor.id);
  const ObservedTensor& simulated = simulated_[tensor.id];
  const std::vector<int32_t>& expected = simulated.codes;
  if (expected.size() != tensor.codes.size()) {
    mismatch_ = InvalidArgument(fmt::format("'{}': the kernels compute {} elements, but the simulator {}", layer.name,
                                            tensor.codes.size(), expected.size()));
    return;
  }
  (feed == Feed::kIsolated ? layer.kernel_isolated : layer.kernel_cumulative).Add(tensor.codes, expected);
  if (feed != Feed::kIsolated) return;
  layer.kernel_beyond += CountBeyond(simulated, tensor.codes, ErrorOf(tensor.id));
  const std::span<const int32_t> reference = request_.reference.Codes(tensor.id, rows);
  const std::span<const int32_t> next = reference.empty() ? std::span<const int32_t>(expected) : reference;
  std::copy(next.begin(), next.end(), tensor.codes.begin());
}

void Validator::CompareOutput(ValueId id, Feed feed, std::span<const float> got, const Simulator::Output& expected) {
  result_.output_elements += got.size();
  result_.outputs_different += DifferentBits(got, expected.values);
  if (feed != Feed::kIsolated) return;
  for (size_t i = 0; i < got.size(); ++i) {
    if (DifferentBits(got.subspan(i, 1), std::span(expected.values).subspan(i, 1)) == 0) continue;
    const double off = std::abs(double{got[i]} - double{expected.values[i]});
    if (!(off <= ErrorOf(id) * expected.magnitude[i])) ++result_.kernel_beyond;
  }
}

Status Validator::RunKernels(const Session& session, Feed feed, Rows rows,
                             const std::vector<Simulator::Output>& expected) {
  LQ_ASSIGN_OR_RETURN(Workspace workspace, WorkspaceFor({session, request_.inputs, rows, request_.executor}));
  const Observer observer = [&](ObservedTensor& tensor) { CompareKernels(tensor, feed, rows); };
  LQ_ASSIGN_OR_RETURN(const RowOutputs outputs,
                      RunRows({session, request_.inputs, rows, request_.executor}, workspace, observer));
  if (!mismatch_.ok()) return mismatch_;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (outputs[i].size() != expected[i].values.size()) {
      return InvalidArgument(fmt::format("output '{}' has {} elements from the kernels, but {} from the simulator",
                                         session.outputs()[i].name, outputs[i].size(), expected[i].values.size()));
    }
    CompareOutput(graph_.outputs[i], feed, outputs[i], expected[i]);
  }
  return OkStatus();
}

Status Validator::RunSlice(const Simulator& simulator, const Session* session, Feed feed, Rows rows) {
  LQ_ASSIGN_OR_RETURN(const std::vector<Simulator::Output> expected, RunSimulator(simulator, feed, rows));
  if (session != nullptr) LQ_RETURN_IF_ERROR(RunKernels(*session, feed, rows, expected));
  ++slices_done_;
  if (request_.progress) {
    request_.progress(static_cast<double>(slices_done_) / static_cast<double>(2 * slices_.size()));
  }
  return OkStatus();
}

Status Validator::RunPass(const Simulator& simulator, const Session* session, Feed feed) {
  for (Rows rows : slices_) LQ_RETURN_IF_ERROR(RunSlice(simulator, session, feed, rows));
  return OkStatus();
}

void Validator::SumUp() {
  for (ValueId id : request_.reference.Ids()) {
    LayerValidation& layer = LayerOf(id);  // one that nobody showed is a layer without comparisons
    layer.reference_unused = request_.reference.IsWhole(id) && layer.aimet_isolated.compared == 0;
  }
  for (const LayerValidation& layer : result_.layers) {
    result_.kernel.Add(layer.kernel_isolated);
    result_.kernel.Add(layer.kernel_cumulative);
    result_.aimet_isolated.Add(layer.aimet_isolated);
    result_.aimet_cumulative.Add(layer.aimet_cumulative);
    result_.unexplained += layer.tie.unexplained;
    result_.kernel_beyond += layer.kernel_beyond;
  }
}

void Validator::NameMissing() {
  std::vector<ValueId> unexplained;
  for (const auto& [id, index] : index_) {
    if (result_.layers[index].tie.unexplained > 0) unexplained.push_back(id);
  }
  for (ValueId id : MissingBefore(graph_, request_.reference, unexplained)) {
    result_.missing.push_back(graph_.value(id).name);
  }
}

bool Validator::NeedsOtherBias() const {
  const CodeDifference& drift = result_.aimet_cumulative;
  return result_.unexplained > 0 ||
         static_cast<double>(drift.different) > kLargeDrift * static_cast<double>(drift.compared);
}

Result<OtherChoice> Validator::Try(OtherChoice other) {
  LQ_ASSIGN_OR_RETURN(const Simulator simulator, MakeSimulator(other.bias, other.profile));
  ValidationRequest quiet = request_;
  quiet.progress = nullptr;
  Validator validator(quiet);
  validator.slices_ = slices_;
  LQ_RETURN_IF_ERROR(validator.RunPass(simulator, nullptr, Feed::kIsolated));
  LQ_RETURN_IF_ERROR(validator.RunPass(simulator, nullptr, Feed::kCumulative));
  validator.SumUp();
  other.isolated = validator.result_.aimet_isolated;
  other.cumulative = validator.result_.aimet_cumulative;
  other.unexplained = validator.result_.unexplained;
  return other;
}

// Of a float bias the file says no more than its code.
Status Validator::TryFloatBiases() {
  const auto has_step = [](const Value& value) { return value.constant.has_value() && !value.constant->step.empty(); };
  if (result_.unexplained == 0 || std::none_of(graph_.values.begin(), graph_.values.end(), has_step)) return OkStatus();
  const SessionOptions& options = request_.options;
  LQ_ASSIGN_OR_RETURN(const Simulator simulator,
                      Simulator::Prepare(ShareGraph(request_.model), {options.profile, options.bias, true, true}));
  ValidationRequest quiet = request_;
  quiet.progress = nullptr;
  Validator validator(quiet);
  validator.slices_ = slices_;
  LQ_RETURN_IF_ERROR(validator.RunPass(simulator, nullptr, Feed::kIsolated));
  result_.float_bias_explains = validator.beyond_ == 0;
  return OkStatus();
}

Status Validator::TryOthers() {
  const SessionOptions& options = request_.options;
  LQ_RETURN_IF_ERROR(TryFloatBiases());
  if (NeedsOtherBias()) {
    const BiasMode bias = options.bias == BiasMode::kFloat ? BiasMode::kInt32 : BiasMode::kFloat;
    LQ_ASSIGN_OR_RETURN(result_.other_bias, Try({bias, options.profile, {}, {}, 0}));
  }
  const bool is_torch =
      options.profile == RoundingProfile::kAimetDiv || options.profile == RoundingProfile::kAimetFakequant;
  if (result_.unexplained == 0 || result_.BiasExplains() || !is_torch) return OkStatus();
  const RoundingProfile profile =
      options.profile == RoundingProfile::kAimetDiv ? RoundingProfile::kAimetFakequant : RoundingProfile::kAimetDiv;
  LQ_ASSIGN_OR_RETURN(result_.other_profile, Try({options.bias, profile, {}, {}, 0}));
  return OkStatus();
}

Result<Validation> Validator::Run() {
  result_.rows = request_.reference.rows();
  for (size_t i = 0; i < request_.inputs.size(); ++i) {
    const Shape& shape = request_.inputs[i].shape;
    if (shape.rank() > 0 && shape[0] >= result_.rows) continue;
    return InvalidArgument(fmt::format("the layers cover {} rows, but input '{}' has shape {}", result_.rows,
                                       graph_.value(graph_.inputs[i]).name, shape.ToString()));
  }
  LQ_ASSIGN_OR_RETURN(const int64_t batch, BatchOf(graph_));
  if (batch > 0 && batch < result_.rows) result_.rows_left = result_.rows % batch;
  result_.rows -= result_.rows_left;
  LQ_ASSIGN_OR_RETURN(slices_, SliceRows(graph_, result_.rows, kRows));
  SessionOptions options = request_.options;
  options.keep_encoded_tensors = true;
  LQ_ASSIGN_OR_RETURN(const Session session, Session::Prepare(request_.model, options));
  float_errors_ = SessionInspector::FloatErrors(session);
  result_.sums_floats = !float_errors_.empty();
  LQ_ASSIGN_OR_RETURN(const Simulator simulator, MakeSimulator(options.bias, options.profile));
  LQ_RETURN_IF_ERROR(RunPass(simulator, &session, Feed::kIsolated));
  LQ_RETURN_IF_ERROR(RunPass(simulator, &session, Feed::kCumulative));
  SumUp();
  NameMissing();
  LQ_RETURN_IF_ERROR(TryOthers());
  return std::move(result_);
}

}  // namespace

// Each layer by itself: a single tie that the reference lost spreads over all that follows in either mode.
bool Validation::BiasExplains() const {
  if (!other_bias.has_value() || other_bias->unexplained > 0) return false;
  return unexplained > 0 || 10 * other_bias->isolated.different < aimet_isolated.different;
}

bool Validation::ProfileExplains() const {
  return unexplained > 0 && other_profile.has_value() && other_profile->unexplained == 0;
}

std::vector<std::string> Validation::NotCompared() const {
  std::vector<std::string> names;
  for (const LayerValidation& layer : layers) {
    const bool shown = layer.kernel_isolated.compared > 0 && layer.kernel_cumulative.compared > 0;
    if (!shown || layer.reference_unused) names.push_back(layer.name);
  }
  return names;
}

Result<Validation> Validate(const ValidationRequest& request) { return Validator(request).Run(); }

}  // namespace lq
