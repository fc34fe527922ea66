// The targets that kernels were compiled for, without Highway's headers.
#ifndef LANEQUANT_KERNELS_TARGETS_H_
#define LANEQUANT_KERNELS_TARGETS_H_

#include <cstdint>
#include <span>
#include <string>

namespace lq::kernels {

struct Target {
  const char* name;
  int64_t bit;          // Highway's, or one of own_targets.h: the smaller the better
  bool supported;       // by this CPU
  std::string why_not;  // "not supported by this CPU"; empty if it is
  bool is_cap = false;  // a name only: no kernel is compiled for it, the next target stands in
};

// Best first.
std::span<const Target> Targets();

// Highway's version, "1.2.0".
const char* HighwayVersion();

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_TARGETS_H_
