// The equation of an Einsum: one label for each dimension of each operand and of the result.
#ifndef LANEQUANT_RUNTIME_PASSES_EINSUM_EQUATION_H_
#define LANEQUANT_RUNTIME_PASSES_EINSUM_EQUATION_H_

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lanequant/status.h"
#include "runtime/passes/dims.h"

namespace lq {

// Labels are letters; dimensions that an ellipsis stands for have digits, '0' the last of them, so that those of
// operands with more and with fewer dimensions meet as they broadcast.
struct EinsumEquation {
  std::vector<std::string> operands;
  std::string output;
};

// `ranks` of the operands; one that is not known is an error only where an ellipsis needs it. Without "->" the result
// has what the ellipsis stands for, then the labels that occur once, in the order of the alphabet (ONNX). Errors name
// `owner`: another count of operands or dimensions, a label twice in an operand (a diagonal), a result of other labels.
Result<EinsumEquation> ParseEinsum(const std::string& owner, const std::string& text,
                                   std::span<const std::optional<size_t>> ranks);

// The result's dimensions: of the longest operand where a label's broadcast. `operands` fit the equation.
Dims EinsumDims(const EinsumEquation& equation, std::span<const Dims> operands);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_EINSUM_EQUATION_H_
