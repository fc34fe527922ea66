// Affine, float and block quantizers.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include "runtime/python/call.h"
#include "runtime/python/module.h"
#include "runtime/python/tensor.h"

namespace nb = nanobind;

namespace lq::python {
namespace {

using Sizes = std::vector<int64_t>;

lq_sizes ToC(const Sizes& sizes) { return {sizes.data(), sizes.size()}; }
const lq_tensor* ToC(const std::optional<Tensor>& tensor) { return tensor ? &tensor->c() : nullptr; }

// What C structs point to, owned.
struct Affine {
  std::optional<Tensor> scale, offset;
  Sizes block_size;
  int64_t qmin = 0, qmax = 0;
  float zero_point_shift = 0;
  int32_t profile = 0;

  lq_affine_quantizer c() const {
    return {
        sizeof(lq_affine_quantizer), ToC(scale), ToC(offset), ToC(block_size), qmin, qmax, zero_point_shift, profile};
  }
};

struct Float {
  std::optional<Tensor> scale;
  Sizes block_size;
  int32_t exponent_bits = 0, mantissa_bits = 0;
  bool finite = false, unsigned_zero = false, saturate = true;

  lq_float_quantizer c() const {
    return {sizeof(lq_float_quantizer),
            {exponent_bits, mantissa_bits, finite, unsigned_zero},
            ToC(scale),
            ToC(block_size),
            saturate ? 0 : 1};
  }
};

struct Blocks {
  int32_t format = 0, element = 0, exponent = 0, ties = 0, bit_width = 0;
  int64_t block_size = 0, axis = -1;

  lq_block_quantizer c() const {
    return {sizeof(lq_block_quantizer), format, element, exponent, ties, bit_width, block_size, axis};
  }
};

// name(in, quantizer, out, threads)
template <class Quantizer, class CQuantizer>
void Bind(nb::module_& module, const char* name,
          lq_status (*function)(const lq_tensor*, const CQuantizer*, const lq_tensor*, const lq_bulk_options*,
                                lq_message*)) {
  module.def(name, [function](const Tensor& in, const Quantizer& quantizer, const Tensor& out, size_t threads) {
    const lq_bulk_options options = BulkOptions(threads);
    const CQuantizer c = quantizer.c();
    Call([&](lq_message* message) { return function(&in.c(), &c, &out.c(), &options, message); });
  });
}

void BindBlockCodes(nb::module_& module) {
  module.def("quantize_blocks",
             [](const Tensor& in, const Blocks& quantizer, const Tensor& codes, const Tensor& scales, size_t threads) {
               const lq_bulk_options options = BulkOptions(threads);
               const lq_block_quantizer c = quantizer.c();
               Call([&](lq_message* message) {
                 return lq_quantize_blocks(&in.c(), &c, &codes.c(), &scales.c(), &options, message);
               });
             });
  module.def("dequantize_blocks",
             [](const Tensor& codes, const Tensor& scales, const Blocks& quantizer, const Tensor& out, size_t threads) {
               const lq_bulk_options options = BulkOptions(threads);
               const lq_block_quantizer c = quantizer.c();
               Call([&](lq_message* message) {
                 return lq_dequantize_blocks(&codes.c(), &scales.c(), &c, &out.c(), &options, message);
               });
             });
}

}  // namespace

void BindQuantizers(nb::module_& module) {
  nb::class_<Affine>(module, "Affine")
      .def(nb::init<>())
      .def_rw("scale", &Affine::scale)
      .def_rw("offset", &Affine::offset, nb::arg().none())
      .def_rw("block_size", &Affine::block_size)
      .def_rw("qmin", &Affine::qmin)
      .def_rw("qmax", &Affine::qmax)
      .def_rw("zero_point_shift", &Affine::zero_point_shift)
      .def_rw("profile", &Affine::profile);
  nb::class_<Float>(module, "Float")
      .def(nb::init<>())
      .def_rw("scale", &Float::scale, nb::arg().none())
      .def_rw("block_size", &Float::block_size)
      .def_rw("exponent_bits", &Float::exponent_bits)
      .def_rw("mantissa_bits", &Float::mantissa_bits)
      .def_rw("finite", &Float::finite)
      .def_rw("unsigned_zero", &Float::unsigned_zero)
      .def_rw("saturate", &Float::saturate);
  nb::class_<Blocks>(module, "Blocks")
      .def(nb::init<>())
      .def_rw("format", &Blocks::format)
      .def_rw("element", &Blocks::element)
      .def_rw("exponent", &Blocks::exponent)
      .def_rw("ties", &Blocks::ties)
      .def_rw("bit_width", &Blocks::bit_width)
      .def_rw("block_size", &Blocks::block_size)
      .def_rw("axis", &Blocks::axis);
  Bind<Affine>(module, "quantize", lq_quantize);
  Bind<Affine>(module, "dequantize", lq_dequantize);
  Bind<Affine>(module, "quantize_dequantize", lq_quantize_dequantize);
  Bind<Float>(module, "quantize_float", lq_quantize_float);
  Bind<Float>(module, "dequantize_float", lq_dequantize_float);
  Bind<Float>(module, "quantize_dequantize_float", lq_quantize_dequantize_float);
  Bind<Blocks>(module, "quantize_dequantize_blocks", lq_quantize_dequantize_blocks);
  BindBlockCodes(module);
  module.def("float_scale", [](const Float& quantizer, float maxval) {
    const lq_float_format format = quantizer.c().format;
    float scale = 0;
    Call([&](lq_message* message) { return lq_float_scale(&format, maxval, &scale, message); });
    return scale;
  });
}

}  // namespace lq::python
