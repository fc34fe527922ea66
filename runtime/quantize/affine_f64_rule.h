// What the affine quantizers compute on float64 tensors: the formulas of aimet_div and torch.fake_quantize in binary64,
// with the scales and offsets of one call.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_AFFINE_F64_RULE_H_
#define LANEQUANT_RUNTIME_QUANTIZE_AFFINE_F64_RULE_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "lanequant/executor.h"
#include "lanequant/quantize.h"
#include "lanequant/status.h"
#include "runtime/partition.h"
#include "runtime/quantize/affine_setup.h"
#include "runtime/quantize/scale_map.h"

namespace lq {

class AffineF64Rule {
 public:
  // Checks every argument, as MakeAffineSetup does. No output has been touched when it returns.
  static Result<AffineF64Rule> Make(const AffineTensors& tensors, const AffineQuantizer& quantizer, Executor& executor);

  const ScaleMap& map() const { return map_; }
  // Whether a NaN has a NaN for its real value; its code is qmin in any case.
  bool keeps_nan() const { return profile_ == RoundingProfile::kAimetDiv; }

  // x, q: those of the range, the first at index 0. Codes are whole numbers of qmin..qmax.
  void ToCodes(Range range, const double* x, double* q) const;
  // In place.
  void ToReals(Range range, double* q) const;

 private:
  explicit AffineF64Rule(ScaleMap map) : map_(std::move(map)) {}
  Status ReadScales(const AffineQuantizer& quantizer, Executor& executor);
  Status ReadOffsets(const AffineQuantizer& quantizer, Executor& executor);
  // Calls use(i, n, scale, offset) for the elements i..i + n of the range, from 0, that share a scale.
  template <class Use>
  void ForEachRun(Range range, const Use& use) const;

  ScaleMap map_;
  RoundingProfile profile_ = RoundingProfile::kAimetDiv;  // or kAimetFakequant
  bool float_product_ = false;
  double shift_ = 0, qmin_ = 0, qmax_ = 0;
  std::vector<double> scale_, offset_;  // offset_ is empty where all are 0
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_AFFINE_F64_RULE_H_
