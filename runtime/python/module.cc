// The native half of the Python package: the C API as it stands. Everything that users see, and its documentation, is
// in lanequant/*.py.
#include "runtime/python/module.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "lanequant/lanequant.h"
#include "runtime/python/tensor.h"

namespace nb = nanobind;

NB_MODULE(_lanequant, module) {
  using namespace nb::literals;
  using lq::python::Tensor;
  module.attr("version") = lq_version();
  nb::class_<Tensor>(module, "Tensor")
      .def(
          "__init__",
          [](Tensor* self, nb::object array, std::string name, std::optional<lq_dtype> dtype,
             std::optional<std::vector<int64_t>> shape, bool writable) {
            new (self) Tensor(array, {std::move(name), dtype, std::move(shape), writable});
          },
          "array"_a, "name"_a, "dtype"_a = nb::none(), "shape"_a = nb::none(), "writable"_a = false);
  lq::python::BindQuantizers(module);
  lq::python::BindLpbq(module);
  lq::python::BindCalibration(module);
  lq::python::BindModel(module);
  lq::python::BindQuark(module);
}
