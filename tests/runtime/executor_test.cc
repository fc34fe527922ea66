#include "lanequant/executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace lq {
namespace {

// Runs `n` tasks and checks that each ran once, under worker values that are in range and never in use twice at a time.
void CheckForEach(Executor& executor, size_t n) {
  std::vector<std::atomic<int>> runs(n), busy(executor.workers());
  executor.ForEach(n, [&](size_t task, size_t worker) {
    ASSERT_LT(task, n);
    ASSERT_LT(worker, executor.workers());
    EXPECT_EQ(busy[worker].fetch_add(1), 0);
    runs[task].fetch_add(1);
    std::this_thread::yield();
    busy[worker].fetch_sub(1);
  });
  for (size_t i = 0; i < n; ++i) EXPECT_EQ(runs[i].load(), 1) << "task " << i << " of " << n;
}

// Every task waits until `threads` of them run at once, ten seconds at most: that many threads are seen only where
// there are as many.
size_t ThreadsSeen(Executor& executor, size_t threads) {
  std::mutex mutex;
  std::condition_variable arrived;
  std::set<std::thread::id> seen;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  executor.ForEach(threads, [&](size_t, size_t) {
    std::unique_lock lock(mutex);
    seen.insert(std::this_thread::get_id());
    arrived.notify_all();
    arrived.wait_until(lock, until, [&] { return seen.size() >= threads; });
  });
  return seen.size();
}

TEST(Executor, SerialRunsOnTheCallerInOrder) {
  EXPECT_EQ(SerialExecutor().workers(), 1u);
  std::vector<size_t> order;
  const std::thread::id caller = std::this_thread::get_id();
  SerialExecutor().ForEach(5, [&](size_t task, size_t worker) {
    EXPECT_EQ(worker, 0u);
    EXPECT_EQ(std::this_thread::get_id(), caller);
    order.push_back(task);
  });
  EXPECT_EQ(order, (std::vector<size_t>{0, 1, 2, 3, 4}));
}

TEST(Executor, RunsEachTaskOnceWithAWorkerOfItsOwn) {
  for (size_t threads : {1u, 2u, 3u, 7u}) {
    const std::unique_ptr<Executor> executor = MakeTbbExecutor(threads);
    EXPECT_EQ(executor->workers(), threads);
    for (size_t n : {0u, 1u, 2u, 7u, 64u, 1000u}) CheckForEach(*executor, n);
  }
}

TEST(Executor, RunsMoreThreadsThanThereAreCores) {
  const size_t threads = DefaultThreads() + 7;
  const std::unique_ptr<Executor> executor = MakeTbbExecutor(threads);
  for (int round = 0; round < 3; ++round) EXPECT_EQ(ThreadsSeen(*executor, threads), threads);
}

// The limit of the process follows the executors that live, in whatever order they come and go.
TEST(Executor, ASmallerExecutorDoesNotTakeThreadsFromALargerOne) {
  const size_t threads = DefaultThreads() + 3;
  std::unique_ptr<Executor> small = MakeTbbExecutor(threads);
  const std::unique_ptr<Executor> large = MakeTbbExecutor(2 * threads);
  EXPECT_EQ(ThreadsSeen(*large, 2 * threads), 2 * threads);
  small.reset();
  EXPECT_EQ(ThreadsSeen(*large, 2 * threads), 2 * threads);
  small = MakeTbbExecutor(2);
  EXPECT_EQ(ThreadsSeen(*large, 2 * threads), 2 * threads);
  EXPECT_EQ(ThreadsSeen(*small, 2), 2u);
}

TEST(Executor, MayBeCalledFromSeveralThreadsAtOnce) {
  const std::unique_ptr<Executor> executor = MakeTbbExecutor(3);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (size_t n = 1; n < 200; ++n) CheckForEach(*executor, n);
    });
  }
  for (std::thread& caller : callers) caller.join();
}

// Tasks that run tasks of their own: while one waits for those, its thread must not start another outer task under the
// same worker. That takes a thread without work, an outer task left elsewhere and inner ones that were taken away:
// hence tasks of different lengths, many times over.
TEST(Executor, KeepsOuterTasksApartWhereATaskCallsForEach) {
  const std::unique_ptr<Executor> executor = MakeTbbExecutor(4);
  const auto work = [](size_t task, size_t) {
    std::this_thread::sleep_for(std::chrono::microseconds(100 + 300 * (task % 3)));
  };
  for (int round = 0; round < 60; ++round) {
    std::vector<std::atomic<int>> busy(executor->workers());
    std::atomic<size_t> inner{0};
    executor->ForEach(16, [&](size_t task, size_t worker) {
      EXPECT_EQ(busy[worker].fetch_add(1), 0);
      if (task % 2 == 0) {
        executor->ForEach(5, [&](size_t i, size_t) { work(i, inner.fetch_add(1)); });
      } else {
        work(task, worker);
      }
      busy[worker].fetch_sub(1);
    });
    EXPECT_EQ(inner.load(), 8u * 5u);
  }
}

TEST(Executor, ZeroThreadsMeansTheDefault) { EXPECT_EQ(MakeTbbExecutor(0)->workers(), DefaultThreads()); }

}  // namespace
}  // namespace lq
