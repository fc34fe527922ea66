// Partition: how a weighted layer's output is cut into tasks, over rows (m) and channels (n), never over k.
#ifndef LANEQUANT_RUNTIME_PARTITION_H_
#define LANEQUANT_RUNTIME_PARTITION_H_

#include <algorithm>
#include <cstddef>

#include "kernels/packing.h"
#include "runtime/aligned_buffer.h"

namespace lq {

struct Range {
  size_t begin, end;
};

struct Partition {
  size_t m, n;            // the whole
  size_t m_step, n_step;  // of a task; n_step is a multiple of 64
  size_t m_tasks, n_tasks;

  size_t tasks() const { return m_tasks * n_tasks; }
  Range Rows(size_t task) const {
    const size_t begin = task / n_tasks * m_step;
    return {begin, std::min(m, begin + m_step)};
  }
  Range Channels(size_t task) const {
    const size_t begin = task % n_tasks * n_step;
    return {begin, std::min(n, begin + n_step)};
  }
};

// Below this many multiplications a layer stays on the caller: about 10 us at 240 per ns, when waking a worker costs as
// much.
constexpr double kSerialWork = 2.4e6;
// So many rows take as long as one: their weights come from the caches at 60 to 90 bytes per ns.
constexpr size_t kCheapRows = 3;

constexpr size_t kTasksPerWorker = 2;  // evens out a core that something else uses
constexpr size_t kStrip = 6;           // rows of a register tile

// About equal ranges of rows, of all channels: cut for a multiple of `tasks`, so that each worker has as many. Fewer
// rows may be cut into larger ranges.
inline Partition PartitionRows(size_t m, size_t n, size_t tasks, size_t max_rows) {
  const size_t cuts = RoundUp(std::max<size_t>(1, (m + max_rows - 1) / max_rows), tasks);
  const size_t m_step = std::max<size_t>(1, (m + cuts - 1) / cuts);
  return {m, n, m_step, RoundUp(n, kernels::kPanelChannels), (m + m_step - 1) / m_step, 1};
}

// Channels first: each worker then streams its own weights. Rows are cut only where channels do not give every worker
// `kTasksPerWorker` tasks, or where a task may hold at most `max_rows` rows.
inline Partition MakePartition(size_t m, size_t n, size_t k, size_t workers, size_t max_rows) {
  const double work = static_cast<double>(std::max(m, kCheapRows)) * static_cast<double>(n) * static_cast<double>(k);
  const bool serial = workers == 1 || work < kSerialWork;
  const size_t want = serial ? 1 : workers * kTasksPerWorker;
  const size_t panels = (n + kernels::kPanelChannels - 1) / kernels::kPanelChannels;
  Partition p{m, n, m, n, 1, 1};
  p.n_step = (panels + want - 1) / want * kernels::kPanelChannels;
  p.n_tasks = std::max<size_t>(1, (n + p.n_step - 1) / p.n_step);
  const size_t m_cuts = (want + p.n_tasks - 1) / p.n_tasks;
  p.m_step = std::min(std::max<size_t>(max_rows, 1), RoundUp((m + m_cuts - 1) / m_cuts, kStrip));
  p.m_step = std::max<size_t>(p.m_step, 1);
  p.m_tasks = std::max<size_t>(1, (m + p.m_step - 1) / p.m_step);
  return p;
}

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PARTITION_H_
