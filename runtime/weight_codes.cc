#include "runtime/weight_codes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "kernels/packing.h"
#include "runtime/aligned_buffer.h"
#include "runtime/io/memory_budget.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"

namespace lq {
namespace {

constexpr uint64_t kLargestPacked = 2;  // bytes of a weight

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

Status CheckWeights(const FloatWeights& weights, const Encoding& encoding) {
  LQ_RETURN_IF_ERROR(CheckSizes(weights));
  const uint64_t most = MemoryBudget::HalfOfMemory();
  if (weights.values.size() > most / kLargestPacked) {
    return InvalidArgument(fmt::format("{}: {} weights may need {} bytes each, but {} in all are the most",
                                       weights.name, weights.values.size(), kLargestPacked, most));
  }
  LQ_RETURN_IF_ERROR(ValidateEncoding(weights.name + " weight", encoding, ShapeOf(weights)));
  return CheckAxes(weights.name, encoding);
}

// AIMET's quantizers with blocks always divide (aimet.md 1.3); the reciprocal of aimet_fakequant is for the others.
RoundingProfile ProfileFor(const Encoding& encoding, RoundingProfile profile) {
  const bool blocks = std::holds_alternative<PerBlock>(encoding) || std::holds_alternative<Lpbq>(encoding);
  return blocks && profile == RoundingProfile::kAimetFakequant ? RoundingProfile::kAimetDiv : profile;
}

// At least so many bytes, an odd number of cache lines: rows a power of two apart would share few sets of the cache.
size_t OddLines(size_t bytes) { return RoundUp(bytes, 2 * kAlignment) + kAlignment; }

// Columns [first, first + count) of in [rows][columns] -> out [count][stride]. Eight rows at a time: where rows lie a
// power of two apart, no more of their lines find room in the first-level cache. Each lies on a page of its own, which
// no CPU's prefetcher follows. Written out and fetched into that cache, 16 Mi floats take 13 ms instead of 16 (Zen 4).
void TransposeColumns(std::span<const float> in, size_t columns, size_t first, size_t count, float* out,
                      size_t stride) {
  constexpr size_t kRows = 8, kLine = 16;
  const size_t rows = in.size() / columns;
  const float* const from = in.data() + first;
  size_t r0 = 0;
  for (; r0 + kRows <= rows; r0 += kRows) {
    for (size_t r = r0 + kRows; r < std::min(r0 + 2 * kRows, rows); ++r) {
      for (size_t c = 0; c < count; c += kLine) __builtin_prefetch(from + r * columns + c);
    }
    for (size_t c = 0; c < count; ++c) {
      const float* const p = from + r0 * columns + c;
      const float column[kRows] = {p[0],           p[columns],     p[2 * columns], p[3 * columns],
                                   p[4 * columns], p[5 * columns], p[6 * columns], p[7 * columns]};
      std::memcpy(out + c * stride + r0, column, sizeof(column));
    }
  }
  for (; r0 < rows; ++r0) {
    for (size_t c = 0; c < count; ++c) out[c * stride + r0] = from[r0 * columns + c];
  }
}

}  // namespace

Result<WeightCodes> WeightCodes::Make(const FloatWeights& weights, const Encoding& encoding,
                                      const PrepareOptions& options) {
  LQ_RETURN_IF_ERROR(CheckWeights(weights, encoding));
  WeightCodes codes;
  codes.w_ = &weights;
  codes.profile_ = ProfileFor(encoding, options.profile);
  codes.quantize_ = Choose(kernels::QuantizeAffineVariants(), options.max_isa).run;
  codes.Flatten(encoding);
  codes.middle_ = codes.grid_.is_signed ? 0 : 1 << (codes.grid_.bitwidth - 1);
  return codes;
}

void WeightCodes::Flatten(const Encoding& encoding) {
  const auto take = [this](const auto& e, size_t run) {
    grid_ = e.grid;
    run_ = run;
    scale_.assign(e.scale.begin(), e.scale.end());
    offset_.assign(e.offset.begin(), e.offset.end());
  };
  if (const auto* tensor = std::get_if<PerTensor>(&encoding)) {
    grid_ = tensor->grid;
    run_ = n() * k();
    scale_ = {tensor->scale};
    offset_ = {tensor->offset};
  }
  if (const auto* channels = std::get_if<PerChannel>(&encoding)) take(*channels, k());
  if (const auto* blocks = std::get_if<PerBlock>(&encoding)) {
    take(*blocks, static_cast<size_t>(blocks->block_size) * w_->taps);
  }
  if (const auto* lpbq = std::get_if<Lpbq>(&encoding)) {
    lpbq_ = lpbq;
    grid_ = {lpbq->bitwidth, true};
    run_ = block() * w_->taps;
    SpreadBlockScales();
  }
}

void WeightCodes::SpreadBlockScales() {
  const std::vector<uint32_t>& scales = lpbq_->per_block_int_scale;
  const size_t blocks = scales.size() / n();
  scale_.resize(scales.size());
  offset_.assign(scales.size(), 0);
  for (size_t i = 0; i < scales.size(); ++i) {
    scale_[i] = static_cast<float>(scales[i]) * lpbq_->channel_scale[i / blocks];
  }
  block_scale_ = scales.data();
  if (w_->taps == 1) return;
  for (size_t c = 0; c < n(); ++c) {
    const auto begin = scales.begin() + static_cast<ptrdiff_t>(c * blocks);
    for (size_t tap = 0; tap < w_->taps; ++tap) {
      spread_.insert(spread_.end(), begin, begin + static_cast<ptrdiff_t>(blocks));
    }
  }
  block_scale_ = spread_.data();
}

Status WeightCodes::CheckOnePerChannel() const {
  if (lpbq_ != nullptr) return OkStatus();
  const size_t blocks = std::max<size_t>(ScalesPerChannel(), 1);
  for (size_t i = 0; i < scale_.size(); ++i) {
    const size_t first = i / blocks * blocks;
    if (scale_[i] == scale_[first] && offset_[i] == offset_[first]) continue;
    return Unsupported(
        fmt::format("{}: float scales vary inside channel {} ({} blocks of {}); integer layers run per-tensor, "
                    "per-channel and LPBQ weights",
                    w_->name, i / blocks, blocks, run_ / w_->taps));
  }
  return OkStatus();
}

double WeightCodes::ChannelScale(size_t channel) const {
  return lpbq_ != nullptr ? lpbq_->channel_scale[channel] : Scale(channel, 0);
}

bool WeightCodes::HasOffsets() const {
  return std::any_of(offset_.begin(), offset_.end(), [this](int32_t offset) { return offset + middle_ != 0; });
}

uint32_t WeightCodes::LargestBlockScale() const {
  return *std::max_element(lpbq_->per_block_int_scale.begin(), lpbq_->per_block_int_scale.end());
}

size_t WeightCodes::FloatStride() const { return OddLines(k() * sizeof(float)) / sizeof(float); }

const float* WeightCodes::ChannelValues(size_t c, CodePanel& panel) const {
  return w_->transposed ? panel.floats_.data() + c * FloatStride() : w_->values.data() + (panel.first + c) * k();
}

template <class T>
void WeightCodes::QuantizeChannel(size_t c, CodePanel& panel) const {
  using kernels::CodeType;
  const size_t first = ScaleIndex(panel.first + c, 0), count = std::max<size_t>(ScalesPerChannel(), 1);
  constexpr CodeType kSigned = sizeof(T) == 1 ? CodeType::kS8 : CodeType::kS16;
  constexpr CodeType kUnsigned = sizeof(T) == 1 ? CodeType::kU8 : CodeType::kU16;
  T* const out = panel.Channel<T>(c);
  T* const codes = w_->taps == 1 ? out : reinterpret_cast<T*>(panel.channel_.data());
  quantize_({.in = ChannelValues(c, panel),
             .n = k(),
             .layout = {scale_.data() + first, offset_.data() + first, count, std::min(run_, k())},
             .qmin = grid_.qmin(),
             .qmax = grid_.qmax(),
             .profile = profile_,
             .type = grid_.is_signed ? kSigned : kUnsigned,
             .out = codes,
             .far = !w_->transposed});
  for (size_t tap = 0; w_->taps > 1 && tap < w_->taps; ++tap) {
    T* const to = out + tap * w_->in_channels;
    for (size_t i = 0; i < w_->in_channels; ++i) to[i] = codes[i * w_->taps + tap];
  }
  for (size_t i = 0; middle_ != 0 && i < k(); ++i) out[i] = static_cast<T>(out[i] - middle_);
}

void WeightCodes::Quantize(size_t first, size_t count, CodePanel& panel) const {
  const size_t bytes = wide() ? 2 : 1, channels = RoundUp(count, kernels::kGroupChannels);
  panel.first = first;
  panel.count = count;
  panel.stride = OddLines(k() * bytes) / bytes;
  panel.codes_.resize(kernels::kPanelChannels * panel.stride * bytes);
  if (w_->taps > 1) panel.channel_.resize(k() * bytes);
  if (w_->transposed) {
    panel.floats_.resize(kernels::kPanelChannels * FloatStride());
    TransposeColumns(w_->values, n(), first, count, panel.floats_.data(), FloatStride());
  }
  for (size_t c = 0; c < count; ++c) {
    if (wide()) {
      QuantizeChannel<int16_t>(c, panel);
    } else {
      QuantizeChannel<int8_t>(c, panel);
    }
  }
  std::byte* const end = panel.codes_.data() + count * panel.stride * bytes;
  std::memset(end, 0, (channels - count) * panel.stride * bytes);
}

kernels::AffineLayout WeightCodes::RowScales(size_t block, CodeRows& out) const {
  const size_t count = ScalesPerChannel();
  if (count <= 1 && lpbq_ == nullptr) return {scale_.data(), offset_.data(), scale_.size(), 1};
  out.scale_.resize(n());
  out.offset_.resize(n());
  if (lpbq_ != nullptr) {  // scale_ and offset_ made again: less to read
    out.block_scale_.resize(n());
    for (size_t c = 0; c < n(); ++c) out.block_scale_[c] = block_scale_[c * count + block];
    for (size_t c = 0; c < n(); ++c) {
      out.scale_[c] = static_cast<float>(out.block_scale_[c]) * lpbq_->channel_scale[c];
    }
  } else {
    for (size_t c = 0; c < n(); ++c) out.scale_[c] = Scale(c, block), out.offset_[c] = offset_[ScaleIndex(c, block)];
  }
  return {out.scale_.data(), out.offset_.data(), n(), 1};
}

void WeightCodes::QuantizeRows(size_t k0, size_t rows, CodeRows& out) const {
  out.codes_.resize(rows * n());
  quantize_({.in = w_->values.data() + k0 * n(),
             .n = rows * n(),
             .layout = RowScales(k0 / run_, out),
             .qmin = grid_.qmin(),
             .qmax = grid_.qmax(),
             .profile = profile_,
             .type = grid_.is_signed ? kernels::CodeType::kS8 : kernels::CodeType::kU8,
             .out = out.codes_.data(),
             .far = true});
  if (middle_ == 0) return;
  for (int8_t& code : out.codes_) code = static_cast<int8_t>(code - middle_);
}

void WeightCodes::Integers(CodePanel& panel, size_t c, int32_t* w) const {
  const size_t channel = panel.first + c;
  if (wide()) {
    std::copy_n(panel.Channel<int16_t>(c), k(), w);
  } else {
    std::copy_n(panel.Channel<int8_t>(c), k(), w);
  }
  const int32_t offset = ChannelOffset(channel);
  for (size_t i = 0; offset != 0 && i < k(); ++i) w[i] += offset;
  for (size_t b = 0; block() != 0 && b < k() / block(); ++b) {
    const auto scale = static_cast<int32_t>(BlockScales(channel)[b]);
    for (size_t i = b * block(); i < (b + 1) * block(); ++i) w[i] *= scale;
  }
}

}  // namespace lq
