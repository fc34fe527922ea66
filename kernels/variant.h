// One compiled form of a kernel.
#ifndef LANEQUANT_KERNELS_VARIANT_H_
#define LANEQUANT_KERNELS_VARIANT_H_

#include <cstdint>

namespace lq::kernels {

template <class Fn>
struct Variant {
  const char* name;  // as hwy::TargetName, "AVX3_DL"
  int64_t target;    // Highway's bit, or one of own_targets.h: smaller is better
  Fn run;
};

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_VARIANT_H_
