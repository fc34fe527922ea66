#include "runtime/quantize/min_max.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/contracts_min_max.h"
#include "runtime/quantize/affine_setup.h"
#include "runtime/run_tasks.h"
#include "runtime/variants.h"

namespace lq {
namespace {

struct Job {
  const std::byte* in;
  kernels::FloatType type;
  size_t element_bytes;
  const ScaleMap& map;
  kernels::MinMaxFn run;
};

// The elements of `range`; ranges.min[i] belongs to group first + i.
void Reduce(const Job& job, Range range, size_t first, GroupRanges& ranges) {
  for (size_t i = range.begin; i < range.end;) {
    const ScalePiece piece = job.map.At(i, range.end);
    const size_t group = piece.first - first;
    job.run({job.in + i * job.element_bytes, job.type, piece.n, piece.run, piece.count, ranges.min.data() + group,
             ranges.max.data() + group});
    i += piece.n;
  }
}

}  // namespace

GroupRanges::GroupRanges(size_t groups)
    : min(groups, std::numeric_limits<float>::infinity()), max(groups, -std::numeric_limits<float>::infinity()) {}

void GroupRanges::Include(const GroupRanges& other, size_t first) {
  for (size_t i = 0; i < other.min.size(); ++i) {
    float &low = min[first + i], &high = max[first + i];
    if (std::isnan(other.min[i])) low = high = other.min[i];
    if (std::isnan(low)) continue;
    low = std::min(low, other.min[i]);
    high = std::max(high, other.max[i]);
  }
}

GroupRanges MinMaxOf(const ConstTensorView& tensor, const ScaleMap& map, const BulkOptions& bulk) {
  const Job job{tensor.bytes.data(), FloatTypeOf(tensor.dtype), SizeOf(tensor.dtype), map,
                Best(kernels::MinMaxVariants(), bulk.max_isa).run};
  GroupRanges ranges(map.scales());
  Executor& executor = bulk.executor != nullptr ? *bulk.executor : SerialExecutor();
  const size_t n = map.elements();
  const size_t tasks =
      executor.workers() == 1 ? 1 : std::clamp<size_t>(n / kElementsPerTask, 1, 2 * executor.workers());
  if (tasks == 1) {
    Reduce(job, {0, n}, 0, ranges);
    return ranges;
  }
  // Each task has results of its own: of the groups that its range touches where these lie in order, else of all.
  std::vector<GroupRanges> parts(tasks, GroupRanges(0));
  const auto range_of = [&](size_t task) {
    return Range{n / tasks * task, task + 1 == tasks ? n : n / tasks * (task + 1)};
  };
  const auto first_of = [&](size_t task) { return map.in_order() ? range_of(task).begin / map.run() : 0; };
  RunTasks(executor, tasks, [&](size_t task, size_t) {
    const Range range = range_of(task);
    const size_t first = first_of(task);
    parts[task] = GroupRanges(map.in_order() ? (range.end - 1) / map.run() + 1 - first : map.scales());
    Reduce(job, range, first, parts[task]);
  });
  for (size_t task = 0; task < tasks; ++task) ranges.Include(parts[task], first_of(task));
  return ranges;
}

}  // namespace lq
