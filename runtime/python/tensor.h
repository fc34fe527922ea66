// Tensor: a Python array (NumPy, or anything with DLPack) as the C API takes it, without a copy.
#ifndef LANEQUANT_RUNTIME_PYTHON_TENSOR_H_
#define LANEQUANT_RUNTIME_PYTHON_TENSOR_H_

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lanequant/lanequant.h"

namespace lq::python {

struct TensorRequest {
  std::string name;               // for messages
  std::optional<lq_dtype> dtype;  // of the contents, where the array's own type only carries their bytes
  std::optional<std::vector<int64_t>> shape;
  bool writable = false;
};

class Tensor {
 public:
  // ValueError: no array in this machine's memory, a type without a counterpart, not contiguous, read-only.
  Tensor(nanobind::handle array, const TensorRequest& request);

  const lq_tensor& c() const { return tensor_; }

 private:
  nanobind::ndarray<nanobind::ro> array_;  // keeps the memory alive
  lq_tensor tensor_{};
};

}  // namespace lq::python

#endif  // LANEQUANT_RUNTIME_PYTHON_TENSOR_H_
