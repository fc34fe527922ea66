// What the tensors of any bulk quantizer must be. Every error names the argument and both numbers.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_BULK_CHECKS_H_
#define LANEQUANT_RUNTIME_QUANTIZE_BULK_CHECKS_H_

#include <cstddef>
#include <cstdint>

#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq {

// A tensor under its name as a public argument.
struct NamedView {
  const char* name;
  ConstTensorView view;
};

// Error: a type other than f32, f16 and bf16.
Status CheckFloats(const char* name, DType dtype);

// Errors: a shape that overflows, bytes that do not hold it.
Status CheckBytes(const char* name, const ConstTensorView& view);

// That tensors of checked bytes do not overlap; `in_place`: unless they begin together and have one type.
Status CheckApart(const NamedView& in, const NamedView& out, bool in_place = false);

// The dimension that `axis` names, from the last if it is negative.
Result<size_t> CheckAxis(int64_t axis, const NamedView& tensor);

// CheckBytes of both, which must have one shape and not overlap; `in_place`: unless they begin together.
Status CheckPair(const NamedView& in, const NamedView& out, bool in_place);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_BULK_CHECKS_H_
