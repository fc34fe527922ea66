// The choice of a kernel variant, made once, when a layer is prepared.
#ifndef LANEQUANT_RUNTIME_VARIANTS_H_
#define LANEQUANT_RUNTIME_VARIANTS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/contracts.h"
#include "kernels/targets.h"

namespace lq {

// The bit of a target name (any case); 0, no cap, for "" and for "AMX" even where it is not compiled in; nothing for an
// unknown name.
std::optional<int64_t> TargetBit(std::string_view name);

// The best variant not above the cap; if all are above it, the lowest one (the baseline always runs).
template <class Fn>
const kernels::Variant<Fn>& Best(std::span<const kernels::Variant<Fn>> variants, std::string_view max_isa) {
  const int64_t cap = TargetBit(max_isa).value_or(0);
  for (const kernels::Variant<Fn>& variant : variants) {
    if (variant.target >= cap) return variant;
  }
  return variants.back();
}

template <class Fn>
struct Chosen {
  Fn run = nullptr;
  std::string name;            // "AVX3_DL"
  std::string why_not_better;  // one reason for each better target that is compiled in
};

// Best, and why.
template <class Fn>
Chosen<Fn> Choose(std::span<const kernels::Variant<Fn>> variants, const std::string& max_isa) {
  const int64_t cap = TargetBit(max_isa).value_or(0);
  const kernels::Variant<Fn>& best = Best(variants, max_isa);
  Chosen<Fn> chosen{best.run, best.name, ""};
  for (const kernels::Target& target : kernels::Targets()) {
    if (target.bit >= best.target) break;
    if (target.is_cap) continue;
    if (!chosen.why_not_better.empty()) chosen.why_not_better += "; ";
    chosen.why_not_better += target.name;
    chosen.why_not_better += !target.supported  ? ": " + target.why_not
                             : target.bit < cap ? ": above the cap " + max_isa
                                                : ": no variant of this kernel";
  }
  return chosen;
}

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_VARIANTS_H_
