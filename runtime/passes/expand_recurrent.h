// Part of ExpandOperators.
#ifndef LANEQUANT_RUNTIME_PASSES_EXPAND_RECURRENT_H_
#define LANEQUANT_RUNTIME_PASSES_EXPAND_RECURRENT_H_

#include "lanequant/status.h"
#include "runtime/graph.h"

namespace lq {

// Appends an LSTM or GRU, of which outputs that nothing reads are kAbsent: as a node that makes the states of all
// steps (with_cells: and the cells behind them), and slices of those.
Status ExpandRecurrent(Graph& graph, Node node);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_EXPAND_RECURRENT_H_
