// Analyzers: batches in, encodings out.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <tuple>
#include <vector>

#include "runtime/python/call.h"
#include "runtime/python/module.h"
#include "runtime/python/tensor.h"

namespace nb = nanobind;

namespace lq::python {
namespace {

struct Options {
  int32_t tool = 0, scheme = 0;
  int64_t qmin = 0, qmax = 0;
  bool symmetric = false, unsigned_symmetric = false;
  float zero_point_shift = 0;
  double percentile = 100;
  std::vector<int64_t> scale_shape, block_size;

  lq_analyzer_options c() const {
    return {sizeof(lq_analyzer_options),
            tool,
            scheme,
            qmin,
            qmax,
            symmetric,
            unsigned_symmetric,
            zero_point_shift,
            percentile,
            {scale_shape.data(), scale_shape.size()},
            {block_size.data(), block_size.size()}};
  }
};

struct Free {
  void operator()(lq_analyzer* p) const { lq_analyzer_free(p); }
};

class Analyzer {
 public:
  explicit Analyzer(const Options& options) {
    for (int64_t dim : options.scale_shape) count_ *= static_cast<size_t>(dim);
    const lq_analyzer_options c = options.c();
    lq_analyzer* analyzer = nullptr;
    Call([&](lq_message* message) { return lq_analyzer_create(&c, &analyzer, message); });
    analyzer_.reset(analyzer);
  }

  void Update(const Tensor& batch, size_t threads) {
    const lq_bulk_options options = BulkOptions(threads);
    Call([&](lq_message* message) { return lq_analyzer_update(analyzer_.get(), &batch.c(), &options, message); });
  }

  // Into f64 tensors of the scale shape.
  void Compute(const std::vector<Tensor>& outputs, size_t threads) const {
    const auto data = [&](size_t i) { return static_cast<double*>(outputs.at(i).c().data); };
    const lq_calibration calibration{sizeof(calibration), count_, data(0), data(1), data(2), data(3)};
    const lq_bulk_options options = BulkOptions(threads);
    Call([&](lq_message* message) { return lq_analyzer_compute(analyzer_.get(), &calibration, &options, message); });
  }

 private:
  size_t count_ = 1;
  std::unique_ptr<lq_analyzer, Free> analyzer_;
};

}  // namespace

void BindCalibration(nb::module_& module) {
  nb::class_<Options>(module, "AnalyzerOptions")
      .def(nb::init<>())
      .def_rw("tool", &Options::tool)
      .def_rw("scheme", &Options::scheme)
      .def_rw("qmin", &Options::qmin)
      .def_rw("qmax", &Options::qmax)
      .def_rw("symmetric", &Options::symmetric)
      .def_rw("unsigned_symmetric", &Options::unsigned_symmetric)
      .def_rw("zero_point_shift", &Options::zero_point_shift)
      .def_rw("percentile", &Options::percentile)
      .def_rw("scale_shape", &Options::scale_shape)
      .def_rw("block_size", &Options::block_size);
  nb::class_<Analyzer>(module, "Analyzer")
      .def(nb::init<const Options&>())
      .def("update", &Analyzer::Update)
      .def("compute", &Analyzer::Compute);
}

}  // namespace lq::python
