// Histograms of one large tensor: each task counts a range of the values, in whole numbers, so that neither order nor
// number of tasks matters.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_COUNT_TASKS_H_
#define LANEQUANT_RUNTIME_QUANTIZE_COUNT_TASKS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lanequant/quantize.h"
#include "runtime/quantize/bulk_tasks.h"
#include "runtime/run_tasks.h"

namespace lq {

// Calls count(values, counts) for ranges of the values, each with `slots` zeros to add to; returns their sums.
template <class Count>
std::vector<uint64_t> CountInTasks(std::span<const float> values, size_t slots, const BulkOptions& bulk,
                                   const Count& count) {
  Executor& executor = ExecutorOf(bulk);
  const size_t n = values.size();
  const size_t tasks =
      executor.workers() == 1 ? 1 : std::clamp<size_t>(n / kElementsPerTask, 1, 2 * executor.workers());
  std::vector<uint64_t> counts(tasks * slots);
  RunTasks(executor, tasks, [&](size_t task, size_t) {
    const size_t begin = n / tasks * task, end = task + 1 == tasks ? n : begin + n / tasks;
    count(values.subspan(begin, end - begin), std::span(counts).subspan(task * slots, slots));
  });
  for (size_t i = slots; i < counts.size(); ++i) counts[i % slots] += counts[i];
  counts.resize(slots);
  return counts;
}

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_COUNT_TASKS_H_
