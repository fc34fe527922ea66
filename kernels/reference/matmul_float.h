// What matmul_f32s4, matmul_f32s8 and matmul_f32f32 mean: floats times integer codes, or floats, with float scales for
// blocks along k.
#ifndef LANEQUANT_KERNELS_REFERENCE_MATMUL_FLOAT_H_
#define LANEQUANT_KERNELS_REFERENCE_MATMUL_FLOAT_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace lq::reference {

// One output channel.
struct BlockChannel {
  std::span<const float> q;       // [k]
  std::span<const float> scale;   // [blocks]
  std::span<const float> offset;  // [blocks], or empty
  size_t block;                   // the last one may be short
};

// The sum over k of a[k] * (q[k] + offset) * scale, in binary32, in the order of contracts_matmul_float.h.
float BlockTotal(std::span<const float> a, const BlockChannel& channel);

}  // namespace lq::reference

#endif  // LANEQUANT_KERNELS_REFERENCE_MATMUL_FLOAT_H_
