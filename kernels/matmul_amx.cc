// The AMX variants of the matrix products. Few rows are left to the vector kernels: a tile of fewer than 16 rows costs
// as much as a full one, and from L3 or memory the weights are what takes the time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul_amx.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/amx_tiles.h"
#include "kernels/matmul_amx-inl.h"

#if HWY_TARGET == HWY_AVX3_DL  // of every CPU with AMX
HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {

void MatmulU8S8(const MatmulArgs& args);
void MatmulU8S4(const MatmulArgs& args);
void MatmulU16S8(const MatmulArgs& args);
void MatmulU16S4(const MatmulArgs& args);

// Rows of bytes. A pass of 16 rows over a panel in L2 takes as long as two rows of 8-bit dot products; packing A and
// expanding s4 panels (1.4 products for each tile) move the crossing up.
constexpr size_t kVectorRowsS8 = 4, kVectorRowsS4 = 8;

void MatmulU8S8Amx(const MatmulArgs& args) {
  if (args.m <= kVectorRowsS8) return MatmulU8S8(args);
  amx_panels::MultiplyS8<AmxTiles, 1>(args);
}

void MatmulU8S4Amx(const MatmulArgs& args) {
  if (args.m <= kVectorRowsS4 || !amx_panels::MultiplyS4<AmxTiles, 1>(args)) MatmulU8S4(args);
}

void MatmulU16S8Amx(const MatmulArgs& args) {
  if (2 * args.m <= kVectorRowsS8) return MatmulU16S8(args);
  amx_panels::MultiplyS8<AmxTiles, 2>(args);
}

void MatmulU16S4Amx(const MatmulArgs& args) {
  if (2 * args.m <= kVectorRowsS4 || !amx_panels::MultiplyS4<AmxTiles, 2>(args)) MatmulU16S4(args);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
#include "kernels/matmul_own.h"

namespace lq::kernels {

MatmulFn MatmulU8S8OnAmx() { return HWY_CHOOSE_AVX3_DL(MatmulU8S8Amx); }
MatmulFn MatmulU8S4OnAmx() { return HWY_CHOOSE_AVX3_DL(MatmulU8S4Amx); }
MatmulFn MatmulU16S8OnAmx() { return HWY_CHOOSE_AVX3_DL(MatmulU16S8Amx); }
MatmulFn MatmulU16S4OnAmx() { return HWY_CHOOSE_AVX3_DL(MatmulU16S4Amx); }

}  // namespace lq::kernels
#endif  // HWY_ONCE
