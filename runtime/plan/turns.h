// Turns: a batch of images through several steps, a few images at a time. The activations of a few images stay in a
// core's own cache from one step to the next, where those of the whole batch go to memory and come back; and workers
// that take turns wait for one another only at the end. Weights are read once in each turn, so that steps with more
// weights than activations stay outside.
#ifndef LANEQUANT_RUNTIME_PLAN_TURNS_H_
#define LANEQUANT_RUNTIME_PLAN_TURNS_H_

#include <cstddef>
#include <span>
#include <vector>

#include "lanequant/tensor.h"
#include "runtime/plan/planner.h"

namespace lq {

// Steps [begin, end), all of them for one part of the first dimension after the other. In a turn they write what only
// they read to `bytes` bytes that each worker has for itself.
struct Turns {
  size_t begin, end;
  size_t images, count;  // the first dimension, and into how many parts it is cut
  size_t bytes = 0;      // of the tensors in between, then of the steps' scratch
  size_t tensor_bytes = 0;

  size_t First(size_t turn) const { return images * turn / count; }
};

// Those of a plan that are worth it, in order. `shapes`: of the plan's tensors.
std::vector<Turns> FindTurns(const Plan& plan, std::span<const Shape> shapes, size_t workers);

// For each tensor of the plan where it lies in the bytes of a worker's turn; kNoTurn for those that the caller, or a
// step outside of the turns, reads or writes.
inline constexpr size_t kNoTurn = static_cast<size_t>(-1);
std::vector<size_t> PlanTurns(const Plan& plan, std::span<const Shape> shapes, std::span<Turns> all);

// A shape with another first dimension.
inline Shape WithImages(Shape shape, size_t images) {
  shape[0] = static_cast<int64_t>(images);
  return shape;
}

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_TURNS_H_
