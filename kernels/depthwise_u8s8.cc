// Depthwise convolution with s8 weights by the native 8-bit dot, four rows of a column at a time. For a chunk of
// channels and one or two output rows: the columns of a segment of the row are interleaved into a buffer in L1
// (depthwise_columns-inl.h), from where dots turn them into outputs (depthwise_dots-inl.h).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/depthwise_u8s8.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "kernels/contracts.h"
#include "kernels/depthwise_columns-inl.h"
#include "kernels/depthwise_dots-inl.h"
#include "kernels/epilogue-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
namespace depthwise_u8s8 {

// What does not change from row to row.
struct Layer {
  const DepthwiseU8S8Args& args;
  PackedDepthwiseS8 layout;
};

// The output rows y .. of a chunk, `rows` of them real, and the quads that they read.
struct Rows {
  const Layer& layer;
  const DepthwiseChunk& chunk;
  size_t y, rows;
  DepthwiseTaps taps;
};

DepthwiseBand MakeBand(const Layer& layer, const DepthwiseChunk& chunk, size_t y, const uint8_t* zeros) {
  const Window& w = layer.args.window;
  const size_t used = w.kernel_height + (layer.layout.output_rows() - 1) * w.stride_height;
  DepthwiseBand band{{}, {}, layer.layout.quads(), w.in_width, w.channels, layer.args.zero_code};
  for (size_t i = 0; i < kDepthwiseRows; ++i) {
    const size_t in_y = y * w.stride_height + i - w.pad_top;  // above the image: huge
    const bool inside = i < used && in_y < w.in_height;
    band.rows[i] = inside ? layer.args.in + in_y * w.in_width * w.channels + chunk.first : zeros;
    band.steps[i] = inside ? w.channels : 0;
  }
  return band;
}

// Pixels x .. of output row `row` as `Finish` makes them: every type of output, and codes near ties.
template <size_t kRows, bool kShared>
static HWY_NOINLINE void FinishPixels(const Rows& rows, size_t row, size_t x, const uint8_t* at) {
  const D32 d;
  const DepthwiseU8S8Args& args = rows.layer.args;
  const size_t channels = args.window.channels, y = rows.y + row;
  Sums<kRows> sums;
  for (auto& of_row : sums.acc) {
    for (auto& vectors : of_row) std::fill(vectors, vectors + 4, hn::Zero(d));
  }
  Accumulate<kRows, kShared, false>(rows.taps, rows.chunk.w, at, sums);
  alignas(64) int32_t vector[16];
  alignas(64) int32_t acc[64];
  for (size_t v = 0; v < 4; ++v) {
    hn::Store(row == 0 ? sums.acc[0][0][v] : sums.acc[kRows - 1][0][v], d, vector);
    for (size_t i = 0; i < 16; ++i) acc[i / 4 * 16 + 4 * v + i % 4] = vector[i];
  }
  const size_t element = SizeOf(args.out_type);
  const size_t first = rows.chunk.first, out_width = args.window.out_width;
  Finish({.acc = acc,
          .acc_stride = channels,
          .rows = kShared ? std::min(64 / channels, out_width - x) : 1,
          .n0 = first,
          .count = std::min<size_t>(64, channels),
          .start = args.epilogue->start_u8,
          .epilogue = args.epilogue,
          .type = args.out_type,
          .out = static_cast<uint8_t*>(args.out) + ((y * out_width + x) * channels + first) * element,
          .out_stride = channels});
}

// About one vector of 64 codes in 100 comes here.
template <size_t kRows, bool kShared>
static HWY_NOINLINE void RedoNearTies(const Rows& rows, const Codes<kRows>& result, size_t x, const uint8_t* at) {
  const size_t channels = rows.layer.args.window.channels, pixels = kShared ? 64 / channels : 1;
  const V32 near_tie = hn::Set(D32(), 2 * rows.layer.args.epilogue->window);
  LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
    LQ_UNROLL for (size_t n = 0; n < kVectors; ++n) {
      const size_t pixel = x + n * pixels;
      if (r >= rows.rows || pixel >= rows.layer.args.window.out_width) continue;
      if (hn::AllFalse(D32(), NearTie(result.lowest[r][n], near_tie))) continue;
      FinishPixels<kRows, kShared>(rows, r, pixel, at + n * rows.taps.second);
    }
  }
}

// What the steps along a row need: a local copy, because stores of codes could alias what references point to.
template <size_t kRows>
struct Steps {
  Steps(const Rows& rows, size_t pixels)
      : pixels_bytes(pixels * rows.layer.args.window.channels),
        row_bytes(rows.layer.args.window.out_width * rows.layer.args.window.channels),
        taps(rows.taps) {
    const Epilogue& e = *rows.layer.args.epilogue;
    uint8_t* out = static_cast<uint8_t*>(rows.layer.args.out) + rows.chunk.first;
    // A second row that does not exist is written where the first one then overwrites it.
    for (size_t r = 0; r < kRows; ++r) out_row[r] = out + (rows.y + std::min(r, rows.rows - 1)) * row_bytes;
    lo = hn::Set(D8(), static_cast<uint8_t>(e.to.lo));
    hi = hn::Set(D8(), static_cast<uint8_t>(e.to.hi));
    near_tie = hn::Set(D32(), 2 * e.window);
  }

  uint8_t* out_row[kRows];
  size_t pixels_bytes, row_bytes;
  DepthwiseTaps taps;
  V8 lo, hi;
  V32 near_tie;
};

// Stores the codes of kVectors vectors of pixels at byte x of the rows. 64 bytes each where the row has room for them:
// lanes beyond a short chunk are overwritten by the next pixels.
template <size_t kRows>
HWY_INLINE void StoreCodes(const Codes<kRows>& result, const Steps<kRows>& steps, size_t x) {
  const D8 d;
  const size_t left = steps.row_bytes - x, next = steps.pixels_bytes;
  LQ_UNROLL for (size_t i = 0; i < kRows; ++i) {
    const size_t r = kRows - 1 - i;
    uint8_t* out = steps.out_row[r] + x;
    if (HWY_LIKELY(left >= next + 64)) {
      hn::StoreU(result.codes[r][0], d, out);
      hn::StoreU(result.codes[r][1], d, out + next);
    } else {
      hn::BlendedStore(result.codes[r][0], hn::FirstN(d, std::min<size_t>(left, 64)), d, out);
      if (left <= next) continue;
      hn::BlendedStore(result.codes[r][1], hn::FirstN(d, std::min<size_t>(left - next, 64)), d, out + next);
    }
  }
}

// kVectors vectors of pixels from x on, of all rows.
template <size_t kRows, bool kShared, bool kThree>
HWY_INLINE void FastPixels(const Rows& rows, const Steps<kRows>& steps, size_t x, const uint8_t* at) {
  const D32 d;
  const DepthwiseChunk& chunk = rows.chunk;
  Sums<kRows> sums;
  LQ_UNROLL for (size_t j = 0; j < 4; ++j) {
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) sums.acc[r][0][j] = sums.acc[r][1][j] = hn::Load(d, chunk.start[j]);
  }
  Accumulate<kRows, kShared, kThree>(steps.taps, chunk.w, at, sums);
  Codes<kRows> result;
  ToCodes(chunk, steps.lo, steps.hi, sums, result);
  StoreCodes(result, steps, x * rows.layer.args.window.channels);
  auto lowest = epilogue::MinHalves(result.lowest[0][0], result.lowest[0][1]);
  if (kRows == 2) {
    lowest = epilogue::MinHalves(lowest, epilogue::MinHalves(result.lowest[kRows - 1][0], result.lowest[kRows - 1][1]));
  }
  if (HWY_LIKELY(hn::AllFalse(d, NearTie(lowest, steps.near_tie)))) return;
  RedoNearTies<kRows, kShared>(rows, result, x, at);
}

// All steps along the rows whose outputs [x0, x1) have their columns in the buffer.
template <size_t kRows, bool kShared, bool kThree>
static HWY_NOINLINE void RunSegment(const Rows& rows, size_t x0, size_t x1, const uint8_t* at) {
  const Window& w = rows.layer.args.window;
  const size_t pixels = kShared ? 64 / w.channels : 1, step = kVectors * pixels;
  const Steps<kRows> steps(rows, pixels);
  for (size_t x = x0; x < x1; x += step, at += kVectors * steps.taps.second) {
    FastPixels<kRows, kShared, kThree>(rows, steps, x, at);
  }
}

// The same for outputs that are not codes of the fast way.
template <size_t kRows, bool kShared>
static HWY_NOINLINE void FinishSegment(const Rows& rows, size_t x0, size_t x1, const uint8_t* at) {
  const size_t pixels = kShared ? 64 / rows.layer.args.window.channels : 1;
  for (size_t x = x0; x < x1; x += pixels, at += rows.taps.second) {
    for (size_t r = 0; r < rows.rows; ++r) FinishPixels<kRows, kShared>(rows, r, x, at);
  }
}

template <size_t kRows, bool kShared>
void RunRows(const Rows& rows, const DepthwiseBand& band, Columns<kShared>& columns) {
  const DepthwiseU8S8Args& args = rows.layer.args;
  const Window& w = args.window;
  const size_t step = kVectors * (kShared ? 64 / w.channels : 1);
  const bool three = rows.taps.quads == 1 && w.kernel_width == 3 && w.stride_width == 1;
  // Outputs of a segment: whole steps whose columns fit the buffer.
  const size_t segment = ((columns.capacity - w.kernel_width) / w.stride_width + 1) / step * step;
  for (size_t x0 = 0; x0 < w.out_width; x0 += segment) {
    const size_t x1 = std::min(x0 + segment, w.out_width), outputs = (x1 - x0 + step - 1) / step * step;
    const ptrdiff_t begin = static_cast<ptrdiff_t>(x0 * w.stride_width) - static_cast<ptrdiff_t>(w.pad_left);
    const size_t count = (outputs - 1) * w.stride_width + w.kernel_width;
    FillColumns<kShared>(band, begin, begin + static_cast<ptrdiff_t>(count), columns);
    if (args.out_type != OutputType::kU8 || !args.epilogue->fast) {
      FinishSegment<kRows, kShared>(rows, x0, x1, columns.bytes);
    } else if (three) {
      RunSegment<kRows, kShared, true>(rows, x0, x1, columns.bytes);
    } else {
      RunSegment<kRows, kShared, false>(rows, x0, x1, columns.bytes);
    }
  }
}

template <size_t kRows, bool kShared>
void RunChunk(const Layer& layer, size_t index, Columns<kShared>& columns) {
  const Window& w = layer.args.window;
  const DepthwiseChunk chunk(layer.args, layer.layout, index);
  alignas(64) uint8_t zeros[64];
  std::memset(zeros, layer.args.zero_code, sizeof(zeros));
  const DepthwiseTaps taps{layer.layout.quads(), w.kernel_width, columns.quad_step, columns.column_step,
                           kShared ? 64 : w.stride_width * columns.column_step};
  for (size_t y = w.y_begin; y < w.y_end; y += kRows) {
    const DepthwiseBand band = MakeBand(layer, chunk, y, zeros);
    RunRows<kRows, kShared>({layer, chunk, y, std::min(kRows, w.y_end - y), taps}, band, columns);
  }
}

template <bool kShared>
void RunLayer(const Layer& layer) {
  Columns<kShared> columns(layer.layout.quads(), layer.layout.channels);
  for (size_t index = 0; index < layer.layout.chunks(); ++index) {
    if (layer.layout.output_rows() == 2) {
      RunChunk<2, kShared>(layer, index, columns);
    } else {
      RunChunk<1, kShared>(layer, index, columns);
    }
  }
}

}  // namespace depthwise_u8s8

void DepthwiseU8S8(const DepthwiseU8S8Args& args) {
  const Window& w = args.window;
  const depthwise_u8s8::Layer layer{args,
                                    {w.channels, w.kernel_height, w.kernel_width, w.stride_height, w.stride_width}};
  if (layer.layout.pixels() == 1) {
    depthwise_u8s8::RunLayer<false>(layer);
  } else {
    depthwise_u8s8::RunLayer<true>(layer);
  }
}

DepthwiseU8S8Fn DepthwiseU8S8OfTarget() { return DepthwiseU8S8; }
#else
DepthwiseU8S8Fn DepthwiseU8S8OfTarget() { return nullptr; }
#endif

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<DepthwiseU8S8Fn>> DepthwiseU8S8Variants() {
  static const std::vector<Variant<DepthwiseU8S8Fn>> variants = [] {
    std::vector<Variant<DepthwiseU8S8Fn>> native;
    for (const auto& v : Runnable<DepthwiseU8S8Fn (*)()>(LQ_VARIANTS(DepthwiseU8S8OfTarget))) {
      if (v.run() != nullptr) native.push_back({v.name, v.target, v.run()});
    }
    return native;
  }();
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
