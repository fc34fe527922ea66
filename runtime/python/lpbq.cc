// LPBQ scales and the two passes over weights.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "runtime/python/call.h"
#include "runtime/python/module.h"
#include "runtime/python/tensor.h"

namespace nb = nanobind;

namespace lq::python {
namespace {

struct Layout {
  int32_t bitwidth = 4, decompressed_bitwidth = 8;
  std::vector<int64_t> scale_shape, block_size, block_grouping;

  lq_lpbq_layout c() const {
    return {sizeof(lq_lpbq_layout),
            bitwidth,
            decompressed_bitwidth,
            {scale_shape.data(), scale_shape.size()},
            {block_size.data(), block_size.size()},
            {block_grouping.data(), block_grouping.size()}};
  }
};

struct Free {
  void operator()(lq_lpbq_scales* p) const { lq_lpbq_free(p); }
};
struct Scales {
  std::unique_ptr<lq_lpbq_scales, Free> scales;
  lq_lpbq_view view() const { return lq_lpbq_look(scales.get()); }
};

// make(layout, scales, message)
template <class F>
Scales Make(const Layout& layout, const F& make) {
  const lq_lpbq_layout c = layout.c();
  lq_lpbq_scales* scales = nullptr;
  Call([&](lq_message* message) { return make(&c, &scales, message); });
  Scales made;
  made.scales.reset(scales);
  return made;
}

template <class T>
std::vector<T> Copy(const T* values, size_t count) {
  return std::vector<T>(values, values + count);
}

}  // namespace

void BindLpbq(nb::module_& module) {
  nb::class_<Layout>(module, "LpbqLayout")
      .def(nb::init<>())
      .def_rw("bitwidth", &Layout::bitwidth)
      .def_rw("decompressed_bitwidth", &Layout::decompressed_bitwidth)
      .def_rw("scale_shape", &Layout::scale_shape)
      .def_rw("block_size", &Layout::block_size)
      .def_rw("block_grouping", &Layout::block_grouping);
  nb::class_<Scales>(module, "LpbqScales")
      .def("int_scale", [](const Scales& s) { return Copy(s.view().int_scale, s.view().block_count); })
      .def("scale", [](const Scales& s) { return Copy(s.view().scale, s.view().block_count); })
      .def("channel_scale", [](const Scales& s) { return Copy(s.view().channel_scale, s.view().group_count); })
      .def("group_shape",
           [](const Scales& s) { return Copy(s.view().group_shape, static_cast<size_t>(s.view().rank)); });
  module.def("lpbq_derive_of_weight", [](const Tensor& weight, const Layout& layout, int32_t tool, size_t threads) {
    const lq_bulk_options options = BulkOptions(threads);
    return Make(layout, [&](const lq_lpbq_layout* c, lq_lpbq_scales** scales, lq_message* message) {
      return lq_lpbq_derive_of_weight(&weight.c(), c, tool, &options, scales, message);
    });
  });
  module.def("lpbq_make", [](const Layout& layout, const Tensor& int_scale, const Tensor& channel_scale) {
    return Make(layout, [&](const lq_lpbq_layout* c, lq_lpbq_scales** scales, lq_message* message) {
      return lq_lpbq_make(c, &int_scale.c(), &channel_scale.c(), scales, message);
    });
  });
  module.def("lpbq_compress",
             [](const Tensor& weight, const Scales& scales, int32_t profile, const Tensor& codes, size_t threads) {
               const lq_bulk_options options = BulkOptions(threads);
               Call([&](lq_message* message) {
                 return lq_lpbq_compress(&weight.c(), scales.scales.get(), profile, &codes.c(), &options, message);
               });
             });
  module.def("lpbq_expand", [](const Tensor& codes, const Scales& scales, const Tensor& out, size_t threads) {
    const lq_bulk_options options = BulkOptions(threads);
    Call([&](lq_message* message) {
      return lq_lpbq_expand(&codes.c(), scales.scales.get(), &out.c(), &options, message);
    });
  });
}

}  // namespace lq::python
