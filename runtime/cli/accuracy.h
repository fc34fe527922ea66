// The share of rows whose largest output is that of the label.
#ifndef LANEQUANT_RUNTIME_CLI_ACCURACY_H_
#define LANEQUANT_RUNTIME_CLI_ACCURACY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "lanequant/status.h"
#include "runtime/io/npz.h"

namespace lq::cli {

struct Accuracy {
  int64_t right = 0, rows = 0;
  std::string ToString() const;  // "356 of 360 right (98.89 %)"
};

// The first output (f32) has one row per label (any integer type). Errors: no output, other sizes or types.
Result<Accuracy> CountRight(const std::vector<NamedArray>& outputs, const NamedArray& labels);

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_ACCURACY_H_
