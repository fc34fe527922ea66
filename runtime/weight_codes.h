// WeightCodes: the codes of a layer's float weights, made a panel of channels at a time, so that what is made of them
// finds them in cache and they are nowhere kept.
#ifndef LANEQUANT_RUNTIME_WEIGHT_CODES_H_
#define LANEQUANT_RUNTIME_WEIGHT_CODES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/contracts.h"
#include "lanequant/encoding.h"
#include "lanequant/status.h"
#include "runtime/weights.h"

namespace lq {

// Up to 64 channels; the memory of one task.
class CodePanel {
 public:
  size_t first = 0, count = 0;  // channels
  size_t stride = 0;            // elements from channel to channel

  // Channels count .. RoundUp(count, 16) - 1 are zeros. k in the order in which kernels read: tap, then input channel.
  template <class T>
  T* Channel(size_t c) {
    return reinterpret_cast<T*>(codes_.data()) + c * stride;
  }

 private:
  friend class WeightCodes;
  std::vector<std::byte> codes_;
  std::vector<std::byte> channel_;  // one of several taps, in the order of the file
  std::vector<float> floats_;       // of transposed weights
};

// Rows of transposed weights; the memory of one task.
class CodeRows {
 public:
  const int8_t* codes() const { return codes_.data(); }                 // [rows][n]
  const uint32_t* block_scales() const { return block_scale_.data(); }  // LPBQ: of each channel

 private:
  friend class WeightCodes;
  std::vector<int8_t> codes_;
  std::vector<float> scale_;  // of each channel, as the next two
  std::vector<int32_t> offset_;
  std::vector<uint32_t> block_scale_;
};

class WeightCodes {
 public:
  // Codes are s8 or (wide) s16, on a signed grid: of an unsigned one 2^(bitwidth - 1) is taken off them and added to
  // the offset. Rounds to the grid by the f32 rule of exact_simulator.md 2. The arguments must outlive it. Errors:
  // sizes, ValidateEncoding, axes that are not channel 0, block 1.
  static Result<WeightCodes> Make(const FloatWeights& weights, const Encoding& encoding, const PrepareOptions& options);
  WeightCodes(WeightCodes&&) = default;  // no copies: one vector points into another, which moves keep

  size_t n() const { return w_->out_channels; }
  size_t k() const { return w_->in_channels * w_->taps; }
  const Grid& grid() const { return grid_; }
  bool wide() const { return grid_.bitwidth > 8; }  // codes of 16 bits

  // LPBQ: k per integer scale, else 0. A tap's blocks follow one another, as its inputs do.
  size_t block() const { return lpbq_ == nullptr ? 0 : static_cast<size_t>(lpbq_->block_size); }
  int bitwidth() const { return grid_.bitwidth; }
  const uint32_t* BlockScales(size_t channel) const { return block_scale_ + channel * (k() / block()); }
  uint32_t LargestBlockScale() const;

  // Float scales: k for each of them, and the one of a channel and a block. Blocks of a tap follow one another.
  size_t scale_run() const { return run_ < k() ? run_ / w_->taps : k(); }
  float Scale(size_t channel, size_t block) const { return scale_[ScaleIndex(channel, block)]; }
  int32_t Offset(size_t channel, size_t block) const { return offset_[ScaleIndex(channel, block)] + middle_; }

  // Of integer layers: the scale and the offset of a channel. Error: float scales that vary inside a channel.
  Status CheckOnePerChannel() const;
  double ChannelScale(size_t channel) const;
  int32_t ChannelOffset(size_t channel) const { return block() != 0 ? 0 : Offset(channel, 0); }
  bool HasOffsets() const;

  // The codes of channels [first, first + count).
  void Quantize(size_t first, size_t count, CodePanel& panel) const;
  bool transposed() const { return w_->transposed; }
  // The s8 codes of all channels, k from k0 to k0 + rows - 1, of weights that lie like that: inside one scale_run().
  void QuantizeRows(size_t k0, size_t rows, CodeRows& out) const;
  // w of a channel of the panel: k integers.
  void Integers(CodePanel& panel, size_t c, int32_t* w) const;

 private:
  WeightCodes() = default;
  void Flatten(const Encoding& encoding);
  void SpreadBlockScales();
  size_t ScalesPerChannel() const { return scale_.size() / n(); }  // 0: per tensor
  size_t ScaleIndex(size_t channel, size_t block) const {
    const size_t count = ScalesPerChannel();
    return count == 0 ? 0 : count * channel + block % count;
  }
  kernels::AffineLayout RowScales(size_t block, CodeRows& out) const;
  size_t FloatStride() const;  // of CodePanel::floats_
  const float* ChannelValues(size_t c, CodePanel& panel) const;
  template <class T>
  void QuantizeChannel(size_t c, CodePanel& panel) const;

  const FloatWeights* w_ = nullptr;
  const Lpbq* lpbq_ = nullptr;
  Grid grid_;
  int32_t middle_ = 0;  // taken off the codes
  // In the form of the quantize kernel: element i of the weights uses number (i / run_) % count.
  std::vector<float> scale_;
  std::vector<int32_t> offset_;
  size_t run_ = 1;
  const uint32_t* block_scale_ = nullptr;
  std::vector<uint32_t> spread_;  // block scales repeated for each tap
  RoundingProfile profile_ = RoundingProfile::kAimetDiv;
  kernels::QuantizeAffineFn quantize_ = nullptr;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_WEIGHT_CODES_H_
