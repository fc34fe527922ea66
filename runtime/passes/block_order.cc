#include "runtime/passes/block_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/transpose.h"

namespace lq {
namespace {

// What PerBlock and Lpbq have in common. One file holds one of the two, so that they need no common base elsewhere.
struct PerBlockAccess {
  PerBlock& e;
  Grid grid() const { return e.grid; }
  double Scale(size_t, size_t at) const { return e.scale[at]; }
  double Offset(size_t at) const { return e.offset[at]; }
  bool HasLength(size_t length) const { return e.scale.size() == length && e.offset.size() == length; }
  void Transpose(size_t channels, size_t blocks) {
    e.scale = Transposed(e.scale, blocks, channels);
    e.offset = Transposed(e.offset, blocks, channels);
  }
  bool IsUniform() const {
    for (size_t i = 1; i < e.scale.size(); ++i) {
      if (e.scale[i] != e.scale[0] || e.offset[i] != e.offset[0]) return false;
    }
    return true;
  }
};

struct LpbqAccess {
  Lpbq& e;
  Grid grid() const { return {e.bitwidth, true}; }
  double Scale(size_t channel, size_t at) const { return double{e.channel_scale[channel]} * e.per_block_int_scale[at]; }
  double Offset(size_t) const { return 0; }
  bool HasLength(size_t length) const { return e.per_block_int_scale.size() == length; }
  void Transpose(size_t channels, size_t blocks) {
    e.per_block_int_scale = Transposed(e.per_block_int_scale, blocks, channels);
  }
  bool IsUniform() const {
    for (uint32_t scale : e.per_block_int_scale) {
      if (scale != e.per_block_int_scale[0]) return false;
    }
    return true;
  }
};

// Whether every weight (K, N) is, in codes of its block, on the grid or within `most` of it.
template <class Access>
bool Fits(const Access& access, const Constant& weight, size_t block_size, double most) {
  const size_t k = static_cast<size_t>(weight.shape[0]), n = static_cast<size_t>(weight.shape[1]);
  const auto low = static_cast<double>(access.grid().qmin()), high = static_cast<double>(access.grid().qmax());
  for (size_t i = 0; i < k; ++i) {
    for (size_t c = 0; c < n; ++c) {
      const size_t at = c * (k / block_size) + i / block_size;
      const double t = weight.f32[i * n + c] / access.Scale(c, at) - access.Offset(at);
      if (!(std::abs(t - std::clamp(std::nearbyint(t), low, high)) <= most)) return false;
    }
  }
  return true;
}

// aimet-torch writes weights that lie on their grids. Its sim.onnx.export lists the blocks as (K / block, N), and its
// older sim.export as (N, K / block): the weights of a MatMul say which.
template <class Access>
void OrderOfTorch(const Constant& weight, size_t channels, size_t blocks, size_t block_size, Access access) {
  constexpr double kFloatNoise = 1e-3;  // of up to 2^8 codes
  const bool channels_first = Fits(access, weight, block_size, kFloatNoise);
  access.Transpose(channels, blocks);
  if (channels_first && !Fits(access, weight, block_size, kFloatNoise)) access.Transpose(blocks, channels);  // back
}

template <class Access>
Status Order(const std::string& name, const Constant& weight, const std::string& producer, Access access) {
  const auto& e = access.e;
  if (e.channel_axis < e.block_axis) return OkStatus();
  // A ConvTranspose weight (K, N, height, width): both producers write the blocks in the order of its dimensions.
  const bool is_image = weight.shape.rank() > 2 && e.channel_axis == 1 && e.block_axis == 0;
  if (weight.shape.rank() != 2 && !is_image) {
    return Unsupported(fmt::format("tensor '{}': blocks of a MatMul weight of {} dimensions; supported: 2", name,
                                   weight.shape.rank()));
  }
  const int64_t k = weight.shape[0], n = weight.shape[1];
  if (e.block_size < 1 || k % e.block_size != 0) return OkStatus();
  const size_t channels = static_cast<size_t>(n), blocks = static_cast<size_t>(k / e.block_size);
  if (channels * blocks == 0 || !access.HasLength(channels * blocks)) return OkStatus();
  // With one channel or one block both orders are the same array.
  if (channels == 1 || blocks == 1 || access.IsUniform()) return OkStatus();
  if (producer == "aimet-onnx" && !is_image) return OkStatus();
  const auto block_size = static_cast<size_t>(e.block_size);
  if (is_image) {
    access.Transpose(channels, blocks);
    return OkStatus();
  }
  if (producer == "aimet-torch") {
    OrderOfTorch(weight, channels, blocks, block_size, access);
    return OkStatus();
  }
  constexpr double kHalfACode = 0.51;  // and a little float noise
  const bool channels_first = Fits(access, weight, block_size, kHalfACode);
  access.Transpose(channels, blocks);
  const bool blocks_first = Fits(access, weight, block_size, kHalfACode);
  if (channels_first == blocks_first) {
    return Unsupported(
        fmt::format("tensor '{}': the file does not say its producer, and the weights of shape {} fit {} "
                    "of the two orders of its {} block scales; supported producers: aimet-torch, "
                    "aimet-onnx",
                    name, weight.shape.ToString(), channels_first ? "both" : "neither", channels * blocks));
  }
  if (channels_first) access.Transpose(blocks, channels);  // back
  return OkStatus();
}

}  // namespace

Status OrderBlocks(const std::string& name, const Constant& weight, const std::string& producer, Encoding& encoding) {
  if (auto* per_block = std::get_if<PerBlock>(&encoding))
    return Order(name, weight, producer, PerBlockAccess{*per_block});
  if (auto* lpbq = std::get_if<Lpbq>(&encoding)) {
    // ValidateEncoding has not run yet.
    const size_t channels =
        lpbq->channel_axis < weight.shape.rank() ? static_cast<size_t>(weight.shape[lpbq->channel_axis]) : 0;
    if (lpbq->channel_scale.size() != channels) return OkStatus();
    return Order(name, weight, producer, LpbqAccess{*lpbq});
  }
  return OkStatus();
}

}  // namespace lq
