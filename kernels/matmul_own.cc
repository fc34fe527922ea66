#include "kernels/matmul_own.h"

#include <algorithm>

#include "kernels/own_targets.h"
#include "kernels/targets.h"

namespace lq::kernels {

std::vector<Variant<MatmulFn>> WithOwnTargets(std::vector<Variant<MatmulFn>> highway, const OwnVariants& own) {
  for (const Target& target : Targets()) {
    if (!target.supported) continue;
    const MatmulFn run = target.bit == kAmx ? own.amx : target.bit == kAvx2Vnni ? own.avx2_vnni : nullptr;
    if (run != nullptr) highway.push_back({target.name, target.bit, run});
  }
  std::sort(highway.begin(), highway.end(), [](const auto& a, const auto& b) { return a.target < b.target; });
  return highway;
}

}  // namespace lq::kernels
