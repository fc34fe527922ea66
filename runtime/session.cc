#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "lanequant/model.h"
#include "runtime/io/memory_budget.h"
#include "runtime/plan/layout.h"
#include "runtime/plan/memory_plan.h"
#include "runtime/session_impl.h"
#include "runtime/status_macros.h"
#include "runtime/views.h"

namespace lq {
namespace {

constexpr int64_t kLargestTensor = int64_t{1} << 40;  // elements: sums of bytes stay far below 2^63
constexpr size_t kMostWorkers = 4096;                 // above any machine; each is asked for its scratch

std::vector<TensorInfo> Describe(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<TensorInfo> infos;
  for (ValueId id : ids) infos.push_back({graph.value(id).name, graph.value(id).shape.value_or(Shape{})});
  return infos;
}

// The encodings of graph inputs and outputs are those of the tensors behind and before their steps.
void DescribeEncodings(const Plan& plan, std::vector<TensorInfo>& inputs, std::vector<TensorInfo>& outputs) {
  for (const PlannedStep& step : plan.steps) {
    const PlanTensor &in = plan.tensors[step.inputs[0]], &out = plan.tensors[step.output];
    if (in.place == PlanTensor::Place::kGraphInput) inputs[in.index].encoding = out.encoding;
    if (out.place == PlanTensor::Place::kGraphOutput) outputs[out.index].encoding = in.encoding;
  }
}

std::vector<StepInfo> DescribeSteps(const Graph& graph, const Plan& plan) {
  std::vector<StepInfo> infos;
  for (const PlannedStep& step : plan.steps) {
    const PlanTensor& out = plan.tensors[step.output];
    LayerInfo layer = step.step->info();
    if (!step.why.empty()) layer.weights += "; " + step.why;
    infos.push_back({step.op, step.name, out.value == kAbsent ? "" : graph.value(out.value).name,
                     out.place == PlanTensor::Place::kGraphOutput ? plan.shapes[step.output]
                                                                  : plan.layout.OnnxShape(plan.shapes[step.output]),
                     out.encoding ? lq::Describe(Encoding(*out.encoding)) : NameOf(out.dtype()), std::move(layer)});
  }
  return infos;
}

// Every fixed dimension as it is, a dynamic batch at least 1.
bool Fits(const Shape& shape, const Shape& declared) {
  bool fits = shape.rank() == declared.rank();
  for (size_t d = 0; fits && d < shape.rank(); ++d) {
    fits = declared[d] < 0 ? shape[d] >= (d == 0 ? 1 : 0) : shape[d] == declared[d];
  }
  return fits;
}

// Steps with an empty output are not run. Others may read empty tensors where they only join them, or their lengths.
Status CheckEmpty(const PlannedStep& step, std::span<const Shape> in, const Shape& out) {
  const bool reads_lengths = step.op == "Concat" || step.op == "Constant" || step.op == "Positions";
  if (reads_lengths || out.NumElements() == 0) return OkStatus();
  for (const Shape& shape : in) {
    if (shape.NumElements() != 0) continue;
    return InvalidArgument(fmt::format("{} '{}': an input of shape {} is empty, but its output of shape {} is not",
                                       step.op, step.name, shape.ToString(), out.ToString()));
  }
  return OkStatus();
}

// From the stage that writes a tensor to the last one that reads it: steps of a fork run at the same time. Nothing for
// those that lie in the bytes of turns.
std::vector<Lifetime> Lifetimes(const Plan& plan, const std::vector<Shape>& shapes, std::span<const Stage> stages,
                                std::span<const size_t> turn_places) {
  std::vector<Lifetime> lifetimes(plan.tensors.size());
  for (size_t stage = 0; stage < stages.size(); ++stage) {
    for (size_t s = stages[stage].begin; s < stages[stage].end; ++s) {
      Lifetime& out = lifetimes[plan.steps[s].output];
      out.first = out.last = stage;
      for (size_t input : plan.steps[s].inputs) lifetimes[input].last = stage;
    }
  }
  for (size_t t = 0; t < lifetimes.size(); ++t) {
    const PlanTensor& tensor = plan.tensors[t];
    const bool ours = tensor.place == PlanTensor::Place::kWorkspace && turn_places[t] == kNoTurn;
    lifetimes[t].bytes = ours ? static_cast<size_t>(shapes[t].NumElements()) * SizeOf(tensor.dtype()) : 0;
  }
  return lifetimes;
}

// What any step needs with any executor of up to `workers` workers: fewer workers may get larger tasks.
size_t LargestScratch(const Plan& plan, const std::vector<Shape>& shapes, std::span<const Stage> stages,
                      size_t workers) {
  size_t scratch = 0;
  for (const Stage& stage : stages) {
    scratch = std::max(scratch, stage.lanes.size() * stage.lane_scratch);
    if (stage.turns) scratch = std::max(scratch, workers * stage.turns->bytes);
  }
  for (const PlannedStep& step : plan.steps) {
    if (shapes[step.output].NumElements() == 0) continue;
    const std::vector<Shape> in = step.InputShapes(shapes);
    for (size_t w = 1; w <= workers; ++w) scratch = std::max(scratch, step.step->ScratchBytes(in, w));
  }
  return scratch;
}

}  // namespace

Workspace::Workspace(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Workspace::Workspace(Workspace&&) noexcept = default;
Workspace& Workspace::operator=(Workspace&&) noexcept = default;
Workspace::~Workspace() = default;
size_t Workspace::bytes() const { return impl_->memory.size(); }
const std::vector<Shape>& Workspace::input_shapes() const { return impl_->input_shapes; }
const std::vector<Shape>& Workspace::output_shapes() const { return impl_->output_shapes; }

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;
const std::vector<TensorInfo>& Session::inputs() const { return impl_->inputs; }
const std::vector<TensorInfo>& Session::outputs() const { return impl_->outputs; }
const std::vector<StepInfo>& Session::steps() const { return impl_->steps; }

Result<Session> Session::Prepare(const Model& model, const SessionOptions& options) {
  const Graph& graph = model.graph();
  static std::atomic<uint64_t> next_id{1};
  auto impl = std::make_unique<Impl>();
  impl->id = next_id++;
  LQ_ASSIGN_OR_RETURN(impl->plan, Planner::Build(graph, options));
  impl->inputs = Describe(graph, graph.inputs);
  impl->outputs = Describe(graph, graph.outputs);
  impl->shared_lengths = SharedLengthsOf(graph);
  DescribeEncodings(impl->plan, impl->inputs, impl->outputs);
  impl->steps = DescribeSteps(graph, impl->plan);
  return Session(std::move(impl));
}

Result<std::vector<Shape>> Session::Impl::InputShapes(int64_t batch) const {
  std::vector<Shape> shapes;
  for (const TensorInfo& input : inputs) {
    Shape shape = input.shape;
    const bool is_fixed = shape.rank() > 0 && shape[0] >= 0;
    // Further inputs with a fixed first dimension may mean something else by it.
    if (batch < 1 || (shapes.empty() && is_fixed && shape[0] != batch)) {
      return InvalidArgument(
          fmt::format("batch {} does not fit input '{}' of shape {}", batch, input.name, input.shape.ToString()));
    }
    if (shape.rank() > 0 && !is_fixed) shape[0] = batch;
    shapes.push_back(shape);
  }
  return shapes;
}

Result<std::vector<Shape>> Session::Impl::ShapesFor(std::span<const Shape> input_shapes) const {
  if (input_shapes.size() != inputs.size()) {
    return InvalidArgument(
        fmt::format("{} input shapes, but the model has {} inputs", input_shapes.size(), inputs.size()));
  }
  std::vector<Shape> shapes(plan.tensors.size());
  for (size_t t = 0; t < plan.tensors.size(); ++t) {
    if (plan.tensors[t].place != PlanTensor::Place::kGraphInput) continue;
    const TensorInfo& input = inputs[plan.tensors[t].index];
    shapes[t] = input_shapes[plan.tensors[t].index];
    if (!Fits(shapes[t], input.shape)) {
      return InvalidArgument(
          fmt::format("shape {} does not fit input '{}' of shape {}; a dynamic batch needs 1 or more, others 0",
                      shapes[t].ToString(), input.name, input.shape.ToString()));
    }
  }
  LQ_RETURN_IF_ERROR(CheckSharedLengths(shared_lengths, input_shapes));
  for (const PlannedStep& step : plan.steps) {
    const std::vector<Shape> in = step.InputShapes(shapes);
    LQ_ASSIGN_OR_RETURN(shapes[step.output], step.step->OutputShape(in));
    LQ_RETURN_IF_ERROR(CheckEmpty(step, in, shapes[step.output]));
    const int64_t elements = shapes[step.output].NumElements();
    if (elements >= 0 && elements <= kLargestTensor) continue;
    return InvalidArgument(
        fmt::format("{} '{}': output of shape {} is too large", step.op, step.name, shapes[step.output].ToString()));
  }
  return shapes;
}

Result<Workspace> Session::NewWorkspace(int64_t batch, size_t workers) const {
  LQ_ASSIGN_OR_RETURN(const std::vector<Shape> shapes, impl_->InputShapes(batch));
  return NewWorkspace(shapes, workers);
}

Result<Workspace> Session::NewWorkspace(std::span<const Shape> input_shapes, size_t workers) const {
  const Plan& plan = impl_->plan;
  LQ_ASSIGN_OR_RETURN(const std::vector<Shape> shapes, impl_->ShapesFor(input_shapes));
  workers = std::max<size_t>(workers, 1);
  if (workers > kMostWorkers) {
    return InvalidArgument(fmt::format("a workspace for {} workers, but {} are the most", workers, kMostWorkers));
  }
  const int64_t rows = input_shapes.empty() || input_shapes[0].rank() == 0 ? 1 : input_shapes[0][0];
  std::vector<Turns> turns = FindTurns(plan, shapes, workers);
  std::vector<size_t> turn_places = PlanTurns(plan, shapes, turns);
  std::vector<Stage> stages = MakeSchedule(plan, shapes, turns, workers);
  const MemoryPlan memory = PlanMemory(Lifetimes(plan, shapes, stages, turn_places));
  const size_t scratch = LargestScratch(plan, shapes, stages, workers);
  // Half of the machine's memory: what is asked for is touched at once.
  const uint64_t most = MemoryBudget::HalfOfMemory();
  if (memory.bytes > most || scratch > most - memory.bytes) {
    return InvalidArgument(
        fmt::format("a run of {} rows on {} workers needs a workspace of {} + {} bytes, but {} are the most", rows,
                    workers, memory.bytes, scratch, most));
  }
  auto impl = std::make_unique<Workspace::Impl>();
  impl->session = impl_->id;
  impl->workers = workers;
  const std::string owner = fmt::format("workspace for {} rows on {} workers", rows, workers);
  LQ_ASSIGN_OR_RETURN(impl->memory, AlignedBuffer::Make(owner, memory.bytes + scratch));
  impl->scratch = impl->memory.span().subspan(memory.bytes);
  impl->lanes.resize(workers);
  impl->stages = std::move(stages);
  impl->turn_places = std::move(turn_places);
  impl->input_shapes.assign(input_shapes.begin(), input_shapes.end());
  impl->output_shapes.resize(impl_->outputs.size());
  for (size_t t = 0; t < plan.tensors.size(); ++t) {
    TensorView view{plan.tensors[t].dtype(), shapes[t], {}};
    if (plan.tensors[t].place == PlanTensor::Place::kWorkspace && impl->turn_places[t] == kNoTurn) {
      const size_t bytes = static_cast<size_t>(shapes[t].NumElements()) * SizeOf(view.dtype);
      view.bytes = impl->memory.span().subspan(memory.offsets[t], bytes);
    }
    if (plan.tensors[t].place == PlanTensor::Place::kGraphOutput) {
      impl->output_shapes[plan.tensors[t].index] = shapes[t];
    }
    impl->tensors.push_back(view);
  }
  return Workspace(std::move(impl));
}

Status Session::Impl::CheckRun(std::span<const ConstTensorView> in, std::span<const TensorView> out,
                               const Workspace::Impl& workspace, const Executor& executor) const {
  if (in.size() != inputs.size() || out.size() != outputs.size()) {
    return InvalidArgument(fmt::format("{} inputs and {} outputs, but the model has {} and {}", in.size(), out.size(),
                                       inputs.size(), outputs.size()));
  }
  if (workspace.session != id) return InvalidArgument("the workspace belongs to another session");
  if (executor.workers() > workspace.workers) {
    return InvalidArgument(
        fmt::format("the workspace is for {} workers, but the executor has {}", workspace.workers, executor.workers()));
  }
  for (size_t t = 0; t < plan.tensors.size(); ++t) {
    const PlanTensor& tensor = plan.tensors[t];
    if (tensor.place == PlanTensor::Place::kWorkspace) continue;
    const bool input = tensor.place == PlanTensor::Place::kGraphInput;
    const ConstTensorView view = input ? in[tensor.index] : ConstTensorView(out[tensor.index]);
    const std::string& name = input ? inputs[tensor.index].name : outputs[tensor.index].name;
    const std::optional<PerTensor>& encoding = input ? inputs[tensor.index].encoding : outputs[tensor.index].encoding;
    if (view.dtype != DType::kF32 && !(encoding && view.dtype == CodeDType(encoding->grid))) {
      const std::string codes = encoding ? fmt::format(" or {}", NameOf(CodeDType(encoding->grid))) : "";
      return InvalidArgument(
          fmt::format("{} '{}' has type {}, not f32{}", input ? "input" : "output", name, NameOf(view.dtype), codes));
    }
    LQ_RETURN_IF_ERROR(CheckView(name, input ? "(input)" : "(output)", view, workspace.tensors[t].shape));
  }
  return OkStatus();
}

ConstTensorView Session::Impl::Input(size_t tensor, const Arrays& arrays) const {
  const PlanTensor& t = plan.tensors[tensor];
  return t.place == PlanTensor::Place::kGraphInput ? arrays.in[t.index]
                                                   : ConstTensorView(arrays.workspace.tensors[tensor]);
}

TensorView Session::Impl::Output(size_t tensor, const Arrays& arrays) const {
  const PlanTensor& t = plan.tensors[tensor];
  return t.place == PlanTensor::Place::kGraphOutput ? arrays.out[t.index] : arrays.workspace.tensors[tensor];
}

Status Session::Impl::RunStep(size_t index, const Arrays& arrays, std::span<std::byte> scratch,
                              Executor& executor) const {
  const PlannedStep& step = plan.steps[index];
  const TensorView output = Output(step.output, arrays);
  if (output.shape.NumElements() == 0) return OkStatus();
  std::array<ConstTensorView, kMostInputs> views;
  for (size_t i = 0; i < step.inputs.size(); ++i) views[i] = Input(step.inputs[i], arrays);
  return step.step->Run({std::span(views).first(step.inputs.size()), output, scratch, executor});
}

Status Session::Impl::RunInTurn(size_t index, const Turn& turn, const Arrays& arrays) const {
  const size_t images = turn.end - turn.begin;
  const auto part = [&](size_t tensor, auto view) {
    const size_t bytes = static_cast<size_t>(view.shape.NumElements()) / turn.turns.images * SizeOf(view.dtype);
    const size_t place = arrays.workspace.turn_places[tensor];
    view.shape = WithImages(view.shape, images);
    view.bytes = place == kNoTurn ? view.bytes.subspan(turn.begin * bytes, images * bytes)
                                  : decltype(view.bytes)(turn.memory.subspan(place, images * bytes));
    return view;
  };
  const PlannedStep& step = plan.steps[index];
  std::array<ConstTensorView, kMostInputs> views;
  for (size_t i = 0; i < step.inputs.size(); ++i) views[i] = part(step.inputs[i], Input(step.inputs[i], arrays));
  return step.step->Run({std::span(views).first(step.inputs.size()), part(step.output, Output(step.output, arrays)),
                         turn.memory.subspan(turn.turns.tensor_bytes), SerialExecutor()});
}

Status Session::Impl::RunTurns(const Turns& turns, const Arrays& arrays, Executor& executor) const {
  const std::span<Status> ends = arrays.workspace.lanes;
  std::fill(ends.begin(), ends.end(), OkStatus());
  executor.ForEach(turns.count, [&](size_t i, size_t worker) {
    const Turn turn{turns, turns.First(i), turns.First(i + 1),
                    arrays.workspace.scratch.subspan(worker * turns.bytes, turns.bytes)};
    for (size_t s = turns.begin; s < turns.end && ends[worker].ok(); ++s) ends[worker] = RunInTurn(s, turn, arrays);
  });
  for (const Status& end : ends) LQ_RETURN_IF_ERROR(end);
  return OkStatus();
}

Status Session::Impl::RunStage(const Stage& stage, const Arrays& arrays, Executor& executor) const {
  if (stage.turns) return RunTurns(*stage.turns, arrays, executor);
  if (stage.lanes.empty()) return RunStep(stage.begin, arrays, executor);
  const std::span<Status> ends = std::span(arrays.workspace.lanes).first(stage.lanes.size());
  executor.ForEach(ends.size(), [&](size_t lane, size_t) {
    const std::span<std::byte> scratch =
        arrays.workspace.scratch.subspan(lane * stage.lane_scratch, stage.lane_scratch);
    ends[lane] = OkStatus();
    for (size_t i = 0; i < stage.lanes[lane].size() && ends[lane].ok(); ++i) {
      ends[lane] = RunStep(stage.lanes[lane][i], arrays, scratch, SerialExecutor());
    }
  });
  for (const Status& end : ends) LQ_RETURN_IF_ERROR(end);
  return OkStatus();
}

Status Session::Run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs, Workspace& workspace,
                    Executor& executor) const {
  LQ_RETURN_IF_ERROR(impl_->CheckRun(inputs, outputs, *workspace.impl_, executor));
  const Impl::Arrays arrays{inputs, outputs, *workspace.impl_};
  for (const Stage& stage : workspace.impl_->stages) LQ_RETURN_IF_ERROR(impl_->RunStage(stage, arrays, executor));
  return OkStatus();
}

}  // namespace lq
