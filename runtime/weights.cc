#include "runtime/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "kernels/contracts.h"
#include "runtime/io/memory_budget.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"

namespace lq {
namespace {

// Of LayerWeights (w and, for LPBQ, codes), and packed as 16 bits.
constexpr uint64_t kBytesPerWeight = 4 + 4 + 2;

// Scales and offsets in the form of the quantize kernel: element i uses number (i / run) % count.
struct FlatScales {
  Grid grid;
  std::vector<float> scale;
  std::vector<int32_t> offset;
  size_t run = 1;
};

Status CheckConstantPerChannel(const std::string& name, const PerBlock& e, size_t channels) {
  const size_t blocks = e.scale.size() / channels;
  for (size_t i = 0; i < e.scale.size(); ++i) {
    const size_t first = i / blocks * blocks;
    if (e.scale[i] == e.scale[first] && e.offset[i] == e.offset[first]) continue;
    return Unsupported(
        fmt::format("{}: float scales vary inside channel {} ({} blocks of {}); integer layers run per-tensor, "
                    "per-channel and LPBQ weights",
                    name, i / blocks, blocks, e.block_size));
  }
  return OkStatus();
}

// Files of version 2.x and QDQ graphs name axes, and may name the one that is summed over.
Status CheckAxes(const std::string& name, const Encoding& encoding) {
  size_t channel = 0, block = 1;
  if (const auto* e = std::get_if<PerChannel>(&encoding)) channel = e->axis;
  if (const auto* e = std::get_if<PerBlock>(&encoding)) channel = e->channel_axis, block = e->block_axis;
  if (const auto* e = std::get_if<Lpbq>(&encoding)) channel = e->channel_axis, block = e->block_axis;
  if (channel == 0 && block == 1) return OkStatus();
  return Unsupported(
      fmt::format("{}: weight scales for channels along axis {} and blocks along axis {} of (outputs, inputs); integer "
                  "layers need 0 and 1",
                  name, channel, block));
}

FlatScales Flatten(const FloatWeights& w, const Encoding& encoding) {
  const size_t per_channel = w.in_channels * w.taps;
  if (const auto* e = std::get_if<PerTensor>(&encoding)) {
    return FlatScales{e->grid, {e->scale}, {e->offset}, w.out_channels * per_channel};
  }
  if (const auto* e = std::get_if<PerChannel>(&encoding)) return FlatScales{e->grid, e->scale, e->offset, per_channel};
  if (const auto* e = std::get_if<PerBlock>(&encoding)) {
    return FlatScales{e->grid, e->scale, e->offset, static_cast<size_t>(e->block_size) * w.taps};
  }
  const auto& e = std::get<Lpbq>(encoding);
  FlatScales flat{{e.bitwidth, true}, {}, {}, static_cast<size_t>(e.block_size) * w.taps};
  const size_t blocks = e.per_block_int_scale.size() / w.out_channels;
  for (size_t i = 0; i < e.per_block_int_scale.size(); ++i) {
    flat.scale.push_back(static_cast<float>(e.per_block_int_scale[i]) * e.channel_scale[i / blocks]);
  }
  flat.offset.assign(flat.scale.size(), 0);
  return flat;
}

template <class T>
void Widen(const std::vector<uint8_t>& bytes, std::vector<int32_t>& out) {
  const T* codes = reinterpret_cast<const T*>(bytes.data());
  std::copy(codes, codes + out.size(), out.begin());
}

// AIMET's quantizers with blocks always divide (aimet.md 1.3); the reciprocal of aimet_fakequant is for the others.
RoundingProfile ProfileFor(const Encoding& encoding, RoundingProfile profile) {
  const bool blocks = std::holds_alternative<PerBlock>(encoding) || std::holds_alternative<Lpbq>(encoding);
  return blocks && profile == RoundingProfile::kAimetFakequant ? RoundingProfile::kAimetDiv : profile;
}

// Codes in the order of the floats.
std::vector<int32_t> Codes(std::span<const float> values, const FlatScales& flat, RoundingProfile profile,
                           const std::string& max_isa) {
  const bool wide = flat.grid.bitwidth > 8;
  std::vector<uint8_t> bytes(values.size() * (wide ? 2 : 1));
  using kernels::CodeType;
  const CodeType type = wide ? (flat.grid.is_signed ? CodeType::kS16 : CodeType::kU16)
                             : (flat.grid.is_signed ? CodeType::kS8 : CodeType::kU8);
  Choose(kernels::QuantizeAffineVariants(), max_isa)
      .run({.in = values.data(),
            .n = values.size(),
            .layout = {flat.scale.data(), flat.offset.data(), flat.scale.size(), flat.run},
            .qmin = flat.grid.qmin(),
            .qmax = flat.grid.qmax(),
            .profile = profile,
            .type = type,
            .out = bytes.data()});
  std::vector<int32_t> codes(values.size());
  switch (type) {
    case CodeType::kU8:
      Widen<uint8_t>(bytes, codes);
      break;
    case CodeType::kS8:
      Widen<int8_t>(bytes, codes);
      break;
    case CodeType::kU16:
      Widen<uint16_t>(bytes, codes);
      break;
    case CodeType::kS16:
      Widen<int16_t>(bytes, codes);
      break;
    default:
      break;
  }
  return codes;
}

// [n][in][taps] -> [n][taps][in]
std::vector<int32_t> ChannelsLast(const std::vector<int32_t>& in, const FloatWeights& w) {
  if (w.taps == 1) return in;
  std::vector<int32_t> out(in.size());
  const size_t k = w.in_channels * w.taps;
  for (size_t i = 0; i < in.size(); ++i) {
    const size_t channel = i % k / w.taps, tap = i % w.taps;
    out[i / k * k + tap * w.in_channels + channel] = in[i];
  }
  return out;
}

// codes times the scales of their blocks, in out.w. Products of scales of up to 16, all that 4-bit codes of 8-bit
// weights have, fit 8 bits.
void ExpandBlocks(const std::string& max_isa, LayerWeights& out) {
  constexpr uint32_t kLargestScale = 16;
  const uint32_t largest = *std::max_element(out.block_scale.begin(), out.block_scale.end());
  if (out.bitwidth > 4 || largest > kLargestScale) {
    for (size_t i = 0; i < out.w.size(); ++i) out.w[i] *= static_cast<int32_t>(out.block_scale[i / out.block]);
    return;
  }
  std::vector<uint8_t> packed((out.codes.size() + 1) / 2);
  for (size_t i = 0; i < out.codes.size(); ++i) {
    packed[i / 2] = static_cast<uint8_t>(packed[i / 2] | (out.codes[i] & 15) << (i % 2 * 4));
  }
  const std::vector<uint8_t> scale(out.block_scale.begin(), out.block_scale.end());
  std::vector<int8_t> products(out.codes.size());
  Choose(kernels::LpbqExpandVariants(), max_isa)
      .run({packed.data(), scale.data(), products.size(), out.block, products.data()});
  std::copy(products.begin(), products.end(), out.w.begin());
}

void ApplyLpbq(const Lpbq& e, const FloatWeights& w, const std::string& max_isa, LayerWeights& out) {
  const size_t blocks = w.in_channels / static_cast<size_t>(e.block_size);
  out.block = static_cast<size_t>(e.block_size);
  out.bitwidth = e.bitwidth;
  out.codes = out.w;
  out.block_scale.reserve(w.out_channels * w.taps * blocks);
  for (size_t n = 0; n < w.out_channels; ++n) {
    for (size_t tap = 0; tap < w.taps; ++tap) {
      const auto scales = e.per_block_int_scale.begin() + static_cast<ptrdiff_t>(n * blocks);
      out.block_scale.insert(out.block_scale.end(), scales, scales + static_cast<ptrdiff_t>(blocks));
    }
  }
  ExpandBlocks(max_isa, out);
  out.scale.assign(e.channel_scale.begin(), e.channel_scale.end());
}

void ApplyOffsets(const FlatScales& flat, LayerWeights& out) {
  const size_t per_channel = flat.scale.size() / out.n;  // 0: per tensor; > 1: blocks of equal scales
  for (size_t n = 0; n < out.n; ++n) {
    const size_t index = per_channel * n;
    out.scale.push_back(flat.scale[index]);
    for (size_t k = 0; k < out.k; ++k) out.w[n * out.k + k] += flat.offset[index];
  }
}

}  // namespace

int64_t LayerWeights::LargestAbsoluteSum() const {
  int64_t largest = 0;
  for (size_t i = 0; i < n; ++i) {
    int64_t sum = 0;
    for (size_t j = 0; j < k; ++j) sum += std::abs(w[i * k + j]);
    largest = std::max(largest, sum);
  }
  return largest;
}

namespace {

Status CheckWeights(const FloatWeights& weights, const Encoding& encoding) {
  const Shape shape{static_cast<int64_t>(weights.out_channels), static_cast<int64_t>(weights.in_channels),
                    static_cast<int64_t>(weights.taps)};
  if (shape.NumElements() <= 0 || weights.values.size() != static_cast<size_t>(shape.NumElements())) {
    return InvalidArgument(fmt::format("{}: {} weights, but {} output channels x {} inputs x {} taps", weights.name,
                                       weights.values.size(), weights.out_channels, weights.in_channels, weights.taps));
  }
  const uint64_t most = MemoryBudget::HalfOfMemory();
  if (weights.values.size() > most / kBytesPerWeight) {
    return InvalidArgument(
        fmt::format("{}: {} weights need {} bytes each while they are packed, but {} in all are the most", weights.name,
                    weights.values.size(), kBytesPerWeight, most));
  }
  LQ_RETURN_IF_ERROR(ValidateEncoding(weights.name + " weight", encoding, shape));
  return CheckAxes(weights.name, encoding);
}

}  // namespace

Result<LayerWeights> QuantizeWeights(const FloatWeights& weights, const Encoding& encoding,
                                     const PrepareOptions& options) {
  LQ_RETURN_IF_ERROR(CheckWeights(weights, encoding));
  if (const auto* e = std::get_if<PerBlock>(&encoding)) {
    LQ_RETURN_IF_ERROR(CheckConstantPerChannel(weights.name, *e, weights.out_channels));
  }
  const FlatScales flat = Flatten(weights, encoding);

  LayerWeights out;
  out.n = weights.out_channels;
  out.k = weights.in_channels * weights.taps;
  out.w = ChannelsLast(Codes(weights.values, flat, ProfileFor(encoding, options.profile), options.max_isa), weights);
  if (const auto* lpbq = std::get_if<Lpbq>(&encoding)) {
    ApplyLpbq(*lpbq, weights, options.max_isa, out);
  } else {
    ApplyOffsets(flat, out);
  }
  const auto [low, high] = std::minmax_element(out.w.begin(), out.w.end());
  if (*low < std::numeric_limits<int16_t>::min() || *high > std::numeric_limits<int16_t>::max()) {
    return Unsupported(fmt::format("{}: integer weights in {}..{} leave 16 bits", weights.name, *low, *high));
  }
  return out;
}

Result<FloatScaleWeights> QuantizeWithFloatScales(const FloatWeights& weights, const Encoding& encoding,
                                                  const PrepareOptions& options) {
  LQ_RETURN_IF_ERROR(CheckWeights(weights, encoding));
  const FlatScales flat = Flatten(weights, encoding);
  if (flat.grid.bitwidth > 8) {
    return Unsupported(
        fmt::format("{}: weights of {} bits; floats are multiplied by 2 to 8", weights.name, flat.grid.bitwidth));
  }
  FloatScaleWeights out;
  out.n = weights.out_channels;
  out.k = weights.in_channels * weights.taps;
  out.block = std::min(out.k, flat.run);
  out.bits = flat.grid.bitwidth <= 4 ? 4 : 8;
  out.q = Codes(weights.values, flat, ProfileFor(encoding, options.profile), options.max_isa);
  const int32_t middle = flat.grid.is_signed ? 0 : 1 << (flat.grid.bitwidth - 1);
  for (int32_t& q : out.q) q -= middle;
  bool has_offsets = false;
  for (size_t first = 0; first < out.q.size(); first += out.block) {
    const size_t index = first / flat.run % flat.scale.size();
    out.scale.push_back(flat.scale[index]);
    out.offset.push_back(static_cast<float>(flat.offset[index] + middle));
    has_offsets |= flat.offset[index] + middle != 0;
  }
  if (!has_offsets) out.offset.clear();
  return out;
}

}  // namespace lq
