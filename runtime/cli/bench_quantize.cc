#include <fmt/format.h>

#include <cstdio>

#include "runtime/cli/bench.h"
#include "runtime/cli/json.h"
#include "runtime/cli/model_options.h"
#include "runtime/cli/progress.h"
#include "runtime/cli/table.h"
#include "runtime/measure/bulk_timing.h"
#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

using measure::BulkTiming;

Result<std::vector<BulkTiming>> TimeAll(const BenchOptions& options, Executor& executor) {
  Progress progress("bench");
  return measure::TimeQuantizers(
      {executor, MaxIsa(options.target), measure::kBulkRows, [&progress](double share) { progress.Update(share); }});
}

void PrintJson(const std::vector<BulkTiming>& timings, size_t threads) {
  JsonWriter json;
  json.BeginObject().Number("threads", threads).BeginArray("quantize");
  for (const BulkTiming& timing : timings) {
    json.BeginObject().String("name", timing.name).Number("seconds", timing.seconds).Number("bytes", timing.bytes);
    json.Number("share_of_stream", timing.ShareOfStream()).End();
  }
  fmt::print("{}", json.End().End().text());
}

}  // namespace

Status BenchQuantize(const BenchOptions& options, Executor& executor) {
  LQ_ASSIGN_OR_RETURN(const std::vector<BulkTiming> timings, TimeAll(options, executor));
  if (options.json) {
    PrintJson(timings, executor.workers());
    return OkStatus();
  }
  Table table({{"64 Mi elements", Align::kLeft, ""},
               {"ms", Align::kRight, ""},
               {"GB/s", Align::kRight, ""},
               {"of stream", Align::kRight, ""}});
  for (const BulkTiming& timing : timings) {
    table.AddRow({timing.name, fmt::format("{:.2f}", 1e3 * timing.seconds),
                  fmt::format("{:.1f}", 1e-9 * timing.bytes / timing.seconds),
                  fmt::format("{:.2f}", timing.ShareOfStream())});
  }
  fmt::print("{}\n{}; 'of stream' is the share of what moving the same bytes takes, without any arithmetic.\n",
             table.ToString(), Threads(executor.workers()));
  return OkStatus();
}

}  // namespace lq::cli
