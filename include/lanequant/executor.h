// Executor: the one door through which threads enter lanequant. Results never depend on the number of workers.
#ifndef LANEQUANT_EXECUTOR_H_
#define LANEQUANT_EXECUTOR_H_

#include <cstddef>
#include <memory>
#include <type_traits>

#include "lanequant/export.h"

namespace lq {

// A reference to a callable void(size_t task, size_t worker). Owns nothing: lives no longer than the call it is passed
// to.
class TaskRef {
 public:
  template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, TaskRef>>>
  TaskRef(F&& f)  // NOLINT(google-explicit-constructor)
      : object_(const_cast<void*>(static_cast<const void*>(&f))), call_([](void* object, size_t task, size_t worker) {
          (*static_cast<std::remove_reference_t<F>*>(object))(task, worker);
        }) {}

  void operator()(size_t task, size_t worker) const { call_(object_, task, worker); }

 private:
  void* object_;
  void (*call_)(void*, size_t, size_t);
};

// A host with its own thread pool derives from this in ten lines. ForEach may be called from several threads at once
// only if the implementation says so; both implementations below do.
class LQ_EXPORT Executor {
 public:
  virtual ~Executor() = default;
  // The number of distinct `worker` values that ForEach passes: 0 <= worker < workers().
  virtual size_t workers() const = 0;
  // Calls task(i, worker) once for every i < n, in any order, and returns when all have returned. Two calls that run at
  // the same time have different `worker` values. Must not throw.
  virtual void ForEach(size_t n, TaskRef task) = 0;
};

// Runs everything on the caller, in order.
LQ_EXPORT Executor& SerialExecutor();

// A oneTBB arena of `threads` threads; 0 means DefaultThreads(). Above the core count it really runs that many.
// Returns a serial executor where the library was built without oneTBB.
LQ_EXPORT std::unique_ptr<Executor> MakeTbbExecutor(size_t threads = 0);

// The smaller of the CPU affinity mask and the cgroup's CPU quota (rounded up), at least 1.
LQ_EXPORT size_t DefaultThreads();

}  // namespace lq

#endif  // LANEQUANT_EXECUTOR_H_
