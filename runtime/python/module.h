// The parts of the module, one for each header of the C API.
#ifndef LANEQUANT_RUNTIME_PYTHON_MODULE_H_
#define LANEQUANT_RUNTIME_PYTHON_MODULE_H_

#include <nanobind/nanobind.h>

namespace lq::python {

void BindQuantizers(nanobind::module_& module);
void BindLpbq(nanobind::module_& module);
void BindCalibration(nanobind::module_& module);
void BindModel(nanobind::module_& module);
void BindQuark(nanobind::module_& module);

}  // namespace lq::python

#endif  // LANEQUANT_RUNTIME_PYTHON_MODULE_H_
