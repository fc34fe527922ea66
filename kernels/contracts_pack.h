// Contracts of what packs weights: those of a layer when it is prepared, and at run time the second operand of a
// product of two activations, where sums of codes make up for offsets. kernels/contracts.h says what all kernels
// promise.
#ifndef LANEQUANT_KERNELS_CONTRACTS_PACK_H_
#define LANEQUANT_KERNELS_CONTRACTS_PACK_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/variant.h"

namespace lq::kernels {

// Stretches of the panels of packing.h and packing_blocks.h.
enum class RowFormat {
  kS8,       // a panel of PackS8: [k quad][channels][4 k], missing k zeros
  kS4,       // a superblock of PackS4 without its scales: [pair of quads][channels][4 bytes]; codes in -8..7
  kBlockS8,  // the codes of a block of PackBlocks: [k][channels]
  kBlockS4,  // [8 k][channels] of 32 bits, missing k zeros; codes in -8..7
};
struct PackRowsArgs {
  const int8_t* codes;  // channel 0, k 0; of missing channels zeros
  size_t channels;      // a multiple of 16
  size_t k, stride;     // bytes from channel to channel
  RowFormat format;
  void* out;
};
using PackRowsFn = void (*)(const PackRowsArgs&);
std::span<const Variant<PackRowsFn>> PackRowsVariants();

// The same from codes of which k are the rows, and what they add up to.
struct PackColumnsArgs {
  const int8_t* codes;  // k 0, channel 0; channels are neighbours
  size_t channels;      // a multiple of 16, at most 64
  size_t k, stride;     // k a multiple of 4, of kS4 of 8; bytes from k to k
  RowFormat format;     // kS8 or kS4
  void* out;
  int32_t* sum;           // [channels]: over k of the codes; k <= 2^23
  int32_t* absolute_sum;  // [channels]: of |code|
};
using PackColumnsFn = void (*)(const PackColumnsArgs&);
std::span<const Variant<PackColumnsFn>> PackColumnsVariants();

// The sums over k of w and of |w| of one channel, w = code * scale of its block.
struct SumWeightsArgs {
  const int8_t* codes;
  size_t k, block;        // divides k
  const uint32_t* scale;  // one for each block; null: 1
  int32_t* sum;
  int32_t* absolute_sum;  // below 2^31
};
using SumWeightsFn = void (*)(const SumWeightsArgs&);
std::span<const Variant<SumWeightsFn>> SumWeightsVariants();

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
