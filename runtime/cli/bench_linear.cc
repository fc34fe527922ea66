#include <fmt/format.h>

#include <charconv>
#include <cstdio>

#include "runtime/cli/bench.h"
#include "runtime/cli/json.h"
#include "runtime/cli/model_options.h"
#include "runtime/cli/progress.h"
#include "runtime/cli/table.h"
#include "runtime/measure/linear_timing.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

using measure::LinearCase;
using measure::LinearTiming;

struct Row {
  LinearCase layer;
  LinearTiming timing;
};

// "4096x1024": n, k.
Result<LinearCase> ParseShape(const std::string& text) {
  constexpr size_t kMost = size_t{1} << 24;
  LinearCase layer;
  const char* const end = text.data() + text.size();
  const auto n = std::from_chars(text.data(), end, layer.n);
  if (n.ec == std::errc() && n.ptr != end && *n.ptr == 'x') {
    const auto k = std::from_chars(n.ptr + 1, end, layer.k);
    const bool fits = layer.n != 0 && layer.k != 0 && layer.n <= kMost && layer.k <= kMost;
    if (k.ec == std::errc() && k.ptr == end && fits) return layer;
  }
  return InvalidArgument(fmt::format("--shapes '{}' is not NxK with sizes of 1 to {}", text, kMost));
}

Result<std::vector<LinearCase>> Cases(const BenchOptions& options) {
  std::vector<LinearCase> cases;
  for (const std::string& shape : options.shapes) {
    LQ_ASSIGN_OR_RETURN(LinearCase layer, ParseShape(shape));
    for (const std::string& precision : options.precisions) {
      LQ_ASSIGN_OR_RETURN(layer.precision, measure::ParsePrecision(precision));
      for (const size_t m : options.rows) {
        layer.m = m;
        cases.push_back(layer);
      }
    }
  }
  return cases;
}

std::string ShapeOf(const LinearCase& layer) { return fmt::format("{}x{}", layer.n, layer.k); }

void PrintTable(const std::vector<Row>& rows) {
  Table table({{"shape", Align::kLeft, ""},
               {"precision", Align::kLeft, ""},
               {"M", Align::kRight, ""},
               {"best ms", Align::kRight, ""},
               {"median", Align::kRight, ""},
               {"GB/s", Align::kRight, ""},
               {"of read", Align::kRight, ""},
               {"TOP/s", Align::kRight, ""},
               {"of peak", Align::kRight, ""},
               {"roofline", Align::kRight, ""},
               {"epilogue", Align::kRight, ""},
               {"variant", Align::kLeft, ""}});
  for (const auto& [layer, timing] : rows) {
    table.AddRow({ShapeOf(layer), layer.precision.ToString(), fmt::format("{}", layer.m),
                  fmt::format("{:.4f}", 1e3 * timing.best), fmt::format("{:.4f}", 1e3 * timing.median),
                  fmt::format("{:.1f}", 1e-9 * timing.bytes / timing.best), fmt::format("{:.2f}", timing.ShareOfRead()),
                  fmt::format("{:.3f}", 1e-12 * timing.operations / timing.best),
                  fmt::format("{:.2f}", timing.ShareOfPeak()), fmt::format("{:.2f}", timing.ShareOfRoofline()),
                  fmt::format("{:.3f}", timing.ShareOfEpilogue()), timing.layer.variant});
  }
  fmt::print("{}", table.ToString());
}

void PrintJson(const std::vector<Row>& rows, const BenchOptions& options, size_t threads) {
  JsonWriter json;
  json.BeginObject().Number("threads", threads).Bool("cold", options.cold).BeginArray("linear");
  for (const auto& [layer, timing] : rows) {
    json.BeginObject().Number("n", layer.n).Number("k", layer.k).Number("m", layer.m);
    json.String("precision", layer.precision.ToString()).String("variant", timing.layer.variant);
    json.Number("best_seconds", timing.best).Number("median_seconds", timing.median);
    json.Number("bytes", timing.bytes).Number("operations", timing.operations);
    json.Number("read_bandwidth", timing.limits.read).Number("peak", timing.limits.Peak(timing.layer.variant));
    json.Number("share_of_read", timing.ShareOfRead()).Number("share_of_peak", timing.ShareOfPeak());
    json.Number("share_of_roofline", timing.ShareOfRoofline());
    json.Number("share_of_epilogue", timing.ShareOfEpilogue()).End();
  }
  fmt::print("{}", json.End().End().text());
}

}  // namespace

Status BenchLinear(const BenchOptions& options, Executor& executor) {
  LQ_ASSIGN_OR_RETURN(const std::vector<LinearCase> cases, Cases(options));
  PrepareOptions prepare;
  prepare.max_isa = MaxIsa(options.target);
  std::vector<Row> rows;
  {
    Progress progress("bench");
    for (const LinearCase& layer : cases) {
      LQ_ASSIGN_OR_RETURN(LinearTiming timing, measure::TimeLinear(layer, {executor, prepare, options.cold}));
      rows.push_back({layer, std::move(timing)});
      progress.Update(static_cast<double>(rows.size()) / static_cast<double>(cases.size()));
    }
  }
  if (options.json) {
    PrintJson(rows, options, executor.workers());
    return OkStatus();
  }
  PrintTable(rows);
  fmt::print(
      "\n{}; weights from {}. 'of read' and 'of peak' are shares of what was probed around each row: reading\n"
      "as many bytes, and the arithmetic unit that the variant uses (16-bit activations count twice); 'roofline' is\n"
      "the larger one. 'epilogue' is the share of a layer of the same width and rows with k = 4, which is little more\n"
      "than making outputs of sums.\n",
      Threads(executor.workers()), options.cold ? "memory" : "the caches, where they fit");
  return OkStatus();
}

}  // namespace lq::cli
