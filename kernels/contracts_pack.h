// Contracts of what prepares the operands of a product of two activations, at run time: the second one is packed as
// weights are, and sums of codes make up for offsets. kernels/contracts.h says what all kernels promise.
#ifndef LANEQUANT_KERNELS_CONTRACTS_PACK_H_
#define LANEQUANT_KERNELS_CONTRACTS_PACK_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/variant.h"

namespace lq::kernels {

// One panel of PackS8 (packing.h) from bytes in memory: weight (channel c, k) is byte (c, k), less 128 where `flip` is
// set (u8 codes; s8 codes come as they are). n <= 64 channels, missing ones are zeros.
struct PackCodesArgs {
  const uint8_t* in;  // channel 0, k 0
  size_t n, k;
  size_t stride;           // bytes: from k to k, or if channels are rows from channel to channel
  bool channels_are_rows;  // else neighbours in memory
  bool flip;
  int8_t* out;         // PackedS8Bytes(n, k)
  double* weight_sum;  // [64]: sums over k of the weights; k <= 2^23
};
using PackCodesFn = void (*)(const PackCodesArgs&);
std::span<const Variant<PackCodesFn>> PackCodesVariants();

// out[i] = sum of the n codes of row i, u8 or (wide) u16.
struct SumCodesArgs {
  const void* in;
  bool wide;
  size_t rows, n;
  size_t stride;  // bytes
  double* out;
};
using SumCodesFn = void (*)(const SumCodesArgs&);
std::span<const Variant<SumCodesFn>> SumCodesVariants();

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_CONTRACTS_PACK_H_
