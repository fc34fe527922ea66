#include "runtime/row_packer.h"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <vector>

#include "kernels/contracts_pack.h"
#include "kernels/packing.h"
#include "runtime/run_tasks.h"
#include "runtime/variants.h"

namespace lq {
namespace {

using kernels::kPanelChannels;

constexpr size_t kBandBytes = size_t{256} << 10;  // of codes: they stay in the second-level cache
constexpr size_t kRowStep = 8;                    // k in a row of packed nibbles; of s8 4 would do

class RowPacker {
 public:
  RowPacker(const WeightCodes& codes, const PrepareOptions& options, PackedWeights& out)
      : codes_(codes),
        options_(options),
        out_(out),
        layout_{out.n, out.k, out.block},
        run_(out.block != 0 ? out.block : out.k),
        band_(std::clamp(kBandBytes / out.n / kRowStep * kRowStep, kRowStep, RoundUp(run_, kRowStep))),
        bands_(out.k / run_ * BandsOfRun()),
        absolute_sum_(out.n),
        pack_(Choose(kernels::PackColumnsVariants(), options.max_isa).run) {}

  void Pack();

 private:
  struct Task {
    CodeRows rows;
    std::vector<int64_t> sum, absolute_sum;  // of each channel
  };
  size_t BandsOfRun() const { return (run_ + band_ - 1) / band_; }
  void PackBand(size_t k0, size_t rows, Task& task) const;
  void PackPanel(size_t n0, size_t k0, size_t rows, Task& task) const;
  // Where those of the panel are that are packed from k0 on.
  uint8_t* At(size_t n0, size_t k0) const;

  const WeightCodes& codes_;
  const PrepareOptions& options_;
  PackedWeights& out_;
  const kernels::PackedS4 layout_;  // of s4
  const size_t run_;                // k that share their scales
  const size_t band_, bands_;       // rows of the longest band, which is inside a run; how many there are
  std::vector<int64_t> absolute_sum_;
  const kernels::PackColumnsFn pack_;
};

uint8_t* RowPacker::At(size_t n0, size_t k0) const {
  auto* const out = reinterpret_cast<uint8_t*>(out_.memory.data());
  const size_t groups = kernels::PanelGroups(out_.n, n0);
  const size_t quad_bytes = groups * kernels::kGroupChannels * 4;
  if (out_.block == 0) return out + kernels::PanelS8Offset(n0, out_.k) + k0 / 4 * quad_bytes;
  return out + layout_.PanelOffset(n0) + k0 / run_ * layout_.SuperblockBytes(groups) + k0 % run_ / 8 * quad_bytes;
}

void RowPacker::PackPanel(size_t n0, size_t k0, size_t rows, Task& task) const {
  int32_t sum[kPanelChannels], absolute_sum[kPanelChannels];
  const size_t count = std::min(kPanelChannels, out_.n - n0);
  pack_({.codes = task.rows.codes() + n0,
         .channels = count,
         .k = rows,
         .stride = out_.n,
         .format = out_.block == 0 ? kernels::RowFormat::kS8 : kernels::RowFormat::kS4,
         .out = At(n0, k0),
         .sum = sum,
         .absolute_sum = absolute_sum});
  if (out_.block != 0) {
    const uint32_t* scales = task.rows.block_scales() + n0;
    uint8_t* const out = At(n0, k0 / run_ * run_) + count * run_ / 2;  // behind the codes of the block
    const bool first = k0 % run_ == 0;  // bands of one block may belong to several tasks
    for (size_t c = 0; c < count; ++c) {
      if (first) out[c] = static_cast<uint8_t>(scales[c]);
      sum[c] *= static_cast<int32_t>(scales[c]);
      absolute_sum[c] *= static_cast<int32_t>(scales[c]);
    }
  }
  for (size_t c = 0; c < count; ++c) {
    task.sum[n0 + c] += sum[c];
    task.absolute_sum[n0 + c] += absolute_sum[c];
  }
}

void RowPacker::PackBand(size_t k0, size_t rows, Task& task) const {
  codes_.QuantizeRows(k0, rows, task.rows);
  for (size_t n0 = 0; n0 < out_.n; n0 += kPanelChannels) PackPanel(n0, k0, rows, task);
}

void RowPacker::Pack() {
  std::mutex mutex;
  std::fill(out_.sums.sum.begin(), out_.sums.sum.end(), 0);
  RunPreparing(options_, bands_, band_ * out_.n, [&](Range range) {
    Task task{{}, std::vector<int64_t>(out_.n), std::vector<int64_t>(out_.n)};
    for (size_t i = range.begin; i < range.end; ++i) {
      const size_t in_run = i % BandsOfRun() * band_;
      PackBand(i / BandsOfRun() * run_ + in_run, std::min(band_, run_ - in_run), task);
    }
    const std::lock_guard lock(mutex);
    for (size_t c = 0; c < out_.n; ++c) {
      out_.sums.sum[c] += task.sum[c];
      absolute_sum_[c] += task.absolute_sum[c];
    }
  });
  out_.sums.largest_absolute_sum = *std::max_element(absolute_sum_.begin(), absolute_sum_.end());
}

}  // namespace

bool FitsRowPacker(const WeightCodes& codes, const PackedWeights& packed) {
  const bool whole_rows = packed.format == WeightFormat::kS4 ? packed.block % kRowStep == 0 : packed.k % 4 == 0;
  return codes.transposed() && packed.groups == 1 && packed.n % kernels::kGroupChannels == 0 && whole_rows &&
         (packed.format == WeightFormat::kS8 || packed.format == WeightFormat::kS4);
}

void PackTransposedRows(const WeightCodes& codes, const PrepareOptions& options, PackedWeights& packed) {
  RowPacker(codes, options, packed).Pack();
}

}  // namespace lq
