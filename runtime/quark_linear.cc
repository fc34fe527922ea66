// The numbers of one layer of a QuarkModel.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/io/memory_budget.h"
#include "runtime/quark_impl.h"
#include "runtime/status_macros.h"
#include "runtime/transpose.h"

namespace lq {
namespace {

// Scales of amdfp4: no sign, 255 is NaN.
constexpr QuarkFormat kE5M3{"fp8_e5m3", "U8", 1, 1, {8, false}, 5, 3};

// What an element takes in memory at most: a code, the same in another order, a value; or two bytes and two floats.
constexpr uint64_t kBytesPerElement = 12;

}  // namespace

Result<std::vector<float>> QuarkModel::Impl::Floats(const std::string& name) const {
  const QuarkStored stored = Find(name);
  if (stored.file == nullptr) return NotFound(fmt::format("no tensor '{}'", name));
  LQ_RETURN_IF_ERROR(MemoryBudget().Take(name, stored.tensor->bytes / 2 * kBytesPerElement));
  LQ_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, stored.file->Read(*stored.tensor));
  std::vector<float> values = WidenQuark(stored.tensor->type, bytes);
  if (values.empty() && !bytes.empty()) {
    return Unsupported(fmt::format("'{}' is {}; supported: F32, F16, BF16", name, stored.tensor->type));
  }
  return values;
}

Result<std::vector<int32_t>> QuarkModel::Impl::Integers(const std::string& name, const QuarkFormat& packing) const {
  const QuarkStored stored = Find(name);
  if (stored.file == nullptr) return std::vector<int32_t>();
  if (stored.tensor->type != packing.type) {
    return InvalidArgument(fmt::format("'{}' is {}, not {}", name, stored.tensor->type, packing.type));
  }
  const uint64_t elements = stored.tensor->bytes / packing.bytes * packing.elements;
  LQ_RETURN_IF_ERROR(MemoryBudget().Take(name, elements * kBytesPerElement));
  LQ_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, stored.file->Read(*stored.tensor));
  std::vector<int32_t> codes = UnpackQuark(packing, bytes, config.reorders);
  const auto [low, high] = std::minmax_element(codes.begin(), codes.end());
  if (!packing.is_float() && !codes.empty() && (*low < packing.grid.qmin() || *high > packing.grid.qmax())) {
    return InvalidArgument(
        fmt::format("'{}' has codes from {} to {}, which are no {}", name, *low, *high, packing.name));
  }
  return codes;
}

Result<float> QuarkModel::Impl::Outer(const QuarkLayout& layout) const {
  if (layout.outer.empty()) return 1.0f;
  LQ_ASSIGN_OR_RETURN(const std::vector<float> values, Floats(layout.outer));
  if (values.size() == 1) return values[0];
  return InvalidArgument(fmt::format("'{}' has {} scales; 1 is read", layout.outer, values.size()));
}

// [out][groups]; absent: zeros. Packed as the weight.
Result<std::vector<int32_t>> QuarkModel::Impl::ZeroPoints(const QuarkLayout& layout, size_t out, size_t groups) const {
  const std::string& name = layout.zero_point;
  if (Find(name).file == nullptr) return std::vector<int32_t>(out * groups, 0);
  LQ_ASSIGN_OR_RETURN(std::vector<int32_t> zeros, Integers(name, *layout.format));
  if (zeros.size() != layout.Padded(out) * groups) {
    return InvalidArgument(fmt::format("'{}' has {} zero points for {} scales", name, zeros.size(), out * groups));
  }
  if (layout.is_transposed) zeros = Transposed(zeros, groups, layout.Padded(out));
  zeros.resize(out * groups);
  return zeros;
}

Status QuarkModel::Impl::LoadIntegers(const QuarkLayer& layer, const QuarkLayout& layout, QuarkLinear& out) const {
  const size_t n = layer.out_features, k = layer.in_features;
  LQ_ASSIGN_OR_RETURN(std::vector<int32_t> codes, Integers(layout.weight, *layout.format));
  LQ_ASSIGN_OR_RETURN(std::vector<float> scales, Floats(layout.scale));
  LQ_ASSIGN_OR_RETURN(const float outer, Outer(layout));
  const size_t groups = layout.is_transposed ? scales.size() / n : 1;
  const bool per_tensor = !layout.is_transposed && scales.size() == 1;
  const QuarkQuantizer& quantizer = *layout.quantizers.weight;
  const int64_t size = groups == 0 ? 0 : static_cast<int64_t>(k / groups);
  if ((!per_tensor && scales.size() != groups * n) || groups == 0 || k % groups != 0 ||
      (layout.is_transposed && quantizer.group_size > 0 && quantizer.group_size != size)) {
    return InvalidArgument(fmt::format("'{}' has {} scales for {} x {} features, {}", layout.scale, scales.size(), n, k,
                                       quantizer.Describe()));
  }
  LQ_ASSIGN_OR_RETURN(std::vector<int32_t> zeros, ZeroPoints(layout, per_tensor ? 1 : n, groups));
  if (layout.is_transposed) {
    codes = Transposed(codes, k, layout.Padded(n));
    scales = Transposed(scales, groups, n);
  }
  out.weight.resize(n * k);
  for (size_t i = 0; i < n * k; ++i) {
    const size_t at = per_tensor ? 0 : i / k * groups + i % k / static_cast<size_t>(size);
    out.weight[i] = static_cast<float>(codes[i] - zeros[at]) * scales[at] * outer;
  }
  for (int32_t& zero : zeros) zero = -zero;  // now offsets
  for (float& scale : scales) scale *= outer;
  const Grid grid = layout.format->grid;
  if (per_tensor) {
    out.weight_encoding = PerTensor{grid, scales[0], zeros[0]};
  } else if (layout.is_transposed) {
    out.weight_encoding = PerBlock{grid, 0, 1, size, std::move(scales), std::move(zeros)};
  } else {
    out.weight_encoding = PerChannel{grid, 0, std::move(scales), std::move(zeros)};
  }
  return OkStatus();
}

// One for each block of a row: floats, fp8 (NVFP4) or powers of two.
Result<std::vector<float>> QuarkModel::Impl::BlockScales(const QuarkLayout& layout) const {
  const QuarkQuantizer& quantizer = *layout.quantizers.weight;
  const bool is_e5m3 = quantizer.scale_format == "e5m3";
  const QuarkStored stored = Find(layout.scale);
  const bool are_codes = quantizer.quantizes_scales || (stored.tensor != nullptr && stored.tensor->type == "U8");
  if (!are_codes) return Floats(layout.scale);
  constexpr QuarkFormat kBytes{"", "U8", 1, 1, {8, false}};
  const QuarkFormat& format = quantizer.quantizes_scales ? *FindQuarkFormat("fp8_e4m3") : is_e5m3 ? kE5M3 : kBytes;
  LQ_ASSIGN_OR_RETURN(const std::vector<int32_t> codes, Integers(layout.scale, format));
  LQ_ASSIGN_OR_RETURN(const float outer, Outer(layout));
  std::vector<float> scales;
  for (const int32_t code : codes) {
    const bool is_nan = quantizer.quantizes_scales ? (code & 127) == 127 : code == 255;
    if (is_nan) return InvalidArgument(fmt::format("'{}': scale {} is NaN", layout.scale, scales.size()));
    scales.push_back(format.is_float() ? QuarkFloat(format, code) * outer : std::ldexp(1.0f, code - 127));
  }
  return scales;
}

// fp4 and fp6: a scale for each block of a row.
Status QuarkModel::Impl::LoadBlocks(const QuarkLayer& layer, const QuarkLayout& layout, QuarkLinear& out) const {
  const size_t n = layer.out_features, k = layer.in_features;
  const QuarkFormat& format = *layout.format;
  LQ_ASSIGN_OR_RETURN(const std::vector<int32_t> codes, Integers(layout.weight, format));
  LQ_ASSIGN_OR_RETURN(std::vector<float> scales, BlockScales(layout));
  const size_t blocks = scales.size() / n;
  const int64_t group = layout.quantizers.weight->group_size;  // the last one of a row may be shorter
  const size_t size = group > 0 ? static_cast<size_t>(group) : blocks > 0 ? k / blocks : 0;
  if (size == 0 || scales.size() % n != 0 || blocks != (k + size - 1) / size) {
    return InvalidArgument(fmt::format("'{}' has {} scales for {} x {} features", layout.scale, scales.size(), n, k));
  }
  out.weight.resize(n * k);
  for (size_t i = 0; i < n * k; ++i) {
    out.weight[i] = QuarkFloat(format, codes[i]) * scales[i / k * blocks + i % k / size];
  }
  if (format.grid.bitwidth == 0 || k % size != 0) return OkStatus();
  for (float& scale : scales) scale = scale == 0 ? 1 : std::ldexp(scale, -format.shift);
  out.weight_encoding =
      PerBlock{format.grid, 0, 1, static_cast<int64_t>(size), scales, std::vector<int32_t>(scales.size(), 0)};
  return OkStatus();
}

// fp8 with one scale or one for each output; bfloat16 and float16.
Status QuarkModel::Impl::LoadFloats(const QuarkLayer& layer, const QuarkLayout& layout, QuarkLinear& out) const {
  if (layout.is_plain) {
    LQ_ASSIGN_OR_RETURN(out.weight, Floats(layout.weight));
    return OkStatus();
  }
  LQ_ASSIGN_OR_RETURN(const std::vector<int32_t> codes, Integers(layout.weight, *layout.format));
  LQ_ASSIGN_OR_RETURN(const std::vector<float> scales, Floats(layout.scale));
  if (scales.size() != 1 && scales.size() != layer.out_features) {
    return Unsupported(fmt::format("'{}' has {} scales; supported: 1, or one for each of {} outputs", layout.scale,
                                   scales.size(), layer.out_features));
  }
  out.weight.resize(codes.size());
  for (size_t i = 0; i < codes.size(); ++i) {
    out.weight[i] = QuarkFloat(*layout.format, codes[i]) * scales[scales.size() == 1 ? 0 : i / layer.in_features];
  }
  return OkStatus();
}

Result<std::optional<PerTensor>> QuarkModel::Impl::Activation(const std::string& name, const char* side,
                                                              const std::optional<QuarkQuantizer>& quantizer) const {
  const bool is_integer = quantizer && (quantizer->dtype == "int8" || quantizer->dtype == "uint8");
  if (!is_integer || quantizer->scheme != "per_tensor" || quantizer->is_dynamic) return std::optional<PerTensor>();
  LQ_ASSIGN_OR_RETURN(const std::vector<float> scale, Floats(fmt::format("{}.{}_scale", name, side)));
  const QuarkFormat& format = *FindQuarkFormat(quantizer->dtype);
  const std::string zero_name = fmt::format("{}.{}_zero_point", name, side);
  LQ_ASSIGN_OR_RETURN(const std::vector<int32_t> zero, Integers(zero_name, format));
  if (scale.size() != 1 || zero.size() > 1) {
    return InvalidArgument(
        fmt::format("'{}' has {} zero points for {} scales; one each is read", zero_name, zero.size(), scale.size()));
  }
  const PerTensor encoding{format.grid, scale[0], zero.empty() ? 0 : -zero[0]};
  LQ_RETURN_IF_ERROR(ValidateEncoding(fmt::format("{}.{}", name, side), encoding, Shape{1}));
  return std::optional<PerTensor>(encoding);
}

Result<QuarkLinear> QuarkModel::Load(size_t index) const {
  if (index >= impl_->layers.size()) {
    return InvalidArgument(fmt::format("layer {} of {}", index, impl_->layers.size()));
  }
  const QuarkLayer& layer = impl_->layers[index];
  const QuarkLayout& layout = impl_->layouts[index];
  QuarkLinear out;
  if (layout.format->type == "U8" && layout.format->is_float()) {
    LQ_RETURN_IF_ERROR(impl_->LoadBlocks(layer, layout, out));
  } else if (layout.format->is_float()) {
    LQ_RETURN_IF_ERROR(impl_->LoadFloats(layer, layout, out));
  } else {
    LQ_RETURN_IF_ERROR(impl_->LoadIntegers(layer, layout, out));
  }
  if (out.weight_encoding) {
    const Shape shape{static_cast<int64_t>(layer.out_features), static_cast<int64_t>(layer.in_features)};
    LQ_RETURN_IF_ERROR(ValidateEncoding(layer.name + ".weight", *out.weight_encoding, shape));
  }
  if (impl_->Find(layer.name + ".bias").file != nullptr) {
    LQ_ASSIGN_OR_RETURN(out.bias, impl_->Floats(layer.name + ".bias"));
    if (out.bias.size() != layer.out_features) {
      return InvalidArgument(
          fmt::format("'{}.bias' has {} values for {} outputs", layer.name, out.bias.size(), layer.out_features));
    }
  }
  LQ_ASSIGN_OR_RETURN(out.input, impl_->Activation(layer.name, "input", layout.quantizers.input));
  LQ_ASSIGN_OR_RETURN(out.output, impl_->Activation(layer.name, "output", layout.quantizers.output));
  return out;
}

}  // namespace lq
