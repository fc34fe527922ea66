#include "runtime/cli/layer_times.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <span>

#include "runtime/cli/table.h"
#include "runtime/measure/clock.h"
#include "runtime/session_inspector.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

constexpr double kSeconds = 0.5;
constexpr size_t kLeastRuns = 11;
constexpr size_t kNameWidth = 40;

}  // namespace

Result<std::vector<double>> TimeLayers(const SessionRows& rows, Workspace& workspace) {
  const Session& session = rows.session;
  std::vector<ConstTensorView> in;
  for (const ConstTensorView& input : rows.inputs) in.push_back(RowsOf(input, rows.rows));
  std::vector<std::vector<float>> values;
  std::vector<TensorView> out;
  for (const Shape& shape : workspace.output_shapes()) {
    values.emplace_back(static_cast<size_t>(shape.NumElements()));
    out.push_back({DType::kF32, shape, std::as_writable_bytes(std::span(values.back()))});
  }
  const size_t steps = session.steps().size();
  std::vector<std::vector<double>> times(steps);
  std::vector<double> once(steps);
  const double end = measure::Now() + kSeconds;
  for (size_t run = 0; run <= kLeastRuns || measure::Now() < end; ++run) {
    LQ_RETURN_IF_ERROR(SessionInspector::Time(session, in, out, workspace, rows.executor, once));
    for (size_t i = 0; i < steps && run > 0; ++i) times[i].push_back(once[i]);  // the first run touches the memory
  }
  for (size_t i = 0; i < steps; ++i) {
    const auto middle = times[i].begin() + static_cast<ptrdiff_t>(times[i].size() / 2);
    std::nth_element(times[i].begin(), middle, times[i].end());
    once[i] = *middle;
  }
  return once;
}

std::string ExplainLanes(const std::vector<std::string>& lanes) {
  const auto any_has = [&](char c) {
    return std::any_of(lanes.begin(), lanes.end(),
                       [c](const std::string& lane) { return lane.find(c) != std::string::npos; });
  };
  std::string text;
  if (any_has('.')) text += "fork.lane: in a run the lanes of a fork go at the same time, each on one thread\n";
  if (any_has('/')) text += "1/turns: so much of the batch goes through these steps at a time, on one thread\n";
  return text;
}

std::string LayerTimesTable(const std::vector<StepInfo>& steps, const std::vector<std::string>& lanes,
                            const std::vector<double>& seconds) {
  std::vector<size_t> order(steps.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return seconds[a] > seconds[b]; });
  const double total = std::accumulate(seconds.begin(), seconds.end(), 0.0);
  Table table({{"us", Align::kRight, ""},
               {"%", Align::kRight, ""},
               {"step", Align::kLeft, ""},
               {"tensor", Align::kLeft, ""},
               {"shape", Align::kLeft, ""},
               {"fork", Align::kLeft, ""},
               {"variant", Align::kLeft, ""}});
  for (size_t i : order) {
    const StepInfo& step = steps[i];
    table.AddRow({fmt::format("{:.1f}", 1e6 * seconds[i]), fmt::format("{:.1f}", 100 * seconds[i] / total), step.op,
                  ShortenLeft(step.output.empty() ? step.name : step.output, kNameWidth), step.shape.ToString(),
                  lanes[i], step.layer.variant});
  }
  const std::string forks = ExplainLanes(lanes);
  return table.ToString() + (forks.empty() ? ""
                                           : forks +
                                                 "here each step ran by itself: on all threads, or in turns on one, "
                                                 "its time divided by their number\n");
}

}  // namespace lq::cli
