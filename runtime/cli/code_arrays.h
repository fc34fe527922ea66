// Codes as npz files have them: NumPy has no types below 8 bits, so packed codes are bytes, with their shape beside
// them.
#ifndef LANEQUANT_RUNTIME_CLI_CODE_ARRAYS_H_
#define LANEQUANT_RUNTIME_CLI_CODE_ARRAYS_H_

#include <optional>
#include <string>
#include <vector>

#include "lanequant/quantize.h"
#include "lanequant/status.h"
#include "runtime/io/npz.h"

namespace lq::cli {

// "u8", "s4", "f16", ... Error: a type that codes or values cannot have.
Result<DType> ParseType(const char* option, const std::string& name);

// Room for an array of this type and shape.
NamedArray MakeArray(const char* name, DType dtype, const Shape& shape);

// Codes of 2 and 4 bits become bytes in one dimension, and an array "shape".
std::vector<NamedArray> ForFile(NamedArray codes);
// The way back: `array` are codes of type `dtype` and of `shape`. Without a type it stays as it is.
Result<NamedArray> FromFile(NamedArray array, std::optional<DType> dtype, const std::vector<int64_t>& shape);

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_CODE_ARRAYS_H_
