// RoundUp: the padding of packed weights, scratch and workspaces.
#ifndef LANEQUANT_KERNELS_ROUND_UP_H_
#define LANEQUANT_KERNELS_ROUND_UP_H_

#include <cstddef>

namespace lq::kernels {

constexpr size_t RoundUp(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_ROUND_UP_H_
