// Elements of arrays whose type only the file knows.
#ifndef LANEQUANT_RUNTIME_IO_ARRAY_ELEMENT_H_
#define LANEQUANT_RUNTIME_IO_ARRAY_ELEMENT_H_

#include <cstddef>
#include <cstdint>

#include "lanequant/tensor.h"
#include "runtime/io/npz.h"

namespace lq {

// Every type that npz files have is one or the other.
inline bool IsFloat(DType dtype) { return dtype == DType::kF16 || dtype == DType::kF32 || dtype == DType::kF64; }

// Element i of an array of integers.
int64_t IntegerAt(const NamedArray& array, size_t i);

// Element i of any array. Integers beyond 2^53 are rounded.
double NumberAt(const NamedArray& array, size_t i);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_ARRAY_ELEMENT_H_
