#include "runtime/packed_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <numeric>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/contracts_pack.h"
#include "kernels/packing.h"
#include "kernels/packing_blocks.h"
#include "runtime/output_arrays.h"
#include "runtime/row_packer.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/stored_weights.h"
#include "runtime/variants.h"
#include "runtime/views.h"
#include "runtime/weight_codes.h"

namespace lq {
namespace {

using kernels::kPanelChannels;

constexpr uint32_t kLargestU8Scale = 255;

// What the choice of a format depends on.
struct Extremes {
  int64_t low = 0, high = 0;
  int64_t absolute_sum = 0;  // over k of |w|, of any channel

  void Add(const Extremes& other) {
    low = std::min(low, other.low);
    high = std::max(high, other.high);
    absolute_sum = std::max(absolute_sum, other.absolute_sum);
  }
};

// Of Extremes::absolute_sum, from the encoding alone.
int64_t BoundOfSums(const WeightCodes& codes) {
  const int64_t half = int64_t{1} << (codes.bitwidth() - 1);
  int64_t bound = 0;
  for (size_t c = 0; c < codes.n(); ++c) {
    auto factors = static_cast<int64_t>(codes.k());  // the sum of what the codes are multiplied with
    if (codes.block() != 0) {
      const std::span<const uint32_t> scales(codes.BlockScales(c), codes.k() / codes.block());
      factors = static_cast<int64_t>(codes.block()) * std::accumulate(scales.begin(), scales.end(), int64_t{0});
    }
    bound = std::max(bound, (half + std::abs(int64_t{codes.ChannelOffset(c)})) * factors);
  }
  return bound;
}

// Why LPBQ weights cannot stay 4-bit; empty if they can.
std::string WhyExpand(const WeightCodes& codes, bool fits_int32) {
  if (codes.block() % 4 != 0) return fmt::format("block {} is not a multiple of 4", codes.block());
  if (codes.bitwidth() > 4) return fmt::format("codes have {} bits", codes.bitwidth());
  const uint32_t largest = codes.LargestBlockScale();
  if (largest > kLargestU8Scale) return fmt::format("integer scale {} is above {}", largest, kLargestU8Scale);
  if (!fits_int32) return "sums could leave 32 bits";
  return "";
}

// Weights of one layer on their way; the memory of a task is in Task.
class Packer {
 public:
  Packer(const WeightCodes& codes, const PrepareOptions& options, PackedWeights& out)
      : codes_(codes),
        options_(options),
        out_(out),
        plain_(!codes.wide() && !codes.HasOffsets()),
        pack_rows_(Choose(kernels::PackRowsVariants(), options.max_isa).run),
        sum_weights_(Choose(kernels::SumWeightsVariants(), options.max_isa).run) {}

  // Fixes the format. `largest`: |q + offset| of the input, as kernels add it up. Error: weights that leave 16 bits.
  Status ChooseFormat(const std::string& name, int64_t largest);
  // Into out.memory.
  void Pack();

 private:
  struct Task {
    CodePanel panel;
    std::vector<int32_t> integers;  // [channels][k] of the panel, where they are needed
    Extremes extremes;
  };
  template <class F>
  void ForEachPanel(const F& run);
  void Measure(Task& task);
  void Sum(Task& task);
  void ToIntegers(Task& task) const;
  void PackPanel(Task& task, std::byte* group) const;
  void PackS4(Task& task, uint8_t* out) const;

  const WeightCodes& codes_;
  const PrepareOptions& options_;
  PackedWeights& out_;
  const bool plain_;  // codes are s8, and but for LPBQ's scales the weights
  bool measured_ = false;
  Extremes extremes_;
  kernels::PackRowsFn pack_rows_;
  kernels::SumWeightsFn sum_weights_;
};

// run(task, group): the panel is quantized, and belongs to this group.
template <class F>
void Packer::ForEachPanel(const F& run) {
  std::mutex mutex;
  const size_t panels = (out_.n + kPanelChannels - 1) / kPanelChannels;  // of a group
  RunPreparing(options_, out_.groups * panels, kPanelChannels * out_.k, [&](Range range) {
    Task task;
    for (size_t i = range.begin; i < range.end; ++i) {
      const size_t group = i / panels, n0 = i % panels * kPanelChannels;
      codes_.Quantize(group * out_.n + n0, std::min(kPanelChannels, out_.n - n0), task.panel);
      run(task, group);
    }
    const std::lock_guard lock(mutex);
    extremes_.Add(task.extremes);
  });
}

void Packer::ToIntegers(Task& task) const {
  task.integers.resize(kPanelChannels * out_.k);
  for (size_t c = 0; c < task.panel.count; ++c) codes_.Integers(task.panel, c, task.integers.data() + c * out_.k);
}

void Packer::Measure(Task& task) {
  ToIntegers(task);
  for (size_t c = 0; c < task.panel.count; ++c) {
    Extremes e;
    int64_t sum = 0;
    for (const int32_t w : std::span(task.integers).subspan(c * out_.k, out_.k)) {
      sum += w;
      e.absolute_sum += std::abs(w);
      e.low = std::min<int64_t>(e.low, w);
      e.high = std::max<int64_t>(e.high, w);
    }
    out_.sums.sum[task.panel.first + c] = sum;
    task.extremes.Add(e);
  }
}

// Of weights whose bounds say that sums of |w| fit 32 bits.
void Packer::Sum(Task& task) {
  for (size_t c = 0; c < task.panel.count; ++c) {
    const size_t channel = task.panel.first + c;
    int32_t sum = 0, absolute = 0;
    sum_weights_({.codes = task.panel.Channel<int8_t>(c),
                  .k = out_.k,
                  .block = out_.block,
                  .scale = out_.block != 0 ? codes_.BlockScales(channel) : nullptr,
                  .sum = &sum,
                  .absolute_sum = &absolute});
    out_.sums.sum[channel] = sum;
    task.extremes.Add({0, 0, absolute});
  }
}

Status Packer::ChooseFormat(const std::string& name, int64_t largest) {
  const int64_t most = (kInt32Limit - 1) / largest;
  bool fits_int32 = BoundOfSums(codes_) <= most;
  const bool is_lpbq = codes_.block() != 0;
  if (!plain_ || !fits_int32 || (is_lpbq && !WhyExpand(codes_, fits_int32).empty())) {
    measured_ = true;
    ForEachPanel([this](Task& task, size_t) { Measure(task); });
    fits_int32 = extremes_.absolute_sum <= most;
  }
  const auto [low, high, absolute_sum] = extremes_;  // of weights in s8 or s4 that were not measured: 0
  if (low < std::numeric_limits<int16_t>::min() || high > std::numeric_limits<int16_t>::max()) {
    return Unsupported(fmt::format("{}: integer weights in {}..{} leave 16 bits", name, low, high));
  }
  out_.format = low >= -128 && high <= 127 && fits_int32 ? WeightFormat::kS8 : WeightFormat::kS16;
  const char* type = out_.format == WeightFormat::kS8 ? "int8" : "int16";
  if (is_lpbq) {
    const std::string why = WhyExpand(codes_, fits_int32);
    out_.description = fmt::format("LPBQ expanded to {}: {}", type, why);
    if (!why.empty()) return OkStatus();
    out_.format = WeightFormat::kS4;
    out_.block = codes_.block();
    out_.description = fmt::format("4-bit LPBQ, block {}", out_.block);
  } else if (out_.format == WeightFormat::kS8) {
    out_.description = type;
  } else {
    out_.description = fmt::format("int16: weights in {}..{}{}", low, high, fits_int32 ? "" : ", sums need 64 bits");
  }
  return OkStatus();
}

void Packer::Pack() {
  if (plain_ && !measured_ && FitsRowPacker(codes_, out_)) return PackTransposedRows(codes_, options_, out_);
  ForEachPanel([this](Task& task, size_t group) {
    if (!measured_) Sum(task);
    PackPanel(task, out_.memory.data() + group * out_.group_bytes);
  });
  out_.sums.largest_absolute_sum = extremes_.absolute_sum;
}

void Packer::PackPanel(Task& task, std::byte* group) const {
  CodePanel& panel = task.panel;
  const size_t n0 = panel.first % out_.n, count = panel.count, channels = RoundUp(count, kernels::kGroupChannels);
  if (out_.format == WeightFormat::kS4) {
    const kernels::PackedS4 layout = {out_.n, out_.k, out_.block};
    PackS4(task, reinterpret_cast<uint8_t*>(group) + layout.PanelOffset(n0));
  } else if (out_.format == WeightFormat::kS8 && plain_ && codes_.block() == 0) {
    pack_rows_({.codes = panel.Channel<int8_t>(0),
                .channels = channels,
                .k = out_.k,
                .stride = panel.stride,
                .format = kernels::RowFormat::kS8,
                .out = group + kernels::PanelS8Offset(n0, out_.k)});
  } else {
    ToIntegers(task);
    if (out_.format == WeightFormat::kS8) {
      std::byte* const out = group + kernels::PanelS8Offset(n0, out_.k);
      kernels::PackS8(task.integers.data(), count, out_.k, reinterpret_cast<int8_t*>(out));
    } else {
      std::byte* const out = group + kernels::PanelS16Offset(n0, out_.k);
      kernels::PackS16(task.integers.data(), count, out_.k, reinterpret_cast<int16_t*>(out));
    }
  }
}

// Superblocks, their scales behind them (PackedS4 in packing.h).
void Packer::PackS4(Task& task, uint8_t* out) const {
  CodePanel& panel = task.panel;
  const kernels::PackedS4 layout = {panel.count, out_.k, out_.block};
  const size_t channels = RoundUp(panel.count, kernels::kGroupChannels);
  for (size_t first = 0; first < layout.blocks(); first += layout.blocks_per_superblock()) {
    const size_t end = std::min(first + layout.blocks_per_superblock(), layout.blocks());
    const size_t size = (end - first) * out_.block;
    pack_rows_({.codes = panel.Channel<int8_t>(0) + first * out_.block,
                .channels = channels,
                .k = size,
                .stride = panel.stride,
                .format = kernels::RowFormat::kS4,
                .out = out});
    out += (size + 7) / 8 * 4 * channels;
    const uint32_t* scales = codes_.BlockScales(panel.first);
    for (size_t b = first; b < end; ++b, out += channels) {
      for (size_t c = 0; c < panel.count; ++c) out[c] = static_cast<uint8_t>(scales[c * layout.blocks() + b]);
      std::fill(out + panel.count, out + channels, uint8_t{1});
    }
  }
}

}  // namespace

size_t PackedGroupBytes(const PackedWeights& packed) {
  const auto [n, k, block] = std::tuple(packed.n, packed.k, packed.block);
  switch (packed.format) {
    case WeightFormat::kS8:
      return kernels::PackedS8Bytes(n, k);
    case WeightFormat::kS4:
      return kernels::PackedS4{n, k, block}.Bytes();
    case WeightFormat::kS16:
      return kernels::PackedS16Bytes(n, k);
    case WeightFormat::kBlockS8:
    case WeightFormat::kBlockS4:
    case WeightFormat::kBlockF32:
      break;
  }
  return kernels::PackedBlocks{n, k, block, BlockBits(packed.format), packed.has_offsets}.Bytes();
}

Status AllocatePacked(const std::string& name, PackedWeights& packed) {
  const size_t bytes = PackedGroupBytes(packed);
  packed.group_bytes = RoundUp(bytes, kAlignment);
  LQ_ASSIGN_OR_RETURN(packed.memory,
                      AlignedBuffer::MakeUnfilled(name + " (packed weights)", packed.group_bytes * packed.groups));
  packed.bytes = packed.memory.span();
  for (size_t g = 0; g < packed.groups; ++g) {
    std::byte* const group = packed.memory.data() + g * packed.group_bytes;
    std::fill(group + bytes, group + packed.group_bytes, std::byte{0});
  }
  return OkStatus();
}

Result<SharedWeights> PackWeights(const FloatWeights& weights, const Encoding& encoding, size_t groups,
                                  const PerTensor& input, const PrepareOptions& options) {
  // Of u16 codes the kernels add up the two bytes apart.
  const int64_t largest = CodeBytes(input.grid) == 2 ? 255 : LargestCentred(input);
  StoredWeights stored(weights, encoding, {false, groups, largest}, options);
  if (stored.Find() != nullptr) return stored.Find();
  LQ_ASSIGN_OR_RETURN(const WeightCodes codes, WeightCodes::Make(weights, encoding, options));
  LQ_RETURN_IF_ERROR(codes.CheckOnePerChannel());
  PackedWeights packed;
  packed.n = codes.n() / groups;
  packed.k = codes.k();
  packed.groups = groups;
  packed.sums.n = codes.n();
  packed.sums.k = codes.k();
  packed.sums.sum.resize(codes.n());
  for (size_t c = 0; c < codes.n(); ++c) packed.sums.scale.push_back(codes.ChannelScale(c));
  Packer packer(codes, options, packed);
  LQ_RETURN_IF_ERROR(packer.ChooseFormat(weights.name, largest));
  LQ_RETURN_IF_ERROR(AllocatePacked(weights.name, packed));
  packer.Pack();
  return stored.Add(std::move(packed));
}

}  // namespace lq
