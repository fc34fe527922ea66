// RunTasks: an executor is asked only where there is something to share; a single task stays on the caller.
#ifndef LANEQUANT_RUNTIME_RUN_TASKS_H_
#define LANEQUANT_RUNTIME_RUN_TASKS_H_

#include <algorithm>
#include <cstddef>

#include "lanequant/executor.h"
#include "lanequant/layer.h"
#include "runtime/partition.h"

namespace lq {

// Elements that are worth a task where each takes a fraction of a nanosecond: about 10 us, some times what waking a
// worker costs.
inline constexpr size_t kElementsPerTask = 65536;

inline void RunTasks(Executor& executor, size_t tasks, TaskRef task) {
  if (tasks == 1) {
    task(0, 0);
  } else if (tasks > 1) {
    executor.ForEach(tasks, task);
  }
}

// Cuts `n` elements into equal ranges, a task each, where they are many enough to be worth a worker (`grain` elements).
template <class F>
void RunRanges(Executor& executor, size_t n, size_t grain, const F& run) {
  const size_t tasks = std::max<size_t>(1, std::min(n / std::max<size_t>(grain, 1), 2 * executor.workers()));
  RunTasks(executor, executor.workers() == 1 ? 1 : tasks, [&](size_t task, size_t) {
    const size_t count = executor.workers() == 1 ? 1 : tasks;
    run(Range{n * task / count, n * (task + 1) / count});
  });
}

// While a layer is prepared: `count` things of `work` elements each, by the executor of its options.
template <class F>
void RunPreparing(const PrepareOptions& options, size_t count, size_t work, const F& run) {
  Executor& executor = options.executor != nullptr ? *options.executor : SerialExecutor();
  RunRanges(executor, count, kElementsPerTask / std::max<size_t>(work, 1) + 1, run);
}

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_RUN_TASKS_H_
