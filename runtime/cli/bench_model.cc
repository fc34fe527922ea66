#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lanequant/model.h"
#include "runtime/cli/bench.h"
#include "runtime/cli/json.h"
#include "runtime/cli/model_options.h"
#include "runtime/cli/progress.h"
#include "runtime/measure/clock.h"
#include "runtime/status_macros.h"
#include "runtime/views.h"

namespace lq::cli {
namespace {

constexpr double kSeconds = 1;

// "1x512x2048"
Result<Shape> ParseShape(std::string_view text) {
  std::vector<int64_t> dims;
  for (const char *at = text.data(), *end = at + text.size(); at <= end; ++at) {
    const auto [stop, error] = std::from_chars(at, end, dims.emplace_back());
    if (error != std::errc() || (stop != end && *stop != 'x')) {
      return InvalidArgument(fmt::format("--input-shapes: '{}' is no shape such as 1x512x2048", text));
    }
    at = stop;
  }
  return Shape(dims);
}

Result<Workspace> MakeWorkspace(const Session& session, const BenchOptions& options, size_t workers) {
  if (options.input_shapes.empty()) return session.NewWorkspace(options.batch, workers);
  std::vector<Shape> shapes;
  for (const std::string& text : options.input_shapes) {
    LQ_ASSIGN_OR_RETURN(shapes.emplace_back(), ParseShape(text));
  }
  return session.NewWorkspace(shapes, workers);
}

// One run of a session on random inputs; everything it needs lives here.
class ModelRun {
 public:
  static Result<ModelRun> Make(const Session& session, const BenchOptions& options, size_t workers) {
    LQ_ASSIGN_OR_RETURN(Workspace workspace, MakeWorkspace(session, options, workers));
    ModelRun run(session, std::move(workspace));
    std::mt19937 engine(1);
    for (size_t i = 0; i < session.inputs().size(); ++i) {
      Array& array = run.Add(session.inputs()[i], run.workspace_.input_shapes()[i], options.codes, run.in_);
      if (array.dtype == DType::kF32) {
        for (float& value : std::span(reinterpret_cast<float*>(array.bytes.data()), array.bytes.size() / 4)) {
          value = static_cast<float>(static_cast<int32_t>(engine())) * 0x1p-31f;
        }
      } else {
        for (std::byte& byte : array.bytes) byte = static_cast<std::byte>(engine());
      }
    }
    for (size_t i = 0; i < session.outputs().size(); ++i) {
      run.Add(session.outputs()[i], run.workspace_.output_shapes()[i], options.codes, run.out_);
    }
    return run;
  }

  Status Run(Executor& executor) {
    std::vector<ConstTensorView> in;
    std::vector<TensorView> out;
    for (const Array& array : in_) in.push_back({array.dtype, array.shape, array.bytes});
    for (Array& array : out_) out.push_back({array.dtype, array.shape, array.bytes});
    return session_.Run(in, out, workspace_, executor);
  }

  int64_t batch() const {
    const std::vector<Shape>& shapes = workspace_.input_shapes();
    return shapes.empty() || shapes[0].rank() == 0 ? 1 : shapes[0][0];
  }

 private:
  struct Array {
    DType dtype;
    Shape shape;
    std::vector<std::byte> bytes;
  };

  ModelRun(const Session& session, Workspace workspace) : session_(session), workspace_(std::move(workspace)) {}

  static Array& Add(const TensorInfo& info, const Shape& shape, bool codes, std::vector<Array>& arrays) {
    const DType dtype = codes && info.encoding ? CodeDType(info.encoding->grid) : DType::kF32;
    return arrays.emplace_back(Array{dtype, shape, std::vector<std::byte>(BytesOf(dtype, shape.NumElements()))});
  }

  const Session& session_;
  Workspace workspace_;
  std::vector<Array> in_, out_;
};

Result<std::vector<double>> Time(ModelRun& run, Executor& executor) {
  Progress progress("bench");
  Status status = run.Run(executor);
  LQ_RETURN_IF_ERROR(status);
  const double begin = measure::Now();
  const std::vector<double> times = measure::TimeRuns(kSeconds, [&] {
    status = run.Run(executor);
    progress.Update(std::min(1.0, (measure::Now() - begin) / kSeconds));
  });
  LQ_RETURN_IF_ERROR(status);
  return times;
}

// Of the process so far, by the system.
uint64_t PeakBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

struct LoadCost {
  double load_seconds = 0, prepare_seconds = 0;
  uint64_t packed_bytes = 0, peak_bytes = 0;
};

Result<Session> Load(const BenchOptions& options, Executor& executor, LoadCost& cost) {
  const double begin = measure::Now();
  LQ_ASSIGN_OR_RETURN(const Model model, Model::Load(options.what, options.encodings));
  const double loaded = measure::Now();
  SessionOptions session_options;
  session_options.max_isa = MaxIsa(options.target);
  session_options.executor = &executor;
  LQ_ASSIGN_OR_RETURN(Session session, Session::Prepare(model, session_options));
  cost = {loaded - begin, measure::Now() - loaded, 0, PeakBytes()};
  for (const StepInfo& step : session.steps()) cost.packed_bytes += step.layer.packed_bytes;
  return session;
}

}  // namespace

Status BenchModel(const BenchOptions& options, Executor& executor) {
  LoadCost cost;
  LQ_ASSIGN_OR_RETURN(const Session session, Load(options, executor, cost));
  LQ_ASSIGN_OR_RETURN(ModelRun run, ModelRun::Make(session, options, executor.workers()));
  LQ_ASSIGN_OR_RETURN(const std::vector<double> times, Time(run, executor));
  const double best = times.front(), median = times[times.size() / 2];
  if (options.json) {
    JsonWriter json;
    json.BeginObject().Number("threads", executor.workers()).Number("batch", run.batch());
    json.Number("best_seconds", best).Number("median_seconds", median);
    json.Number("load_seconds", cost.load_seconds).Number("prepare_seconds", cost.prepare_seconds);
    json.Number("packed_bytes", cost.packed_bytes).Number("peak_bytes_prepared", cost.peak_bytes);
    fmt::print("{}", json.End().text());
    return OkStatus();
  }
  fmt::print("batch {}, {}: best {:.3f} ms, median {:.3f} ms; {:.0f} rows per second\n", run.batch(),
             Threads(executor.workers()), 1e3 * best, 1e3 * median, static_cast<double>(run.batch()) / best);
  fmt::print("loaded in {:.3f} s, prepared in {:.3f} s: {:.1f} MB packed, at most {:.1f} MB of memory until then\n",
             cost.load_seconds, cost.prepare_seconds, 1e-6 * static_cast<double>(cost.packed_bytes),
             1e-6 * static_cast<double>(cost.peak_bytes));
  return OkStatus();
}

}  // namespace lq::cli
