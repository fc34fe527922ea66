// Checks that public functions make of the views they are given, and the passes between signed codes and the unsigned
// ones that kernels work on.
#ifndef LANEQUANT_RUNTIME_VIEWS_H_
#define LANEQUANT_RUNTIME_VIEWS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/contracts.h"
#include "lanequant/encoding.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq {

// Nothing here allocates unless there is an error to tell. `what`: "input", "output".
// Errors: another shape than `shape`, bytes that do not hold it.
Status CheckView(const std::string& name, const char* what, const ConstTensorView& view, const Shape& shape);

// The type of codes on this grid (2..8 bits): u8 or s8.
inline DType CodeDType(const Grid& grid) { return grid.is_signed ? DType::kS8 : DType::kU8; }

// Errors: codes of another type than the grid's.
Status CheckCodes(const std::string& name, const char* what, DType dtype, const Grid& grid);

// What a layer writes for an output of this type, or an error that names what it could be.
Result<kernels::OutputType> OutputTypeFor(const std::string& name, DType dtype, const PerTensor* encoding);

// code + delta for each byte, modulo 256: delta = 2^(bitwidth-1) turns signed codes into unsigned ones, its negative
// turns them back. in == out is allowed.
void ShiftCodes(const uint8_t* in, size_t n, uint8_t delta, uint8_t* out);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_VIEWS_H_
