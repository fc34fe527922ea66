// QuarkModel: the layers of a folder that Quark exported.
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <tuple>

#include "runtime/python/call.h"
#include "runtime/python/encoding.h"
#include "runtime/python/module.h"

namespace nb = nanobind;

namespace lq::python {
namespace {

struct Free {
  void operator()(lq_quark_model* p) const { lq_quark_free(p); }
  void operator()(lq_quark_linear* p) const { lq_quark_linear_free(p); }
};

class QuarkModel {
 public:
  explicit QuarkModel(const std::string& folder) {
    lq_quark_model* model = nullptr;
    Call([&](lq_message* message) { return lq_quark_open(folder.c_str(), &model, message); });
    model_.reset(model);
  }

  size_t count() const { return lq_quark_layer_count(model_.get()); }

  // name, in_features, out_features, weight, input, output
  std::tuple<std::string, size_t, size_t, std::string, std::string, std::string> Layer(size_t index) const {
    lq_quark_layer_info info{};
    info.struct_size = sizeof(info);
    Call([&](lq_message* message) { return lq_quark_layer(model_.get(), index, &info, message); });
    return {info.name, info.in_features, info.out_features, info.weight, info.input, info.output};
  }

  std::shared_ptr<lq_quark_linear> Load(size_t index) const {
    lq_quark_linear* linear = nullptr;
    Call([&](lq_message* message) { return lq_quark_load(model_.get(), index, &linear, message); });
    return {linear, Free()};
  }

 private:
  std::unique_ptr<lq_quark_model, Free> model_;
};

// Numbers of a layer as an array that keeps the layer alive.
class Arrays {
 public:
  explicit Arrays(std::shared_ptr<lq_quark_linear> linear)
      : owner_(new std::shared_ptr<lq_quark_linear>(std::move(linear)),
               [](void* p) noexcept { delete static_cast<std::shared_ptr<lq_quark_linear>*>(p); }) {}

  template <class T>
  nb::object Make(const T* values, std::initializer_list<size_t> shape) const {
    if (values == nullptr) return nb::none();
    return nb::cast(nb::ndarray<nb::numpy, const T>(values, shape, owner_));
  }

 private:
  nb::capsule owner_;
};

nb::object ActivationOf(const lq_encoding& encoding) {
  return encoding.bitwidth > 0 ? nb::cast(Encoded(encoding)) : nb::none();
}

// weight, bias, scale, offset, bitwidth, signed, input, output
nb::tuple Load(const QuarkModel& model, size_t index) {
  std::shared_ptr<lq_quark_linear> linear = model.Load(index);
  lq_quark_view view{};
  view.struct_size = sizeof(view);
  Call([&](lq_message* message) { return lq_quark_linear_look(linear.get(), &view, message); });
  const Arrays arrays(std::move(linear));
  const size_t n = view.out_features, k = view.in_features;
  const auto scales = [&](const auto* values) {
    if (view.scale_count == 1) return arrays.Make(values, {});
    return arrays.Make(values, {n, view.scale_count / n});
  };
  return nb::make_tuple(arrays.Make(view.weight, {n, k}), arrays.Make(view.bias, {n}), scales(view.scale),
                        scales(view.offset), view.bitwidth, view.is_signed != 0, ActivationOf(view.input),
                        ActivationOf(view.output));
}

}  // namespace

void BindQuark(nb::module_& module) {
  nb::class_<QuarkModel>(module, "QuarkModel")
      .def(nb::init<const std::string&>())
      .def("count", &QuarkModel::count)
      .def("layer", &QuarkModel::Layer)
      .def("load", &Load);
}

}  // namespace lq::python
