#include "runtime/plan/constants.h"

#include <fmt/format.h>

#include <cstdint>

#include "kernels/contracts.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"

namespace lq {
namespace {

// q + offset of each value, through 16-bit codes: they hold every grid of up to 16 bits.
std::vector<int32_t> Centred(const PerTensor& e, const PrepareOptions& options, const std::vector<float>& values) {
  std::vector<uint16_t> codes(values.size());
  Choose(kernels::QuantizeAffineVariants(), options.max_isa)
      .run({.in = values.data(),
            .n = values.size(),
            .layout = {&e.scale, &e.offset, 1, values.size()},
            .qmin = e.grid.qmin(),
            .qmax = e.grid.qmax(),
            .profile = options.profile,
            .type = e.grid.is_signed ? kernels::CodeType::kS16 : kernels::CodeType::kU16,
            .out = codes.data()});
  std::vector<int32_t> centred;
  for (uint16_t code : codes) {
    centred.push_back((e.grid.is_signed ? int32_t{static_cast<int16_t>(code)} : int32_t{code}) + e.offset);
  }
  return centred;
}

// One scale for each index of an axis.
std::vector<double> PerChannelReals(const Constant& constant, const PerChannel& e, const PrepareOptions& options) {
  size_t inner = 1;
  for (size_t d = e.axis + 1; d < constant.shape.rank(); ++d) inner *= static_cast<size_t>(constant.shape[d]);
  std::vector<double> reals(constant.f32.size());
  for (size_t i = 0; i < reals.size(); i += inner) {
    const size_t channel = i / inner % e.scale.size();
    const PerTensor one{e.grid, e.scale[channel], e.offset[channel]};
    const auto begin = constant.f32.begin() + static_cast<ptrdiff_t>(i);
    const std::vector<int32_t> centred = Centred(one, options, {begin, begin + static_cast<ptrdiff_t>(inner)});
    for (size_t k = 0; k < inner; ++k) reals[i + k] = double(centred[k]) * double(one.scale);
  }
  return reals;
}

}  // namespace

const Constant* Constants::Find(ValueId id) const {
  if (id == kAbsent) return nullptr;
  const std::optional<Constant>& constant = graph_.value(id).constant;
  return constant ? &*constant : nullptr;
}

bool Constants::IsReal(ValueId id) const {
  const Constant* constant = Find(id);
  return constant != nullptr && constant->dtype == DType::kF64;
}

Result<const Constant*> Constants::CheckedFloats(ValueId id) const {
  const Constant* constant = Find(id);
  const std::string name = id == kAbsent ? "" : graph_.value(id).name;
  if (constant == nullptr || constant->dtype != DType::kF32) {
    return Unsupported(fmt::format("tensor '{}' must be a float constant", name));
  }
  const std::optional<Encoding>& encoding = graph_.value(id).encoding;
  if (encoding && !std::holds_alternative<PerTensor>(*encoding)) {
    return Unsupported(
        fmt::format("constant '{}' is encoded {}; only weights may be, others per tensor", name, Describe(*encoding)));
  }
  return constant;
}

Result<std::vector<float>> Constants::Floats(ValueId id, const PrepareOptions& options) const {
  LQ_ASSIGN_OR_RETURN(const Constant* constant, CheckedFloats(id));
  std::vector<float> values = constant->f32;
  const std::optional<Encoding>& encoding = graph_.value(id).encoding;
  if (!encoding) return values;
  const auto& e = std::get<PerTensor>(*encoding);
  const std::vector<int32_t> centred = Centred(e, options, values);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(centred[i]) * e.scale;
  return values;
}

Result<std::vector<double>> Constants::Reals(ValueId id, const PrepareOptions& options) const {
  if (IsReal(id)) return Find(id)->f64;
  if (const Constant* constant = Find(id); constant != nullptr && constant->dtype == DType::kF32) {
    const std::optional<Encoding>& own = graph_.value(id).encoding;
    const auto* channels = own ? std::get_if<PerChannel>(&*own) : nullptr;
    if (channels != nullptr) return PerChannelReals(*constant, *channels, options);
  }
  LQ_ASSIGN_OR_RETURN(const Constant* constant, CheckedFloats(id));
  const std::optional<Encoding>& encoding = graph_.value(id).encoding;
  if (!encoding) return std::vector<double>(constant->f32.begin(), constant->f32.end());
  const auto& e = std::get<PerTensor>(*encoding);
  std::vector<double> values;
  for (int32_t w : Centred(e, options, constant->f32)) values.push_back(double(w) * double(e.scale));
  return values;
}

}  // namespace lq
