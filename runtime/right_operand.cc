#include "runtime/right_operand.h"

#include <algorithm>
#include <cstring>

#include "kernels/packing.h"
#include "kernels/round_up.h"
#include "runtime/variants.h"
#include "runtime/views.h"

namespace lq {

RightOperand::RightOperand(const PerTensor& encoding, bool channels_are_rows, const std::string& max_isa)
    : grid_(encoding.grid),
      channels_are_rows_(channels_are_rows),
      code_bytes_(CodeBytes(encoding.grid)),
      offset_(encoding.offset + (grid_.is_signed ? 0 : int64_t{1} << (8 * code_bytes_ - 1))),
      pack_(Choose(kernels::PackCodesVariants(), max_isa).run) {}

size_t RightOperand::PanelBytes(size_t k) const {
  return wide() ? kernels::PackedS16Bytes(kernels::kPanelChannels, k)
                : kernels::PackedS8Bytes(kernels::kPanelChannels, k);
}

void RightOperand::Pack(const PanelSource& source, std::byte* panel, double* weight_sum) const {
  if (wide()) return PackWide(source, reinterpret_cast<int16_t*>(panel), weight_sum);
  const size_t first = channels_are_rows_ ? source.n0 * source.k : source.n0;
  pack_({.in = reinterpret_cast<const uint8_t*>(source.matrix) + first,
         .n = source.count,
         .k = source.k,
         .stride = channels_are_rows_ ? source.k : source.n,
         .channels_are_rows = channels_are_rows_,
         .flip = !grid_.is_signed,
         .out = reinterpret_cast<int8_t*>(panel),
         .weight_sum = weight_sum});
}

// packing.h: [pair of k][group][16 channels][2 k].
void RightOperand::PackWide(const PanelSource& source, int16_t* panel, double* weight_sum) const {
  const size_t channels = kernels::PanelGroups(source.count, 0) * kernels::kGroupChannels;
  const uint16_t flip = grid_.is_signed ? 0 : 0x8000;
  int64_t sums[kernels::kPanelChannels] = {};
  for (size_t k = 0; k < kernels::RoundUp(source.k, 2); ++k) {
    for (size_t c = 0; c < channels; ++c) {
      uint16_t code = flip;
      if (c < source.count && k < source.k) {
        const size_t index = channels_are_rows_ ? (source.n0 + c) * source.k + k : k * source.n + source.n0 + c;
        std::memcpy(&code, source.matrix + 2 * index, 2);
      }
      const auto weight = static_cast<int16_t>(code ^ flip);
      panel[k / 2 * channels * 2 + 2 * c + k % 2] = weight;
      sums[c] += weight;
    }
  }
  std::copy(sums, sums + kernels::kPanelChannels, weight_sum);
}

}  // namespace lq
