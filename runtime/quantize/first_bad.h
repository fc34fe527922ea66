// FirstBad: checks of many numbers, scales or offsets, of which a tensor of small blocks has millions.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_FIRST_BAD_H_
#define LANEQUANT_RUNTIME_QUANTIZE_FIRST_BAD_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "lanequant/executor.h"
#include "runtime/run_tasks.h"

namespace lq {

// What one worker takes of a table at least: some 10 us, as long as it takes to wake one that sleeps.
constexpr size_t kTableGrain = 1 << 16;

// The first index of the range for which bad(i) holds, its end if there is none. Looking at one after the other would
// show: 2 ms in the 15 that 64 Mi elements take. Loops over groups, without a branch, become vector code.
template <class Bad>
size_t FirstBadOf(Range range, const Bad& bad) {
  constexpr size_t kGroup = 64;
  size_t i = range.begin;
  for (; i + kGroup <= range.end; i += kGroup) {
    uint32_t any = 0;
    for (size_t j = 0; j < kGroup; ++j) any |= bad(i + j) ? 1u : 0u;
    if (any != 0) break;
  }
  while (i < range.end && !bad(i)) ++i;
  return i;
}

// The same of 0..n, on all workers.
template <class Bad>
size_t FirstBad(Executor& executor, size_t n, const Bad& bad) {
  std::atomic<size_t> first = n;
  RunRanges(executor, n, kTableGrain, [&](Range range) {
    const size_t i = FirstBadOf(range, bad);
    if (i == range.end) return;
    size_t found = first.load(std::memory_order_relaxed);
    while (i < found && !first.compare_exchange_weak(found, i, std::memory_order_relaxed)) {
    }
  });
  return first.load(std::memory_order_relaxed);
}

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_FIRST_BAD_H_
