// MemoryPlan: one block of memory for all activations of a run; tensors that are never needed at the same time share
// bytes.
#ifndef LANEQUANT_RUNTIME_PLAN_MEMORY_PLAN_H_
#define LANEQUANT_RUNTIME_PLAN_MEMORY_PLAN_H_

#include <cstddef>
#include <span>
#include <vector>

namespace lq {

// A tensor that is needed from step `first` to step `last`, both included.
struct Lifetime {
  size_t bytes = 0, first = 0, last = 0;
};

struct MemoryPlan {
  std::vector<size_t> offsets;  // 64-byte aligned, one per lifetime
  size_t bytes = 0;
};

// Largest first, each at the lowest offset where no overlapping lifetime lies.
MemoryPlan PlanMemory(std::span<const Lifetime> lifetimes);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_MEMORY_PLAN_H_
