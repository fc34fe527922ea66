#include "runtime/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <mutex>

#include "kernels/contracts.h"
#include "runtime/io/memory_budget.h"
#include "runtime/run_tasks.h"
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

// AIMET's quantizers with blocks always divide (aimet.md 1.3); the reciprocal of aimet_fakequant is for the others.
RoundingProfile ProfileFor(const Encoding& encoding, RoundingProfile profile) {
  const bool blocks = std::holds_alternative<PerBlock>(encoding) || std::holds_alternative<Lpbq>(encoding);
  return blocks && profile == RoundingProfile::kAimetFakequant ? RoundingProfile::kAimetDiv : profile;
}

// Quantizes channel by channel: what is made of a channel stays in cache for whatever follows.
class ChannelQuantizer {
 public:
  ChannelQuantizer(const FloatWeights& w, const FlatScales& flat, RoundingProfile profile, const std::string& max_isa)
      : w_(w),
        flat_(flat),
        profile_(profile),
        run_(Choose(kernels::QuantizeAffineVariants(), max_isa).run),
        bytes_(2 * k()) {}

  size_t k() const { return w_.in_channels * w_.taps; }

  // The codes of a channel, [taps][in_channels].
  void Run(size_t channel, int32_t* out) {
    const size_t scales = flat_.scale.size() / w_.out_channels;  // of a channel; 0: per tensor
    using kernels::CodeType;
    const bool wide = flat_.grid.bitwidth > 8, is_signed = flat_.grid.is_signed;
    run_({.in = w_.values.data() + channel * k(),
          .n = k(),
          .layout = {flat_.scale.data() + scales * channel, flat_.offset.data() + scales * channel,
                     std::max<size_t>(scales, 1), std::min(flat_.run, k())},
          .qmin = flat_.grid.qmin(),
          .qmax = flat_.grid.qmax(),
          .profile = profile_,
          .type = wide ? (is_signed ? CodeType::kS16 : CodeType::kU16) : (is_signed ? CodeType::kS8 : CodeType::kU8),
          .out = bytes_.data()});
    if (wide && is_signed) Widen<int16_t>(out);
    if (wide && !is_signed) Widen<uint16_t>(out);
    if (!wide && is_signed) Widen<int8_t>(out);
    if (!wide && !is_signed) Widen<uint8_t>(out);
  }

 private:
  template <class T>
  void Widen(int32_t* out) const {
    const T* codes = reinterpret_cast<const T*>(bytes_.data());
    if (w_.taps == 1) {
      std::copy(codes, codes + k(), out);
      return;
    }
    for (size_t i = 0; i < k(); ++i) out[i % w_.taps * w_.in_channels + i / w_.taps] = codes[i];
  }

  const FloatWeights& w_;
  const FlatScales& flat_;
  RoundingProfile profile_;
  kernels::QuantizeAffineFn run_;
  std::vector<uint16_t> bytes_;
};

// The integer scales of blocks, [n][taps][blocks]: a tap's blocks follow one another, as its inputs do.
void SetBlockScales(const Lpbq& e, const FloatWeights& w, LayerWeights& out) {
  const size_t blocks = w.in_channels / static_cast<size_t>(e.block_size);
  out.block = static_cast<size_t>(e.block_size);
  out.bitwidth = e.bitwidth;
  out.codes.resize(out.w.size());
  out.block_scale.reserve(w.out_channels * w.taps * blocks);
  for (size_t n = 0; n < w.out_channels; ++n) {
    for (size_t tap = 0; tap < w.taps; ++tap) {
      const auto scales = e.per_block_int_scale.begin() + static_cast<ptrdiff_t>(n * blocks);
      out.block_scale.insert(out.block_scale.end(), scales, scales + static_cast<ptrdiff_t>(blocks));
    }
  }
  out.scale.assign(e.channel_scale.begin(), e.channel_scale.end());
}

// w of a channel from its codes.
void ApplyBlockScales(size_t channel, LayerWeights& out) {
  const size_t first = channel * out.k;
  for (size_t i = first; i < first + out.k; i += out.block) {
    const auto scale = static_cast<int32_t>(out.block_scale[i / out.block]);
    for (size_t j = i; j < i + out.block; ++j) out.w[j] = out.codes[j] * scale;
  }
}

void ApplyOffset(const FlatScales& flat, size_t channel, LayerWeights& out) {
  const size_t index = flat.scale.size() / out.n * channel;  // 0: per tensor; several for a channel: equal ones
  out.scale[channel] = flat.scale[index];
  const int32_t offset = flat.offset[index];
  if (offset == 0) return;
  for (size_t i = channel * out.k; i < (channel + 1) * out.k; ++i) out.w[i] += offset;
}

// Of the channels that one task has made.
struct Extremes {
  int32_t low = 0, high = 0;
  int64_t absolute_sum = 0;

  void Add(const Extremes& other) {
    low = std::min(low, other.low);
    high = std::max(high, other.high);
    absolute_sum = std::max(absolute_sum, other.absolute_sum);
  }
};

Extremes Summarize(size_t channel, LayerWeights& out) {
  Extremes e;
  int64_t sum = 0;
  for (size_t i = channel * out.k; i < (channel + 1) * out.k; ++i) {
    const int32_t w = out.w[i];
    sum += w;
    e.absolute_sum += std::abs(w);
    e.low = std::min(e.low, w);
    e.high = std::max(e.high, w);
  }
  out.sum[channel] = sum;
  return e;
}

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
  out.w.resize(weights.values.size());
  const auto* lpbq = std::get_if<Lpbq>(&encoding);
  if (lpbq != nullptr) SetBlockScales(*lpbq, weights, out);
  out.sum.resize(out.n);
  out.scale.resize(out.n);
  Extremes all;
  std::mutex mutex;
  RunPreparing(options, out.n, out.k, [&](Range channels) {
    ChannelQuantizer quantizer(weights, flat, ProfileFor(encoding, options.profile), options.max_isa);
    Extremes own;
    for (size_t c = channels.begin; c < channels.end; ++c) {
      quantizer.Run(c, (lpbq != nullptr ? out.codes : out.w).data() + c * out.k);
      if (lpbq != nullptr) {
        ApplyBlockScales(c, out);
      } else {
        ApplyOffset(flat, c, out);
      }
      own.Add(Summarize(c, out));
    }
    const std::lock_guard lock(mutex);
    all.Add(own);
  });
  out.low = all.low;
  out.high = all.high;
  out.largest_absolute_sum = all.absolute_sum;
  if (out.low < std::numeric_limits<int16_t>::min() || out.high > std::numeric_limits<int16_t>::max()) {
    return Unsupported(fmt::format("{}: integer weights in {}..{} leave 16 bits", weights.name, out.low, out.high));
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
  out.q.resize(weights.values.size());
  RunPreparing(options, out.n, out.k, [&](Range channels) {
    ChannelQuantizer quantizer(weights, flat, ProfileFor(encoding, options.profile), options.max_isa);
    for (size_t c = channels.begin; c < channels.end; ++c) quantizer.Run(c, out.q.data() + c * out.k);
  });
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
