// Executors that a host might bring: real threads, and one thread that runs tasks in the wrong order.
#ifndef LANEQUANT_TESTS_SUPPORT_EXECUTORS_H_
#define LANEQUANT_TESTS_SUPPORT_EXECUTORS_H_

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include "lanequant/executor.h"

namespace lq::testing {

// New threads for every call.
class ThreadExecutor final : public Executor {
 public:
  explicit ThreadExecutor(size_t workers) : workers_(workers) {}
  size_t workers() const override { return workers_; }
  void ForEach(size_t n, TaskRef task) override {
    std::atomic<size_t> next{0};
    std::vector<std::thread> threads;
    for (size_t worker = 0; worker < workers_; ++worker) {
      threads.emplace_back([&, worker] {
        for (size_t i = next++; i < n; i = next++) task(i, worker);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

 private:
  size_t workers_;
};

// Claims several workers, runs the last task first, all on the caller.
class ReverseExecutor final : public Executor {
 public:
  explicit ReverseExecutor(size_t workers) : workers_(workers) {}
  size_t workers() const override { return workers_; }
  void ForEach(size_t n, TaskRef task) override {
    for (size_t i = n; i-- > 0;) task(i, i % workers_);
  }

 private:
  size_t workers_;
};

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_EXECUTORS_H_
