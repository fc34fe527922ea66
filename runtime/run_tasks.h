// RunTasks: an executor is asked only where there is something to share; a single task stays on the caller.
#ifndef LANEQUANT_RUNTIME_RUN_TASKS_H_
#define LANEQUANT_RUNTIME_RUN_TASKS_H_

#include <algorithm>
#include <cstddef>

#include "lanequant/executor.h"
#include "runtime/partition.h"

namespace lq {

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

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_RUN_TASKS_H_
