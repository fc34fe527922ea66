#include "runtime/python/tensor.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/python/call.h"

namespace nb = nanobind;

namespace lq::python {
namespace {

using Code = nb::dlpack::dtype_code;

std::optional<lq_dtype> DTypeOf(nb::dlpack::dtype type) {
  static constexpr struct {
    Code code;
    uint8_t bits;
    lq_dtype dtype;
  } kTypes[] = {{Code::Float, 32, LQ_F32},   {Code::Float, 64, LQ_F64}, {Code::Float, 16, LQ_F16},
                {Code::Bfloat, 16, LQ_BF16}, {Code::UInt, 8, LQ_U8},    {Code::Int, 8, LQ_S8},
                {Code::UInt, 16, LQ_U16},    {Code::Int, 16, LQ_S16},   {Code::Int, 32, LQ_S32},
                {Code::Int, 64, LQ_S64}};
  for (const auto& known : kTypes) {
    if (type.lanes == 1 && type.code == static_cast<uint8_t>(known.code) && type.bits == known.bits) return known.dtype;
  }
  return std::nullopt;
}

// As Python prints a type: "array of uint32" says more than DLPack's numbers.
std::string TypeName(nb::handle array) {
  const nb::object dtype = nb::getattr(array, "dtype", nb::none());
  return nb::str(dtype.is_none() ? array.type() : nb::handle(dtype)).c_str();
}

nb::ndarray<nb::ro> Import(nb::handle array, const TensorRequest& request) {
  nb::ndarray<nb::ro> imported;
  if (!request.writable) {
    if (nb::try_cast(nb::borrow(array), imported, false)) return imported;
  } else if (nb::ndarray<> writable; nb::try_cast(nb::borrow(array), writable, false)) {
    return nb::ndarray<nb::ro>(writable);
  }
  throw Error(fmt::format("{}: a {} array is needed (NumPy, or with DLPack), not {}", request.name,
                          request.writable ? "writable" : "readable", TypeName(array)));
}

// A dimension of 1 may have any stride, and so may all of an array without elements.
bool IsContiguous(const nb::ndarray<nb::ro>& array) {
  int64_t stride = 1;
  for (size_t i = array.ndim(); i-- > 0;) {
    if (array.shape(i) != 1 && array.stride(i) != stride) return array.size() == 0;
    stride *= static_cast<int64_t>(array.shape(i));
  }
  return true;
}

}  // namespace

Tensor::Tensor(nb::handle array, const TensorRequest& request) : array_(Import(array, request)) {
  if (array_.device_type() != nb::device::cpu::value) {
    throw Error(fmt::format("{}: the array is not in the CPU's memory", request.name));
  }
  const std::optional<lq_dtype> dtype = request.dtype ? request.dtype : DTypeOf(array_.dtype());
  if (!dtype) throw Error(fmt::format("{}: arrays of type {} cannot be used", request.name, TypeName(array)));
  if (!IsContiguous(array_)) {
    throw Error(fmt::format("{}: the array is not contiguous (row-major)", request.name));
  }
  std::vector<int64_t> shape(array_.shape_ptr(), array_.shape_ptr() + array_.ndim());
  if (request.shape) shape = *request.shape;
  if (shape.size() > LQ_MAX_RANK) {
    throw Error(fmt::format("{}: {} dimensions, but {} are the most", request.name, shape.size(), LQ_MAX_RANK));
  }
  tensor_.data = const_cast<void*>(static_cast<const void*>(array_.data()));
  tensor_.bytes = array_.nbytes();
  tensor_.dtype = *dtype;
  tensor_.rank = static_cast<int32_t>(shape.size());
  std::copy(shape.begin(), shape.end(), tensor_.dims);
}

}  // namespace lq::python
