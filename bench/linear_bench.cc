// Whole Linear layers, threads and dispatch included, beside the read bandwidth and the peak that are probed around
// each case: linear/PRECISION/NxK/m=M/threads=T[/cold]. Without --benchmark_filter this takes about half an hour.
#include <benchmark/benchmark.h>

#include <initializer_list>
#include <memory>
#include <string>

#include "runtime/measure/linear_timing.h"

namespace lq::bench {
namespace {

struct ShapeList {
  const char* name;
  std::initializer_list<std::pair<size_t, size_t>> shapes;  // n, k
  std::initializer_list<size_t> rows;
};

// Shallow layers, whose epilogue shows; a sweep that finds every threshold; the layers of Llama 3.2 1B and 3.1 8B, of
// BERT base; tails.
const ShapeList kLists[] = {
    {"shallow", {{4096, 256}}, {64, 512}},  // where the epilogue shows
    {"sq4k", {{4096, 4096}}, {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 2048, 4096}},
    {"llm1b",
     {{2048, 2048}, {512, 2048}, {8192, 2048}, {2048, 8192}, {3072, 2048}, {16384, 2048}},
     {1, 4, 16, 128, 512}},
    {"llm8b", {{1024, 4096}, {14336, 4096}, {4096, 14336}, {6144, 4096}}, {1, 4, 16, 128, 512, 2048}},
    {"bert", {{768, 768}, {2304, 768}, {3072, 768}, {768, 3072}}, {128, 384, 1024}},
    {"odd", {{1000, 2048}, {33, 100}, {64, 12288}}, {1, 7, 17, 33}},
};
constexpr measure::Precision kPrecisions[] = {{8, 0}, {8, 64}, {8, 32}, {16, 0}, {16, 64}};

struct Case {
  measure::LinearCase layer;
  size_t threads;
  bool cold;
};

// The time is that of the median run: what a user sees; shares are those of the best one, as limits are.
void Run(benchmark::State& state, const Case& c) {
  const std::unique_ptr<Executor> executor = c.threads == 1 ? nullptr : MakeTbbExecutor(c.threads);
  Executor& workers = executor == nullptr ? SerialExecutor() : *executor;
  for (auto _ : state) {
    const Result<measure::LinearTiming> timing = measure::TimeLinear(c.layer, {workers, {}, c.cold});
    if (!timing.ok()) {
      state.SkipWithError(timing.status().message().c_str());
      break;
    }
    state.SetIterationTime(timing->median);
    state.SetLabel(timing->layer.variant);
    state.counters["best_us"] = 1e6 * timing->best;
    state.counters["of_read"] = timing->ShareOfRead();
    state.counters["of_peak"] = timing->ShareOfPeak();
    state.counters["roofline"] = timing->ShareOfRoofline();
    state.counters["epilogue"] = timing->ShareOfEpilogue();
  }
}

void Register(const std::string& list, const Case& c) {
  const measure::LinearCase& layer = c.layer;
  std::string name = "linear/" + list + "/" + layer.precision.ToString() + "/" + std::to_string(layer.n) + "x" +
                     std::to_string(layer.k) + "/m=" + std::to_string(layer.m) +
                     "/threads=" + std::to_string(c.threads);
  if (c.cold) name += "/cold";
  benchmark::RegisterBenchmark(name.c_str(), Run, c)->UseManualTime()->Iterations(1)->Unit(benchmark::kMicrosecond);
}

const bool kRegistered = [] {
  for (const ShapeList& list : kLists) {
    for (const measure::Precision& precision : kPrecisions) {
      for (const auto& [n, k] : list.shapes) {
        if (precision.block != 0 && k % static_cast<size_t>(precision.block) != 0) continue;
        for (const size_t m : list.rows) {
          for (const size_t threads : {1, 2}) {
            Register(list.name, {{m, n, k, precision}, threads, false});
            if (m == 1) Register(list.name, {{m, n, k, precision}, threads, true});  // as in a model: read from memory
          }
        }
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace lq::bench

BENCHMARK_MAIN();
