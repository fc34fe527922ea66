// The smallest and largest value of each group of a tensor.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_MIN_MAX_H_
#define LANEQUANT_RUNTIME_QUANTIZE_MIN_MAX_H_

#include <vector>

#include "lanequant/quantize.h"
#include "lanequant/tensor.h"
#include "runtime/quantize/scale_map.h"

namespace lq {

struct GroupRanges {
  explicit GroupRanges(size_t groups);  // empty ones: min +inf, max -inf
  // With what `other` saw: group i of it is group first + i here. NaN wins.
  void Include(const GroupRanges& other, size_t first = 0);

  std::vector<float> min, max;
};

// Of f32, f16 or bf16. NaN for a group that has one; zeros are +0.
GroupRanges MinMaxOf(const ConstTensorView& tensor, const ScaleMap& map, const BulkOptions& bulk);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_MIN_MAX_H_
