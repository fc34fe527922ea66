// lq_encoding as Python's fields.
#ifndef LANEQUANT_RUNTIME_PYTHON_ENCODING_H_
#define LANEQUANT_RUNTIME_PYTHON_ENCODING_H_

#include <cstdint>
#include <tuple>

#include "lanequant/lanequant.h"

namespace lq::python {

// bitwidth, signed, scale, offset: lanequant.Encoding.
using PyEncoding = std::tuple<int32_t, bool, float, int32_t>;

inline PyEncoding Encoded(const lq_encoding& encoding) {
  return {encoding.bitwidth, encoding.is_signed != 0, encoding.scale, encoding.offset};
}

}  // namespace lq::python

#endif  // LANEQUANT_RUNTIME_PYTHON_ENCODING_H_
