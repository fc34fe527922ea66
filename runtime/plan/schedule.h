// Schedule: which steps of a plan run at the same time. Layers large enough to be split share all workers, one after
// the other; branches of layers too small for that are forked: each worker runs its own branches from end to end.
#ifndef LANEQUANT_RUNTIME_PLAN_SCHEDULE_H_
#define LANEQUANT_RUNTIME_PLAN_SCHEDULE_H_

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "lanequant/tensor.h"
#include "runtime/plan/planner.h"
#include "runtime/plan/turns.h"

namespace lq {

// Consecutive steps [begin, end) of the plan. One step, on all workers; or a fork; or turns, each on one worker.
struct Stage {
  size_t begin, end;
  std::vector<std::vector<size_t>> lanes = {};  // of a fork: steps in their order; none needs a step of another lane
  size_t lane_scratch = 0;                      // bytes for each lane
  std::optional<Turns> turns = {};
};

// The stages, in order, for an executor of `workers` workers. `shapes`: of the plan's tensors; `turns`: what
// FindTurns found.
std::vector<Stage> MakeSchedule(const Plan& plan, std::span<const Shape> shapes, std::span<const Turns> turns,
                                size_t workers);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_SCHEDULE_H_
