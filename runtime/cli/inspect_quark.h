// `inspect` of a folder that Quark's torch stack exported: its Linear layers.
#ifndef LANEQUANT_RUNTIME_CLI_INSPECT_QUARK_H_
#define LANEQUANT_RUNTIME_CLI_INSPECT_QUARK_H_

#include <string>

#include "lanequant/status.h"

namespace lq::cli {

// Prints a table of the layers, or as JSON. Reads and prepares each, so that what it shows is what a program gets.
Result<int> InspectQuark(const std::string& folder, bool json);

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_INSPECT_QUARK_H_
