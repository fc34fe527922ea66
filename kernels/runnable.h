// From the functions of all compiled targets to the variants that this CPU runs, best first. Include in kernels/*.cc
// only, after highway.h.
#ifndef LANEQUANT_KERNELS_RUNNABLE_H_
#define LANEQUANT_KERNELS_RUNNABLE_H_

#include <hwy/highway.h>

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "kernels/contracts.h"

// One row per x86 and Arm target; nullptr where FUNCTION was not compiled for it. Highway 1.2 has no macro that visits
// the compiled targets. The last row is the baseline of builds for other architectures, or EMU128.
#define LQ_ROW(TARGET, FUNCTION) \
  { hwy::TargetName(HWY_##TARGET), HWY_##TARGET, HWY_CHOOSE_##TARGET(FUNCTION) }
#define LQ_VARIANTS(FUNCTION)                                                                                   \
  {                                                                                                             \
    LQ_ROW(AVX3_SPR, FUNCTION), LQ_ROW(AVX3_ZEN4, FUNCTION), LQ_ROW(AVX3_DL, FUNCTION), LQ_ROW(AVX3, FUNCTION), \
        LQ_ROW(AVX2, FUNCTION), LQ_ROW(SSE4, FUNCTION), LQ_ROW(SSSE3, FUNCTION), LQ_ROW(SSE2, FUNCTION),        \
        LQ_ROW(SVE2_128, FUNCTION), LQ_ROW(SVE_256, FUNCTION), LQ_ROW(SVE2, FUNCTION), LQ_ROW(SVE, FUNCTION),   \
        LQ_ROW(NEON_BF16, FUNCTION), LQ_ROW(NEON, FUNCTION), LQ_ROW(NEON_WITHOUT_AES, FUNCTION), {              \
      hwy::TargetName(HWY_STATIC_TARGET), HWY_STATIC_TARGET, HWY_CHOOSE_FALLBACK(FUNCTION)                      \
    }                                                                                                           \
  }

namespace lq::kernels {

template <class Fn>
std::vector<Variant<Fn>> Runnable(std::initializer_list<Variant<Fn>> rows) {
  std::vector<Variant<Fn>> variants;
  for (const Variant<Fn>& row : rows) {
    if (row.run != nullptr && (row.target & hwy::SupportedTargets()) != 0) variants.push_back(row);
  }
  // Highway's bits: the smaller the better. The baseline may stand there twice.
  std::sort(variants.begin(), variants.end(),
            [](const Variant<Fn>& a, const Variant<Fn>& b) { return a.target < b.target; });
  const auto same = [](const Variant<Fn>& a, const Variant<Fn>& b) { return a.target == b.target; };
  variants.erase(std::unique(variants.begin(), variants.end(), same), variants.end());
  return variants;
}

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_RUNNABLE_H_
