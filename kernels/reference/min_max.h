// What the kernel min_max means.
#ifndef LANEQUANT_KERNELS_REFERENCE_MIN_MAX_H_
#define LANEQUANT_KERNELS_REFERENCE_MIN_MAX_H_

namespace lq::reference {

struct Extremes {
  float min, max;
};

// With `value` among them. NaN wins over numbers; a zero counts as +0.
Extremes Include(Extremes extremes, float value);

}  // namespace lq::reference

#endif  // LANEQUANT_KERNELS_REFERENCE_MIN_MAX_H_
