// The only file that includes oneTBB.
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/version.h>

#include <algorithm>
#include <mutex>
#include <optional>

#include "lanequant/executor.h"
#include "runtime/serial_executor.h"
#include "runtime/versions.h"

namespace lq {
namespace {

// oneTBB starts as many threads as there are CPUs, whatever arenas ask for. While executors live that together want
// more (each its threads but one, the caller), the limit is raised to that. It is one limit for the process, and the
// smallest of several counts: so there is one, replaced under a lock.
class ThreadLimit {
 public:
  void Add(size_t workers) { Change(workers, 0); }
  void Remove(size_t workers) { Change(0, workers); }

 private:
  using Control = oneapi::tbb::global_control;

  void Change(size_t added, size_t removed) {
    const std::lock_guard lock(mutex_);
    workers_ = workers_ + added - removed;
    control_.reset();
    if (workers_ + 1 > Control::active_value(Control::max_allowed_parallelism)) {
      control_.emplace(Control::max_allowed_parallelism, workers_ + 1);
    }
  }

  std::mutex mutex_;
  size_t workers_ = 0;
  std::optional<Control> control_;
};

// Never destroyed: an executor that is a global of the host may outlive globals of ours.
ThreadLimit& Limit() {
  static ThreadLimit& limit = *new ThreadLimit;
  return limit;
}

class TbbExecutor final : public Executor {
 public:
  explicit TbbExecutor(size_t threads) : threads_(threads), arena_(static_cast<int>(threads)) {
    Limit().Add(threads_ - 1);
  }
  ~TbbExecutor() override { Limit().Remove(threads_ - 1); }

  size_t workers() const override { return threads_; }

  void ForEach(size_t n, TaskRef task) override {
    namespace tbb = oneapi::tbb;
    const auto run = [task](const tbb::blocked_range<size_t>& range) {
      const auto worker = static_cast<size_t>(tbb::this_task_arena::current_thread_index());
      for (size_t i = range.begin(); i < range.end(); ++i) task(i, worker);
    };
    // Isolated: a thread that waits for a ForEach inside a task takes up none of the outer tasks, which would then run
    // under a worker value that is in use.
    arena_.execute([&] {
      tbb::this_task_arena::isolate(
          [&] { tbb::parallel_for(tbb::blocked_range<size_t>(0, n), run, tbb::simple_partitioner()); });
    });
  }

 private:
  const size_t threads_;
  oneapi::tbb::task_arena arena_;
};

}  // namespace

std::unique_ptr<Executor> MakeTbbExecutor(size_t threads) {
  constexpr size_t kMaxThreads = 1024;  // far beyond any use; keeps the cast to int right
  if (threads == 0) threads = DefaultThreads();
  if (threads == 1) return std::make_unique<Serial>();
  return std::make_unique<TbbExecutor>(std::min(threads, kMaxThreads));
}

std::string TbbVersion() { return TBB_runtime_version(); }

}  // namespace lq
