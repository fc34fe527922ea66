// Runs rows of a session with memory for its outputs.
#ifndef LANEQUANT_RUNTIME_COMPARE_SESSION_ROWS_H_
#define LANEQUANT_RUNTIME_COMPARE_SESSION_ROWS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "lanequant/executor.h"
#include "lanequant/model.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"
#include "runtime/compare/rows.h"
#include "runtime/observer.h"

namespace lq {

struct SessionRows {
  const Session& session;
  std::span<const ConstTensorView> inputs;  // all rows
  Rows rows;
  Executor& executor;
};

using RowOutputs = std::vector<std::vector<float>>;  // in the order of session.outputs()

// The shape of output `index` for a batch.
Shape OutputShapeFor(const Session& session, size_t index, int64_t batch);

// For these rows of the inputs.
Result<Workspace> WorkspaceFor(const SessionRows& run);

// Runs with a workspace for these rows. With an observer step by step.
Result<RowOutputs> RunRows(const SessionRows& run, Workspace& workspace, const Observer& observer);

// How many elements differ, bit by bit; both have the same size.
uint64_t DifferentBits(std::span<const float> a, std::span<const float> b);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_COMPARE_SESSION_ROWS_H_
