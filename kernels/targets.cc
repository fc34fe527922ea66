#include "kernels/targets.h"

#include <hwy/highway.h>

#include <algorithm>
#include <vector>

#include "kernels/matmul_own.h"
#include "kernels/own_targets.h"

#ifndef LQ_CAPS  // targets that this file knows and kernels are not compiled for
#define LQ_CAPS 0
#endif

namespace lq::kernels {

namespace {

constexpr char kNotSupported[] = "not supported by this CPU";

static_assert(kAmx < HWY_AVX3_SPR && HWY_AVX3 < kAvx2Vnni && kAvx2Vnni < HWY_AVX2);

bool Supported(int64_t bit) { return (bit & hwy::SupportedTargets()) != 0; }

// What is compiled beside Highway's targets, and needs one of them.
void AddOwnTargets(std::vector<Target>& targets) {
  if (MatmulU8S8OnAmx() != nullptr) {
    const std::string why_not = Supported(HWY_AVX3_DL) ? WhyNotAmx(Amx()) : kNotSupported;
    targets.push_back({"AMX", kAmx, why_not.empty(), why_not});
  }
  if (MatmulU8S8OnAvx2Vnni() != nullptr) {
    const bool supported = Supported(HWY_AVX2) && HasAvxVnni();
    targets.push_back({"AVX2_VNNI", kAvx2Vnni, supported, supported ? "" : kNotSupported});
  }
}

}  // namespace

std::span<const Target> Targets() {
  static const std::vector<Target> targets = [] {
    std::vector<Target> all;
    for (int64_t left = HWY_TARGETS; left != 0; left &= left - 1) {
      const int64_t bit = left & -left;
      all.push_back(
          {hwy::TargetName(bit), bit, Supported(bit), Supported(bit) ? "" : kNotSupported, (bit & LQ_CAPS) != 0});
    }
    AddOwnTargets(all);
    std::sort(all.begin(), all.end(), [](const Target& a, const Target& b) { return a.bit < b.bit; });
    return all;
  }();
  return targets;
}

#define LQ_TEXT_OF(x) #x
#define LQ_TEXT(x) LQ_TEXT_OF(x)
const char* HighwayVersion() { return LQ_TEXT(HWY_MAJOR) "." LQ_TEXT(HWY_MINOR) "." LQ_TEXT(HWY_PATCH); }

}  // namespace lq::kernels
