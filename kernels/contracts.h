// The contracts of all kernels. A kernel is a pure function over pointers and sizes: no allocation, no threads, no
// failure, no global state. Its variants (one per CPU target) stand in a table of plain values, best first.
// kernels/reference/reference.h says in scalar C++ what each one means.
//
// Activations here are always u8 or, on grids of 9 to 16 bits, u16 codes: a signed grid is stored with 2^(bitwidth-1)
// added to the code and subtracted from the offset, which leaves q + offset as it was. Images are channels last. No
// kernel reads or writes outside the ranges stated, not even by a vector.
#ifndef LANEQUANT_KERNELS_CONTRACTS_H_
#define LANEQUANT_KERNELS_CONTRACTS_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/contracts_quantize.h"
#include "kernels/variant.h"
#include "lanequant/encoding.h"

namespace lq::kernels {

// ---- Codes ---------------------------------------------------------------------------------------------------------

// The grid of an output and how to round to it. qmin <= lo <= hi <= qmax: a fused clip may narrow the encoding's own
// grid.
struct QuantizeTo {
  float scale;
  int32_t offset;
  int32_t qmin, qmax;  // of the encoding: profile aimet_onnx clamps values to them before it rounds
  int32_t lo, hi;      // final clamp
  RoundingProfile profile;
};

// out[i] = table[in[i]]: any function of one coded tensor. in == out is allowed.
struct LookupArgs {
  const uint8_t* in;
  size_t n;
  const uint8_t* table;  // 256 bytes
  uint8_t* out;
};
using LookupFn = void (*)(const LookupArgs&);
std::span<const Variant<LookupFn>> LookupVariants();

// ---- Weighted layers (exact_simulator.md 4) ------------------------------------------------------------------------

enum class OutputType {
  kU8,   // codes of Epilogue::to
  kU16,  // the same, of a grid of 9 to 16 bits
  kF32,  // the real value, rounded once to float
  kF64,  // the real value
  kF16,  // the float of kF32, rounded again to nearest even
  kBF16,
  kS32,  // acc, which fits; matmuls of codes only
};
constexpr size_t SizeOf(OutputType type) {
  switch (type) {
    case OutputType::kU8:
      return 1;
    case OutputType::kU16:
    case OutputType::kF16:
    case OutputType::kBF16:
      return 2;
    case OutputType::kF32:
    case OutputType::kS32:
      return 4;
    case OutputType::kF64:
      break;
  }
  return 8;
}

// What turns an accumulator into an output. Arrays hold one value per output channel, readable up to the next multiple
// of 64 channels. In this order, in binary64, one rounding per operation:
//   acc = dot(raw codes, w) + start;  y = double(acc) * scale;  y = y + bias (if any);
//   y = (y - bn_mean) * bn_gain + bn_beta (if any);  clip (real outputs only: coded ones clip by lo, hi);
//   t = y / to.scale;  code = clamp(rint(t) - to.offset, lo, hi), or the profile's way.
struct Epilogue {
  const int32_t* start_u8;    // o_x * sum(w), modulo 2^32: for dots of the u8 codes
  const int32_t* start_s8;    // (o_x + 128) * sum(w): for dots of the codes minus 128
  const int64_t* start_wide;  // start_u8 in 64 bits (matmul_u8s16 and matmul_u16s16 only)
  // u16 codes, split into bytes: the same for 256 * (dot of the high bytes) + (dot of the low ones), exact in binary64.
  const double* start_u16;  // o_x * sum(w)
  const double* start_s16;  // (o_x + 128 * 257) * sum(w): for dots of the bytes minus 128
  bool narrow;              // acc of u16 codes is known to fit int32: 256 * high + low + start_u8 is right modulo 2^32
  const double* scale;
  const double* bias;     // or null
  const double* bn_mean;  // or null: then bn_gain and bn_beta are too
  const double* bn_gain;
  const double* bn_beta;
  double clip_min, clip_max;  // infinite where there is no clip
  QuantizeTo to;              // kU8 and kU16 only
  // The fast way to a code (performance.md 4j; proof in epilogue-inl.h): U = int(float(acc) * fast_mul + fast_add)
  // holds the code in its high 16 bits; where the low 16 are below 2 * window the lane is redone as above. fast =
  // false: always redo.
  const float* fast_mul;
  const float* fast_add;
  int32_t window;
  bool fast;
  // The same in binary64, for u16 codes of either side (proof in epilogue_real-inl.h): v = acc * real_mul + real_add is
  // t - to.offset; where it is near a half the lane is redone.
  const double* real_mul;
  const double* real_add;
};

// Terms that vary by row: rows quantized on the fly, products of two activations. In the place of start and scale, for
// row r of the call
//   acc = dot + offset[r] * weight_sum + start[r];  y = double(acc) * (scale[r] * Epilogue::scale)
// All but scale are integers; 255 * (sum over k of |w|) < 2^31 where the accumulators are int32, and acc and each of
// its terms below 2^53.
struct RowTerms {
  const double* weight_sum;  // per channel, the sum of w over k; readable as the epilogue's arrays
  const double* offset;
  const double* start;
  // null: 1; only without it can outputs be codes. `fast` then also says that acc and offset * weight_sum + start fit
  // int32.
  const double* scale;
};

// Rows of A that are the patches of a convolution, read in the (padded) image: output pixel r = (image * height + y) *
// width + x begins at a + image * image_step + y * line_step + x * a_stride and is `runs` runs of run_bytes (a multiple
// of 4; k is that of all runs), run_step after one another. Steps are in bytes.
struct Patches {
  size_t width, line_step;
  size_t height, image_step;
  size_t runs, run_bytes, run_step;
};

// out[m][n_begin..n_end) = epilogue(a * w^T).
// a: m rows of k u8 codes; RoundUp(k, 4) bytes of each row are readable, the ones beyond k have any value.
// w: all the packed panels of the layer (packing.h); n_begin is a multiple of 64, n_end a multiple of 64 or n.
// The true accumulators fit int32 for u8s8 and u8s4, int64 for u8s16.
//
// u16 kernels take the same packed weights. a: m rows of k u16 codes, 2-byte aligned; nothing beyond k is read.
// u16s8 and u16s4: 255 * (sum over k of |w|) < 2^31 for each channel, which holds for |w| <= 128 up to k = 65793;
// |o_x| <= 2^24. u16s16: the true accumulators fit int64.
struct MatmulArgs {
  const uint8_t* a;
  size_t a_stride;  // bytes
  size_t m, n, k;
  const void* w;
  size_t block;  // u8s4 and u16s4 only
  size_t n_begin, n_end;
  const Epilogue* epilogue;
  OutputType out_type;
  void* out;          // row 0, channel 0
  size_t out_stride;  // elements
  void* scratch;      // MatmulScratchBytes(), or MatmulU16ScratchBytes(), 64-byte aligned
  const RowTerms* row_terms = nullptr;
  const Patches* patches = nullptr;  // u8s8 only
};
using MatmulFn = void (*)(const MatmulArgs&);
std::span<const Variant<MatmulFn>> MatmulU8S8Variants();
std::span<const Variant<MatmulFn>> MatmulU8S4Variants();
std::span<const Variant<MatmulFn>> MatmulU8S16Variants();
std::span<const Variant<MatmulFn>> MatmulU16S8Variants();
std::span<const Variant<MatmulFn>> MatmulU16S4Variants();
std::span<const Variant<MatmulFn>> MatmulU16S16Variants();

// Scratch that any matmul call of up to m rows of u8 codes needs, in bytes, whatever the variant; of u16 codes.
size_t MatmulScratchBytes(size_t m, size_t k);
size_t MatmulU16ScratchBytes(size_t m, size_t k);

// ---- Windows over images ------------------------------------------------------------------------------------------

// One image [in_height][in_width][channels] and the rows [y_begin, y_end) of its output
// [out_height][out_width][channels]. Cell (i, j) of the window of output (y, x) is input (y * stride + i * dilation -
// pad_top, likewise x).
struct Window {
  size_t in_height, in_width, channels;
  size_t out_height, out_width;
  size_t kernel_height, kernel_width;
  size_t stride_height, stride_width;
  size_t dilation_height, dilation_width;
  size_t pad_top, pad_left;
  size_t y_begin, y_end;
};

// Depthwise convolution: s16 weights packed in pairs of taps (packing.h). Accumulators fit int32.
struct DepthwiseArgs {
  const uint8_t* in;
  Window window;
  const int16_t* w;
  const uint8_t* zero_row;   // `channels` codes that stand for 0: what padding reads
  const Epilogue* epilogue;  // start_u8
  OutputType out_type;
  void* out;  // of the whole image
};
using DepthwiseFn = void (*)(const DepthwiseArgs&);
std::span<const Variant<DepthwiseFn>> DepthwiseVariants();

// The same with s8 weights (PackDepthwiseS8; its layout, that of the window, Fits), dilation 1. Only targets with a
// native 8-bit dot have a variant: there may be none.
struct DepthwiseU8S8Args {
  const uint8_t* in;
  Window window;
  const int8_t* w;
  uint8_t zero_code;         // what padding reads
  const Epilogue* epilogue;  // start_u8
  OutputType out_type;
  void* out;  // of the whole image
};
using DepthwiseU8S8Fn = void (*)(const DepthwiseU8S8Args&);
std::span<const Variant<DepthwiseU8S8Fn>> DepthwiseU8S8Variants();

// Largest code in each window; padding never wins. Every window holds at least one input cell.
struct MaxPoolArgs {
  const void* in;
  Window window;
  void* out;
  bool wide = false;  // u16 codes
};
using MaxPoolFn = void (*)(const MaxPoolArgs&);
std::span<const Variant<MaxPoolFn>> MaxPoolVariants();

// y = (double(sum of q + offset over the cells inside) * scale) / count (exact_simulator.md 6), then to `to` or real.
// A window holds at most kMaxAverageCells cells, so that its sum fits int32: kMaxAverageCellsU16 of u16 codes, uint32.
// count: cells inside the input; with count_include_pad also those inside the declared padding.
constexpr size_t kMaxAverageCells = size_t{1} << 23, kMaxAverageCellsU16 = size_t{1} << 16;
struct AveragePoolArgs {
  const void* in;
  Window window;
  size_t pad_bottom, pad_right;  // declared
  bool count_include_pad;
  float in_scale;
  int32_t in_offset;
  QuantizeTo to;
  OutputType out_type;  // of kU8, kU16, kF32, kF64
  void* out;
  bool wide = false;  // u16 codes
};
using AveragePoolFn = void (*)(const AveragePoolArgs&);
std::span<const Variant<AveragePoolFn>> AveragePoolVariants();

// ---- Element-wise (exact_simulator.md 5) ----------------------------------------------------------------------------

// One operand: codes (value fl32((q + offset) * scale)) or, where `values` is set, floats.
struct AddOperand {
  const uint8_t* codes;
  float scale;
  int32_t offset;
  const float* values;
};

// y = min(max(fl32(a + b), clip_min), clip_max), then codes of `to`, or f32 where `out_values` is set.
struct AddArgs {
  AddOperand a, b;
  size_t n;
  float clip_min, clip_max;
  QuantizeTo to;
  uint8_t* out;
  float* out_values;
};
using AddFn = void (*)(const AddArgs&);
std::span<const Variant<AddFn>> AddVariants();

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_CONTRACTS_H_
