// Rows: a network runs over the leading dimension of its inputs in slices, as large as its batch allows.
#ifndef LANEQUANT_RUNTIME_COMPARE_ROWS_H_
#define LANEQUANT_RUNTIME_COMPARE_ROWS_H_

#include <cstdint>
#include <vector>

#include "lanequant/status.h"
#include "lanequant/tensor.h"
#include "runtime/graph.h"

namespace lq {

struct Rows {
  int64_t first = 0, count = 0;
};

// -1 for a dynamic batch. Errors: inputs whose batches differ, that are scalars or have no shape.
Result<int64_t> BatchOf(const Graph& graph);

// Slices of up to `limit` rows for a dynamic batch, of exactly the batch for a fixed one. Errors: a fixed batch that
// does not divide `rows`, no rows at all.
Result<std::vector<Rows>> SliceRows(const Graph& graph, int64_t rows, int64_t limit);

// These rows of an array.
ConstTensorView RowsOf(const ConstTensorView& array, Rows rows);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_COMPARE_ROWS_H_
