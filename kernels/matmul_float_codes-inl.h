// Per-target: packed 4- and 8-bit codes and floats (packing_blocks.h) to vectors of float. One row of 4-bit weights is
// bound by this: a shift, a permutation and a multiply-add of 512 bits for 16 codes take 0.51 ns on Zen 4, with a shift
// for two codes 0.485 (operands in registers), the whole kernel 0.49: 17 GB/s of weights.

#if defined(LANEQUANT_KERNELS_MATMUL_FLOAT_CODES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_MATMUL_FLOAT_CODES_INL_H_
#undef LANEQUANT_KERNELS_MATMUL_FLOAT_CODES_INL_H_
#else
#define LANEQUANT_KERNELS_MATMUL_FLOAT_CODES_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/fused-inl.h"
#include "kernels/packing_blocks.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace matmul_float {

using fused::DF;
using fused::VF;
using DI = hn::RebindToSigned<DF>;

// Eight codes in 32 bits per lane.
struct S4Codes {
  static constexpr int kBits = 4;
#if HWY_HAVE_SCALABLE
  // Of channels c.., `channels` in the panel.
  static VF At(const uint8_t* codes, size_t channels, size_t k, size_t c) {
    const DI di;
    const auto words = hn::LoadU(di, reinterpret_cast<const int32_t*>(codes) + k / 8 * channels + c);
    const auto top = hn::ShiftLeftSame(words, 28 - NibbleShift(k % 8));
    return hn::ConvertTo(DF(), hn::ShiftRight<28>(top));
  }
#else
  static constexpr size_t kPerWord = 8;
  static constexpr size_t kVectorBytes = 4 * hn::MaxLanes(DI());
  using Word = hn::Vec<DI>;

  static HWY_INLINE Word Load(const uint8_t* w) {
    return hn::BitCast(DI(), hn::LoadU(hn::Repartition<uint8_t, DI>(), w));
  }
  template <size_t kJ>
  static HWY_INLINE VF At(Word word) {
    constexpr int kShift = NibbleShift(kJ);
#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86
    // Tables of which permutations take the entry that the lowest 4 or 5 bits name; the second one's are the upper
    // halves of the floats.
    HWY_ALIGN static constexpr float kValues[16] = {0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1};
    HWY_ALIGN static constexpr uint16_t kHalves[32] = {0,      0x3F80, 0x4000, 0x4040, 0x4080, 0x40A0, 0x40C0, 0x40E0,
                                                       0xC100, 0xC0E0, 0xC0C0, 0xC0A0, 0xC080, 0xC040, 0xC000, 0xBF80,
                                                       0,      0x3F80, 0x4000, 0x4040, 0x4080, 0x40A0, 0x40C0, 0x40E0,
                                                       0xC100, 0xC0E0, 0xC0C0, 0xC0A0, 0xC080, 0xC040, 0xC000, 0xBF80};
    const auto shifted = hn::ShiftRight<kShift % 16>(word).raw;
    if constexpr (kShift < 16) return VF{_mm512_permutexvar_ps(shifted, hn::Load(DF(), kValues).raw)};
    const auto halves = hn::Load(hn::Repartition<uint16_t, DF>(), kHalves).raw;
    return VF{_mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(0xAAAAAAAA, shifted, halves))};
#else
    return hn::ConvertTo(DF(), hn::ShiftRight<28>(hn::ShiftLeft<28 - kShift>(word)));
#endif
  }
#endif
};

// One code per word.
struct S8Codes {
  static constexpr int kBits = 8;
  using D8 = hn::Rebind<int8_t, DI>;
#if HWY_HAVE_SCALABLE
  static VF At(const uint8_t* codes, size_t channels, size_t k, size_t c) {
    const auto bytes = hn::LoadU(D8(), reinterpret_cast<const int8_t*>(codes) + k * channels + c);
    return hn::ConvertTo(DF(), hn::PromoteTo(DI(), bytes));
  }
#else
  static constexpr size_t kPerWord = 1;
  static constexpr size_t kVectorBytes = hn::MaxLanes(DI());
  using Word = hn::Vec<D8>;

  static HWY_INLINE Word Load(const uint8_t* w) { return hn::LoadU(D8(), reinterpret_cast<const int8_t*>(w)); }
  template <size_t kJ>
  static HWY_INLINE VF At(Word word) {
    return hn::ConvertTo(DF(), hn::PromoteTo(DI(), word));
  }
#endif
};

// Floats as they are.
struct F32Codes {
  static constexpr int kBits = 32;
#if HWY_HAVE_SCALABLE
  static VF At(const uint8_t* codes, size_t channels, size_t k, size_t c) {
    return hn::LoadU(DF(), reinterpret_cast<const float*>(codes) + k * channels + c);
  }
#else
  static constexpr size_t kPerWord = 1;
  static constexpr size_t kVectorBytes = sizeof(float) * hn::MaxLanes(DF());
  using Word = VF;

  static HWY_INLINE Word Load(const uint8_t* w) { return hn::LoadU(DF(), reinterpret_cast<const float*>(w)); }
  template <size_t kJ>
  static HWY_INLINE VF At(Word word) {
    return word;
  }
#endif
};

}  // namespace matmul_float
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_MATMUL_FLOAT_CODES_INL_H_
