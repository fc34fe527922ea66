// Rows of floats x panels of packed codes with float scales (contracts_matmul_float.h). A tile is kRows rows x kVectors
// vectors of channels; codes become floats in registers, which costs the multiply-add units nothing: with six rows the
// permutations and shifts are hidden behind them. Totals stand in memory (L1) from block to block.

#if defined(LANEQUANT_KERNELS_MATMUL_FLOAT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_MATMUL_FLOAT_INL_H_
#undef LANEQUANT_KERNELS_MATMUL_FLOAT_INL_H_
#else
#define LANEQUANT_KERNELS_MATMUL_FLOAT_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "kernels/contracts_matmul_float.h"
#include "kernels/epilogue_real-inl.h"
#include "kernels/fused-inl.h"
#include "kernels/matmul_float_codes-inl.h"
#include "kernels/matmul_rows.h"
#include "kernels/matmul_tile-inl.h"
#include "kernels/packing.h"
#include "kernels/packing_blocks.h"
#include "kernels/small_floats-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace matmul_float {

using fused::DF;
using fused::VF;

// Rows of a strip, the panel that they meet, and their totals.
struct StripArgs {
  const float* a;        // [k][rows of the strip]
  const float* sums;     // of row 0: one per block; null where weights have no offsets
  const uint8_t* panel;  // first block
  size_t groups;
  float* totals;  // kPanelChannels per row
};

// The bytes of a block in a panel.
struct Block {
  const uint8_t* codes;
  const uint8_t* scale;  // floats
  size_t begin, size;    // in k
};

// The blocks of a panel, in order. Sizes are computed once: a division for each block would show with one row.
class Blocks {
 public:
  Blocks(const PackedBlocks& layout, size_t groups, const uint8_t* panel)
      : size_(layout.block),
        last_(layout.BlockSize(layout.blocks() - 1)),
        count_(layout.blocks()),
        code_bytes_(layout.CodeBytes(size_, groups)),
        last_code_bytes_(layout.CodeBytes(last_, groups)),
        float_bytes_((layout.has_offsets ? 2 : 1) * groups * kGroupChannels * sizeof(float)),
        at_(panel) {}

  size_t count() const { return count_; }
  Block Next(size_t b) {
    const bool whole = b + 1 < count_;
    const uint8_t* scale = at_ + (whole ? code_bytes_ : last_code_bytes_);
    const Block block = {at_, scale, b * size_, whole ? size_ : last_};
    at_ = scale + float_bytes_;
    return block;
  }

 private:
  const size_t size_, last_, count_, code_bytes_, last_code_bytes_, float_bytes_;
  const uint8_t* at_;
};

#if HWY_HAVE_SCALABLE
// No arrays of vectors there: one vector of channels at a time.
constexpr size_t kMaxRows = 1;

template <class Codes, size_t kRows>
static void Strip(const StripArgs& args, const PackedBlocks& layout) {
  const DF df;
  const size_t channels = args.groups * kGroupChannels;
  std::memset(args.totals, 0, channels * sizeof(float));
  Blocks blocks(layout, args.groups, args.panel);
  for (size_t b = 0; b < blocks.count(); ++b) {
    const Block block = blocks.Next(b);
    const float* scale = reinterpret_cast<const float*>(block.scale);
    const float* a = args.a + block.begin;
    for (size_t c = 0; c < channels; c += hn::Lanes(df)) {
      VF dot = hn::Zero(df);
      for (size_t k = 0; k < block.size; ++k) {
        dot = fused::MulAdd(hn::Set(df, a[k]), Codes::At(block.codes, channels, k, c), dot);
      }
      if (args.sums != nullptr) {
        dot = fused::MulAdd(hn::Set(df, args.sums[b]), hn::LoadU(df, scale + channels + c), dot);
      }
      const VF total = fused::MulAdd(dot, hn::LoadU(df, scale + c), hn::LoadU(df, args.totals + c));
      hn::StoreU(total, df, args.totals + c);
    }
  }
}

#else

constexpr size_t kLanes = hn::MaxLanes(DF());
constexpr size_t kGroupVectors = kGroupChannels / kLanes;
// 24 accumulators where there are 32 registers, 8 of 16; one row takes the whole panel, for the hardware's prefetcher.
constexpr bool kManyRegisters = kLanes == 16 || !HWY_ARCH_X86;
constexpr size_t kMaxRows = kManyRegisters ? 6 : kLanes == 8 ? 4 : 2;
template <size_t kRows>
constexpr size_t kVectorsOf = kManyRegisters ? 4
                              : kRows == 1   ? 8
                                             : 2;

template <size_t kRows, size_t kVectors>
using Sums = VF[kRows][kVectors];

// A vector of codes times one element of each row.
template <size_t kRows, size_t kVectors>
HWY_INLINE void AddCode(const float* a, VF code, size_t v, Sums<kRows, kVectors>& dot) {
  LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
    dot[r][v] = fused::MulAdd(hn::Set(DF(), a[r]), code, dot[r][v]);
    LQ_OPAQUE(dot[r][v]);
  }
}

// Code kJ of every word.
template <class Codes, size_t kJ, size_t kRows, size_t kVectors>
HWY_INLINE void AddColumn(const float* a, const typename Codes::Word (&words)[kVectors], Sums<kRows, kVectors>& dot) {
  LQ_UNROLL for (size_t v = 0; v < kVectors; ++v) AddCode(a + kJ * kRows, Codes::template At<kJ>(words[v]), v, dot);
}

// Code kJ of the word of vector v. A broadcast of its own for each product, from memory: kept in registers for other
// vectors they would push accumulators out. That the pointer comes back changed, as far as g++ knows, keeps it from
// finding the broadcasts of the vector before.
template <class Codes, size_t kJ, size_t kRows, size_t kVectors>
HWY_INLINE void AddOne(const float*& a, const typename Codes::Word& word, size_t v, Sums<kRows, kVectors>& dot) {
  LQ_OPAQUE_POINTER(a);
  AddCode(a + kJ * kRows, Codes::template At<kJ>(word), v, dot);
}

// All codes of a word of each vector. Few rows have few chains of dependent operations: they go through the vectors
// first. With more, words would take the registers.
template <class Codes, size_t kRows, size_t kVectors, size_t... kJ>
HWY_INLINE void AddWords(const float* a, const uint8_t* w, Sums<kRows, kVectors>& dot, std::index_sequence<kJ...>) {
  if constexpr (kRows <= 2) {
    typename Codes::Word words[kVectors];
    LQ_UNROLL for (size_t v = 0; v < kVectors; ++v) words[v] = Codes::Load(w + v * Codes::kVectorBytes);
    (AddColumn<Codes, kJ>(a, words, dot), ...);
  } else {
    LQ_UNROLL for (size_t v = 0; v < kVectors; ++v) {
      const typename Codes::Word word = Codes::Load(w + v * Codes::kVectorBytes);
      (AddOne<Codes, kJ>(a, word, v, dot), ...);
    }
  }
}

// The first `count` codes of a word of each vector.
template <class Codes, size_t kRows, size_t kVectors, size_t... kJ>
HWY_INLINE void AddPartOfWords(const float* a, const uint8_t* w, size_t count, Sums<kRows, kVectors>& dot,
                               std::index_sequence<kJ...>) {
  LQ_UNROLL for (size_t v = 0; v < kVectors; ++v) {
    const typename Codes::Word word = Codes::Load(w + v * Codes::kVectorBytes);
    ((kJ < count ? AddOne<Codes, kJ>(a, word, v, dot) : void()), ...);
  }
}

// The products of one block. w: its codes, from the tile's first channel on.
template <class Codes, size_t kRows, size_t kVectors>
HWY_INLINE void AddBlock(const StripArgs& args, const Block& block, const uint8_t* w, Sums<kRows, kVectors>& dot) {
  const float* a = args.a + block.begin * kRows;
  const size_t step = args.groups * kGroupVectors * Codes::kVectorBytes;
  size_t left = block.size;
  for (; left >= Codes::kPerWord; left -= Codes::kPerWord, a += Codes::kPerWord * kRows, w += step) {
    AddWords<Codes, kRows, kVectors>(a, w, dot, std::make_index_sequence<Codes::kPerWord>());
  }
  if constexpr (Codes::kPerWord > 1) {
    AddPartOfWords<Codes, kRows, kVectors>(a, w, left, dot, std::make_index_sequence<Codes::kPerWord - 1>());
  }
}

// dot += sum of the row * offset.
template <size_t kRows, size_t kVectors>
HWY_INLINE void AddOffsets(const float* sums, size_t sums_stride, const float* offsets, Sums<kRows, kVectors>& dot) {
  LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
    const VF sum = hn::Set(DF(), sums[r * sums_stride]);
    LQ_UNROLL for (size_t v = 0; v < kVectors; ++v) {
      dot[r][v] = fused::MulAdd(sum, hn::LoadU(DF(), offsets + v * kLanes), dot[r][v]);
    }
  }
}

// total += dot * scale. `totals` and `scales` are of the tile's first channel.
template <size_t kRows, size_t kVectors>
HWY_INLINE void AddDots(const float* scales, float* totals, Sums<kRows, kVectors>& dot) {
  const DF df;
  LQ_OPAQUE_POINTER(totals);  // else g++ copies the totals to the stack for the loop over blocks
  LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
    LQ_UNROLL for (size_t v = 0; v < kVectors; ++v) {
      float* total = totals + r * kPanelChannels + v * kLanes;
      const VF sum = fused::MulAdd(dot[r][v], hn::LoadU(df, scales + v * kLanes), hn::LoadU(df, total));
      hn::StoreU(sum, df, total);
    }
  }
}

// kRows rows x kVectors vectors from vector `first` of the panel on, over the whole of k.
template <class Codes, size_t kRows, size_t kVectors>
static HWY_NOINLINE void Tile(const StripArgs& args, const PackedBlocks& layout, size_t first) {
  float* totals = args.totals + first * kLanes;
  for (size_t r = 0; r < kRows; ++r) std::memset(totals + r * kPanelChannels, 0, kVectors * kLanes * sizeof(float));
  Blocks blocks(layout, args.groups, args.panel);
  for (size_t b = 0; b < blocks.count(); ++b) {
    const Block block = blocks.Next(b);
    Sums<kRows, kVectors> dot;
    LQ_UNROLL for (size_t r = 0; r < kRows; ++r) {
      LQ_UNROLL for (size_t v = 0; v < kVectors; ++v) {
        dot[r][v] = hn::Zero(DF());
        LQ_OPAQUE(dot[r][v]);
      }
    }
    AddBlock<Codes, kRows, kVectors>(args, block, block.codes + first * Codes::kVectorBytes, dot);
    const float* scales = reinterpret_cast<const float*>(block.scale) + first * kLanes;
    if (args.sums != nullptr) {
      AddOffsets(args.sums + b, blocks.count(), scales + args.groups * kGroupChannels, dot);
    }
    AddDots(scales, totals, dot);
  }
}

template <class Codes, size_t kRows>
static void Strip(const StripArgs& args, const PackedBlocks& layout) {
  constexpr size_t kVectors = kVectorsOf<kRows>;
  const size_t vectors = args.groups * kGroupVectors;
  size_t first = 0;
  for (; first + kVectors <= vectors; first += kVectors) Tile<Codes, kRows, kVectors>(args, layout, first);
  if constexpr (kVectors > kGroupVectors) {
    for (; first < vectors; first += kGroupVectors) Tile<Codes, kRows, kGroupVectors>(args, layout, first);
  }
}

#endif  // HWY_HAVE_SCALABLE

template <class Codes, size_t... kIndex>
HWY_INLINE void CallStrip(const StripArgs& args, const PackedBlocks& layout, size_t rows,
                          std::index_sequence<kIndex...>) {
  ((rows == kIndex + 1 ? Strip<Codes, kIndex + 1>(args, layout) : void()), ...);
}

// Rows of A as floats, strip by strip as StripArgs has them, and the sums of each row over each block.
struct Rows {
  const float* a;
  const float* sums;  // or null
};

// Element j of the row at out[j * step].
template <FloatType kType>
HWY_INLINE void CopyRow(const void* in, size_t k, size_t step, float* out) {
  constexpr size_t kPiece = 64;
  HWY_ALIGN float piece[kPiece];
  const auto* from = static_cast<const small_floats::Element<kType>*>(in);
  for (size_t j = 0; j < k; j += kPiece) {
    const size_t count = std::min(kPiece, k - j);
    small_floats::ToFloats<kType>(from + j, count, piece);
    for (size_t i = 0; i < count; ++i) out[(j + i) * step] = piece[i];
  }
}

HWY_INLINE void CopyStrip(const MatmulFloatArgs& args, size_t row, size_t rows, float* out) {
  const size_t size = args.a_type == FloatType::kF32 ? 4 : 2;
  for (size_t r = 0; r < rows; ++r) {
    const void* in = static_cast<const uint8_t*>(args.a) + (row + r) * args.a_stride * size;
    if (args.a_type == FloatType::kF32) CopyRow<FloatType::kF32>(in, args.k, rows, out + r);
    if (args.a_type == FloatType::kF16) CopyRow<FloatType::kF16>(in, args.k, rows, out + r);
    if (args.a_type == FloatType::kBF16) CopyRow<FloatType::kBF16>(in, args.k, rows, out + r);
  }
}

// Of each row of a strip, one after the other.
HWY_INLINE void SumStrip(const PackedBlocks& layout, const float* a, size_t rows, float* sums) {
  for (size_t r = 0; r < rows; ++r) {
    for (size_t b = 0; b < layout.blocks(); ++b) {
      const float* block = a + b * layout.block * rows + r;
      float sum = 0.0f;
      for (size_t j = 0; j < layout.BlockSize(b); ++j) sum = sum + block[j * rows];
      *sums++ = sum;
    }
  }
}

static HWY_NOINLINE Rows PrepareRows(const MatmulFloatArgs& args, const PackedBlocks& layout, const Strips& strips) {
  float* copy = static_cast<float*>(args.scratch);
  float* sums = copy + args.m * args.k;
  const bool as_it_is = args.m == 1 && args.a_type == FloatType::kF32;
  const Rows rows = {as_it_is ? static_cast<const float*>(args.a) : copy, args.has_offsets ? sums : nullptr};
  for (size_t i = 0, row = 0; i < strips.count(); row += strips.rows(i), ++i) {
    const size_t count = strips.rows(i);
    if (!as_it_is) CopyStrip(args, row, count, copy + row * args.k);
    if (args.has_offsets) SumStrip(layout, rows.a + row * args.k, count, sums + row * layout.blocks());
  }
  return rows;
}

static HWY_NOINLINE void FinishStrip(const MatmulFloatArgs& args, const float* totals, Block2d where) {
  FinishArgs finish{};
  finish.totals = totals;
  finish.acc_stride = kPanelChannels;
  finish.rows = where.rows;
  finish.n0 = where.n0;
  finish.count = std::min(kPanelChannels, args.n_end - where.n0);
  finish.epilogue = args.epilogue;
  finish.type = args.out_type;
  finish.out = static_cast<uint8_t*>(args.out) + (where.row * args.out_stride + where.n0) * SizeOf(args.out_type);
  finish.out_stride = args.out_stride;
  FinishFloats(finish);
}

// Panels outside, strips of rows inside: a panel is read from memory once and stays in L2.
template <class Codes>
static void MultiplyPanels(const MatmulFloatArgs& args) {
  const PackedBlocks layout = {args.n, args.k, args.block, Codes::kBits, args.has_offsets};
  const uint8_t* w = static_cast<const uint8_t*>(args.w);
  HWY_ALIGN float totals[kMaxRows * kPanelChannels];
  const Strips strips(args.m, kMaxRows);
  const Rows rows = PrepareRows(args, layout, strips);
  for (size_t n0 = args.n_begin; n0 < args.n_end; n0 += kPanelChannels) {
    const uint8_t* panel = w + layout.PanelOffset(n0);
    for (size_t i = 0, row = 0; i < strips.count(); row += strips.rows(i), ++i) {
      const float* sums = rows.sums == nullptr ? nullptr : rows.sums + row * layout.blocks();
      const StripArgs strip = {rows.a + row * args.k, sums, panel, PanelGroups(args.n, n0), totals};
      CallStrip<Codes>(strip, layout, strips.rows(i), std::make_index_sequence<kMaxRows>());
      FinishStrip(args, totals, {row, strips.rows(i), n0});
    }
  }
}

}  // namespace matmul_float
// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_MATMUL_FLOAT_INL_H_
