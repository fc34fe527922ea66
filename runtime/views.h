// Checks that public functions make of the views they are given, and the passes between signed codes and the unsigned
// ones that kernels work on.
#ifndef LANEQUANT_RUNTIME_VIEWS_H_
#define LANEQUANT_RUNTIME_VIEWS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "kernels/contracts.h"
#include "lanequant/encoding.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq {

// Nothing here allocates unless there is an error to tell. `what`: "input", "output".
// Errors: another shape than `shape`, bytes that do not hold it.
Status CheckView(const std::string& name, const char* what, const ConstTensorView& view, const Shape& shape);

// The type of codes on this grid: u8 or s8 up to 8 bits, u16 or s16 up to 16.
inline DType CodeDType(const Grid& grid) {
  if (grid.bitwidth <= 8) return grid.is_signed ? DType::kS8 : DType::kU8;
  return grid.is_signed ? DType::kS16 : DType::kU16;
}
// Of codes on the unsigned grid that kernels store.
inline kernels::CodeType CodeTypeOf(const PerTensor& encoding) {
  return encoding.grid.bitwidth <= 8 ? kernels::CodeType::kU8 : kernels::CodeType::kU16;
}
inline size_t CodeBytes(const Grid& grid) { return grid.bitwidth <= 8 ? 1 : 2; }

// Errors: codes of another type than the grid's.
Status CheckCodes(const std::string& name, const char* what, DType dtype, const Grid& grid);

struct WorkspaceNeed {
  size_t rows, workers, bytes;
};
// Errors: fewer bytes than needed.
Status CheckWorkspace(const std::string& name, size_t bytes, const WorkspaceNeed& need);

// What a layer writes for an output of this type, or an error that names what it could be. Without an encoding it is
// real, or s32 where `sums_fit_s32`.
Result<kernels::OutputType> OutputTypeFor(const std::string& name, DType dtype,
                                          const std::optional<PerTensor>& encoding, bool sums_fit_s32 = false);

// code + delta for each code of this grid's type, modulo 2^8 or 2^16: delta = -qmin turns signed codes into unsigned
// ones, qmin turns them back. in == out is allowed.
void ShiftCodes(const Grid& grid, int64_t delta, const void* in, size_t n, void* out);

// The outputs of kernels, in place: codes of a signed grid become signed again.
void FinishCodes(const std::optional<PerTensor>& output, void* codes, size_t n);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_VIEWS_H_
