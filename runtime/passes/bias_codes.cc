#include "runtime/passes/bias_codes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/passes/block_layout.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

Status CheckNumbers(const EncodingEntry& entry) {
  if (entry.type != EncodingType::kPerTensor && entry.type != EncodingType::kPerChannel) {
    return Unsupported(
        fmt::format("tensor '{}': {} bits in blocks; supported: per tensor, per channel", entry.name, entry.bitwidth));
  }
  const double zero = entry.is_symmetric ? -std::ldexp(1, entry.bitwidth - 1) : 0;
  for (size_t i = 0; i < entry.scale.size(); ++i) {
    if (!std::isfinite(entry.scale[i]) || !(entry.scale[i] > 0)) {
      return InvalidArgument(
          fmt::format("tensor '{}': scale {} is {}, not a finite number above 0", entry.name, i, entry.scale[i]));
    }
    if (entry.offset[i] != zero) {
      return Unsupported(fmt::format("tensor '{}': zero point {} of {} bits is {}; supported: 0", entry.name, i,
                                     entry.bitwidth, zero - entry.offset[i]));
    }
  }
  return OkStatus();
}

// Index i of the constant has scale (i / inner) % scale.size().
Result<size_t> InnerOf(const EncodingEntry& entry, const Shape& shape) {
  if (entry.scale.size() == 1) return size_t{1};
  LQ_ASSIGN_OR_RETURN(const size_t axis, FromEnd(entry.name, entry.channel_axis.value_or(0), shape));
  if (shape[axis] != static_cast<int64_t>(entry.scale.size())) {
    return InvalidArgument(fmt::format("tensor '{}': {} scales, but shape {} needs {}", entry.name, entry.scale.size(),
                                       shape.ToString(), shape[axis]));
  }
  size_t inner = 1;
  for (size_t i = axis + 1; i < shape.rank(); ++i) inner *= static_cast<size_t>(shape[i]);
  return inner;
}

// code(i, scale) of each element times its scale.
template <class Code>
Result<Constant> ToReals(const EncodingEntry& entry, const Shape& shape, Code code) {
  LQ_RETURN_IF_ERROR(CheckNumbers(entry));
  LQ_ASSIGN_OR_RETURN(const size_t inner, InnerOf(entry, shape));
  Constant reals;
  reals.dtype = DType::kF64;
  reals.shape = shape;
  reals.f64.resize(static_cast<size_t>(shape.NumElements()));
  for (size_t i = 0; i < reals.f64.size(); ++i) {
    const double scale = entry.scale[i / inner % entry.scale.size()];
    reals.f64[i] = code(i, scale) * scale;
    reals.step.push_back(static_cast<float>(scale));
  }
  return reals;
}

}  // namespace

Result<Constant> RoundBias(const EncodingEntry& entry, const Constant& bias) {
  if (bias.dtype != DType::kF32) {
    return InvalidArgument(fmt::format("tensor '{}': an encoding of {} bits, but it is {}, not f32", entry.name,
                                       entry.bitwidth, NameOf(bias.dtype)));
  }
  const double low = entry.is_symmetric ? -std::ldexp(1, entry.bitwidth - 1) : 0;
  const double high = low + std::ldexp(1, entry.bitwidth) - 1;
  return ToReals(entry, bias.shape, [&](size_t i, double scale) {
    const double t = std::rint(double{bias.f32[i]} / scale);
    return t >= low ? std::min(t, high) : low;  // NaN too
  });
}

Result<Constant> DequantizeBias(const EncodingEntry& entry, const Constant& codes) {
  return ToReals(entry, codes.shape, [&](size_t i, double) { return static_cast<double>(codes.s64[i]); });
}

}  // namespace lq
