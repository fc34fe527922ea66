// Per-target: packed 4- and 8-bit codes (packing_blocks.h) to vectors of float.

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
#include "kernels/matmul_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace matmul_float {

using fused::DF;
using fused::VF;
using DI = hn::RebindToSigned<DF>;

// Eight codes in 32 bits per lane, the first one on top.
struct S4Codes {
  static constexpr int kBits = 4;
#if HWY_HAVE_SCALABLE
  // Of channels c.., `channels` in the panel.
  static VF At(const uint8_t* codes, size_t channels, size_t k, size_t c) {
    const DI di;
    const auto words = hn::LoadU(di, reinterpret_cast<const int32_t*>(codes) + k / 8 * channels + c);
    const auto top = hn::ShiftLeftSame(words, static_cast<int>(4 * (k % 8)));
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
#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86
    // A table: the permutation looks at the lowest four bits only. It runs beside multiply-adds, as the shift does.
    HWY_ALIGN static constexpr float kValues[16] = {0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1};
    const Word index = kJ == 7 ? word : hn::ShiftRight<28 - 4 * kJ>(word);
    return VF{_mm512_permutexvar_ps(index.raw, hn::Load(DF(), kValues).raw)};
#else
    return hn::ConvertTo(DF(), hn::ShiftRight<28>(hn::ShiftLeft<4 * kJ>(word)));
#endif
  }
  static HWY_INLINE Word Next(Word word) { return hn::ShiftLeft<4>(word); }
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
  static HWY_INLINE Word Next(Word word) { return word; }
#endif
};

}  // namespace matmul_float
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_MATMUL_FLOAT_CODES_INL_H_
