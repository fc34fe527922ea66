#include "kernels/targets.h"

#include <hwy/highway.h>

#include <vector>

namespace lq::kernels {

std::span<const Target> Targets() {
  static const std::vector<Target> targets = [] {
    std::vector<Target> all;
    // The lowest bit is the best target.
    for (int64_t left = HWY_TARGETS; left != 0; left &= left - 1) {
      const int64_t bit = left & -left;
      all.push_back({hwy::TargetName(bit), bit, (bit & hwy::SupportedTargets()) != 0});
    }
    return all;
  }();
  return targets;
}

#define LQ_TEXT_OF(x) #x
#define LQ_TEXT(x) LQ_TEXT_OF(x)
const char* HighwayVersion() { return LQ_TEXT(HWY_MAJOR) "." LQ_TEXT(HWY_MINOR) "." LQ_TEXT(HWY_PATCH); }

}  // namespace lq::kernels
