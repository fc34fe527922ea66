// How bulk quantizers cut a tensor into tasks, and when their output goes around the caches.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_BULK_TASKS_H_
#define LANEQUANT_RUNTIME_QUANTIZE_BULK_TASKS_H_

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "lanequant/executor.h"
#include "lanequant/quantize.h"
#include "lanequant/tensor.h"
#include "runtime/partition.h"
#include "runtime/quantize/scale_map.h"
#include "runtime/run_tasks.h"

namespace lq {

// 256 KiB of float32: enough to be worth a worker, few enough to share evenly.
constexpr size_t kTaskElements = 1 << 16;

// A multiple of 64 elements, so that tasks write whole bytes of packed codes and whole cache lines of any type; and of
// `run` too if that does not make tasks four times as large, so that their pieces do not begin inside a run.
inline size_t TaskElements(size_t run) {
  const size_t unit = run / std::gcd(run, size_t{64}) * 64;
  return unit > 3 * kTaskElements ? kTaskElements : (kTaskElements + unit - 1) / unit * unit;
}

// No piece of a task has more scales than this.
inline size_t MaxScalesOfTask(const ScaleMap& map) { return TaskElements(map.run()) / map.run() + 2; }

inline Executor& ExecutorOf(const BulkOptions& options) {
  return options.executor != nullptr ? *options.executor : SerialExecutor();
}

// Calls run(range) for ranges that make up all elements, on the executor's workers or, if there is none, here.
template <class F>
void ForEachTask(const ScaleMap& map, const BulkOptions& options, const F& run) {
  const size_t elements = map.elements(), step = TaskElements(map.run());
  const auto task = [&](size_t i, size_t) { run(Range{i * step, std::min(elements, (i + 1) * step)}); };
  RunTasks(ExecutorOf(options), (elements + step - 1) / step, task);
}

// Calls run(piece, direct) for the pieces of a range of codes of `bits` bits. `direct`: the piece begins and ends with
// a byte of its own. Others share a byte with their neighbours and are short.
template <class F>
void ForEachCodePiece(const ScaleMap& map, Range range, size_t bits, const F& run) {
  constexpr size_t kShort = 512;
  const size_t per_byte = bits < 8 ? 8 / bits : 1;
  for (size_t i = range.begin; i < range.end;) {
    ScalePiece piece = map.At(i, range.end);
    const size_t past = i % per_byte, over = piece.n % per_byte;
    bool direct = past == 0 && (over == 0 || i + piece.n == map.elements());
    if (!direct) {
      direct = past == 0 && piece.n > over;
      const size_t n = direct ? piece.n - over : std::min(piece.n, piece.count == 1 ? per_byte - past : kShort);
      piece = map.At(i, i + n);
    }
    run(piece, direct);
    i += piece.n;
  }
}

// Whether a kernel should write `out` with non-temporal stores: not in place, and more than caches keep.
bool IsWorthStreaming(const ConstTensorView& in, const ConstTensorView& out);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_BULK_TASKS_H_
