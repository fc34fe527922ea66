// How long each layer of a network takes.
#ifndef LANEQUANT_RUNTIME_CLI_LAYER_TIMES_H_
#define LANEQUANT_RUNTIME_CLI_LAYER_TIMES_H_

#include <string>
#include <vector>

#include "lanequant/model.h"
#include "lanequant/status.h"
#include "runtime/compare/session_rows.h"

namespace lq::cli {

// The median time of each of session.steps(), in seconds, of many runs of these rows.
Result<std::vector<double>> TimeLayers(const SessionRows& rows, Workspace& workspace);

// The steps with their times and shares of the sum, the slowest first; `lanes`: of SessionInspector.
std::string LayerTimesTable(const std::vector<StepInfo>& steps, const std::vector<std::string>& lanes,
                            const std::vector<double>& seconds);

// What stands below a table of steps that has lanes; empty if there are none.
std::string ExplainLanes(const std::vector<std::string>& lanes);

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_LAYER_TIMES_H_
