// Arrays that commands read: FILE.npz or FILE.npz:key on the command line, network inputs by name.
#ifndef LANEQUANT_RUNTIME_CLI_ARRAYS_H_
#define LANEQUANT_RUNTIME_CLI_ARRAYS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lanequant/status.h"
#include "runtime/graph.h"
#include "runtime/io/npz.h"

namespace lq::cli {

// The array that "FILE.npz:key" names, or the only one of "FILE.npz".
Result<NamedArray> ReadArray(const std::string& where);

// One f32 array per network input, in the network's order. A network with one input takes FILE.npz:key, the array of
// its name, or the only array. float16 and float64 become float32, as NumPy's astype does it, and integers that are
// float32 numbers.
Result<std::vector<NamedArray>> ReadInputs(const std::string& where, const Graph& graph);

// The same from arrays that are in memory.
Result<std::vector<NamedArray>> ArrangeInputs(const std::string& where, std::vector<NamedArray> arrays,
                                              const Graph& graph);

// The number of rows that all inputs have. Errors: inputs that differ, scalars.
Result<int64_t> CountRows(const std::vector<NamedArray>& inputs);

// Puts the rows of a slice behind those that an f32 array has.
void AppendRows(std::span<const float> values, const Shape& shape, NamedArray& array);

std::vector<ConstTensorView> ViewsOf(const std::vector<NamedArray>& arrays);

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_ARRAYS_H_
