#include "runtime/session_inspector.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/measure/clock.h"
#include "runtime/output_arrays.h"
#include "runtime/plan/layout.h"
#include "runtime/session_impl.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// Shows the codes of a tensor on its own grid and in ONNX's order, and takes back what the observer made of them.
// T: of the codes.
template <class T>
void Observe(const PlanTensor& tensor, const TensorView& view, const Layout& layout, const Observer& observer) {
  const auto n = static_cast<size_t>(view.shape.NumElements());
  const auto low = static_cast<int32_t>(tensor.encoding->grid.qmin());
  std::vector<T> codes(n);
  layout.ToOnnxOrder(view.bytes.data(), view.shape, sizeof(T), codes.data());
  ObservedTensor observed{
      tensor.value, layout.OnnxShape(view.shape), *tensor.encoding, std::vector<int32_t>(n), {}, {}};
  for (size_t i = 0; i < n; ++i) observed.codes[i] = codes[i] + low;
  observer(observed);
  for (size_t i = 0; i < n; ++i) codes[i] = static_cast<T>(observed.codes[i] - low);
  layout.FromOnnxOrder(codes.data(), view.shape, sizeof(T), view.bytes.data());
}

}  // namespace

Status SessionInspector::HoldWhole(Workspace& workspace) {
  Workspace::Impl& impl = *workspace.impl_;
  size_t bytes = 0;
  const auto take = [&](const TensorView& view) {
    const size_t at = bytes, n = static_cast<size_t>(view.shape.NumElements()) * SizeOf(view.dtype);
    bytes += RoundUp(n, kAlignment);
    return std::pair(at, n);
  };
  for (size_t t = 0; t < impl.tensors.size(); ++t) {
    if (impl.turn_places[t] != kNoTurn) take(impl.tensors[t]);
  }
  if (bytes == 0 || impl.whole.size() > 0) return OkStatus();
  LQ_ASSIGN_OR_RETURN(impl.whole, AlignedBuffer::Make("tensors of all images", bytes));
  bytes = 0;
  for (size_t t = 0; t < impl.tensors.size(); ++t) {
    if (impl.turn_places[t] == kNoTurn) continue;
    const auto place = take(impl.tensors[t]);
    impl.tensors[t].bytes = impl.whole.span().subspan(place.first, place.second);
  }
  return OkStatus();
}

Status SessionInspector::Run(const Session& session, std::span<const ConstTensorView> inputs,
                             std::span<const TensorView> outputs, Workspace& workspace, Executor& executor,
                             const Observer& observer) {
  const Session::Impl& impl = *session.impl_;
  Workspace::Impl& memory = *workspace.impl_;
  LQ_RETURN_IF_ERROR(impl.CheckRun(inputs, outputs, memory, executor));
  LQ_RETURN_IF_ERROR(HoldWhole(workspace));
  const Session::Impl::Arrays arrays{inputs, outputs, memory};
  for (size_t i = 0; i < impl.plan.steps.size(); ++i) {
    LQ_RETURN_IF_ERROR(impl.RunStep(i, arrays, executor));
    const size_t output = impl.plan.steps[i].output;
    const PlanTensor& tensor = impl.plan.tensors[output];
    if (!observer || tensor.value == kAbsent || !tensor.encoding) continue;
    if (tensor.dtype() == DType::kU8) {
      Observe<uint8_t>(tensor, memory.tensors[output], impl.plan.layout, observer);
    } else {
      Observe<uint16_t>(tensor, memory.tensors[output], impl.plan.layout, observer);
    }
  }
  return OkStatus();
}

Status SessionInspector::Time(const Session& session, std::span<const ConstTensorView> inputs,
                              std::span<const TensorView> outputs, Workspace& workspace, Executor& executor,
                              std::span<double> seconds) {
  const Session::Impl& impl = *session.impl_;
  LQ_RETURN_IF_ERROR(impl.CheckRun(inputs, outputs, *workspace.impl_, executor));
  if (seconds.size() != impl.plan.steps.size()) {
    return InvalidArgument(fmt::format("{} times for {} steps", seconds.size(), impl.plan.steps.size()));
  }
  const Session::Impl::Arrays arrays{inputs, outputs, *workspace.impl_};
  const auto timed = [&](size_t step, double share, auto run) {
    const double start = measure::Now();
    Status status = run();
    seconds[step] += (measure::Now() - start) * share;
    return status;
  };
  std::fill(seconds.begin(), seconds.end(), 0.0);
  for (const Stage& stage : workspace.impl_->stages) {
    const size_t turns = stage.turns ? stage.turns->count : 1;
    for (size_t i = 0; i < turns; ++i) {
      for (size_t s = stage.begin; s < stage.end; ++s) {
        if (!stage.turns) {
          LQ_RETURN_IF_ERROR(timed(s, 1, [&] { return impl.RunStep(s, arrays, executor); }));
          continue;
        }
        const Session::Impl::Turn turn{*stage.turns, stage.turns->First(i), stage.turns->First(i + 1),
                                       workspace.impl_->scratch};
        const double share = 1 / static_cast<double>(executor.workers());
        LQ_RETURN_IF_ERROR(timed(s, share, [&] { return impl.RunInTurn(s, turn, arrays); }));
      }
    }
  }
  return OkStatus();
}

std::vector<std::string> SessionInspector::Lanes(const Workspace& workspace) {
  const std::vector<Stage>& stages = workspace.impl_->stages;
  std::vector<std::string> names(stages.empty() ? 0 : stages.back().end);
  size_t fork = 0;
  for (const Stage& stage : stages) {
    if (!stage.lanes.empty()) ++fork;
    for (size_t step = stage.begin; stage.turns && step < stage.end; ++step) {
      names[step] = fmt::format("1/{}", stage.turns->count);
    }
    for (size_t lane = 0; lane < stage.lanes.size(); ++lane) {
      for (size_t step : stage.lanes[lane]) names[step] = fmt::format("{}.{}", fork, lane + 1);
    }
  }
  return names;
}

std::map<ValueId, double> SessionInspector::FloatErrors(const Session& session) {
  const Plan& plan = session.impl_->plan;
  std::map<ValueId, double> errors;
  std::vector<double> of_tensor(plan.tensors.size(), 0.0);
  for (const PlannedStep& step : plan.steps) {
    double error = 0;
    for (size_t input : step.inputs) {
      // Codes that are only moved have not been seen yet.
      const bool seen = plan.tensors[input].encoding && plan.tensors[input].value != kAbsent;
      if (!seen) error = std::max(error, of_tensor[input]);
    }
    error += step.step->info().float_error;
    of_tensor[step.output] = error;
    const PlanTensor& out = plan.tensors[step.output];
    if (error > 0 && out.value != kAbsent) errors[out.value] = std::max(errors[out.value], error);
  }
  return errors;
}

}  // namespace lq
