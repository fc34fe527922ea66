// A table of 256 codes applied to codes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/lookup.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/contracts.h"
#include "kernels/quantize-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace lookup {

#if HWY_TARGET == HWY_SSE2 || HWY_TARGET == HWY_EMU128 || HWY_TARGET == HWY_SCALAR
// No byte shuffle.
HWY_INLINE void Run(const LookupArgs& args) {
  for (size_t i = 0; i < args.n; ++i) args.out[i] = args.table[args.in[i]];
}
#else

using D8 = hn::CappedTag<uint8_t, 64>;
using V8 = hn::Vec<D8>;

#if HWY_TARGET <= HWY_AVX3_DL

// Two permutations of 128 bytes, chosen by the highest bit. The table stays in four registers.
HWY_INLINE void Run(const LookupArgs& args) {
  const D8 d;
  const hn::RebindToSigned<D8> ds;
  const V8 t0 = hn::LoadU(d, args.table), t1 = hn::LoadU(d, args.table + 64);
  const V8 t2 = hn::LoadU(d, args.table + 128), t3 = hn::LoadU(d, args.table + 192);
  for (size_t i = 0; i < args.n; i += hn::Lanes(d)) {
    const size_t left = args.n - i;
    const V8 codes = quantize::LoadUpTo(d, args.in + i, left);
    const auto index = hn::IndicesFromVec(d, hn::And(codes, hn::Set(d, 0x7F)));
    const auto low = hn::BitCast(ds, hn::TwoTablesLookupLanes(d, t0, t1, index));
    const auto high = hn::BitCast(ds, hn::TwoTablesLookupLanes(d, t2, t3, index));
    const auto out = hn::IfNegativeThenElse(hn::BitCast(ds, codes), high, low);
    quantize::StoreUpTo(hn::BitCast(d, out), d, args.out + i, left);
  }
}

#else

// Bit kBit of the code chooses.
template <int kBit>
HWY_INLINE V8 Choose(V8 codes, V8 if_set, V8 if_clear) {
  const D8 d;
  const hn::RebindToSigned<D8> ds;
  const auto sign = hn::BitCast(ds, hn::ShiftLeft<7 - kBit>(codes));
  return hn::BitCast(d, hn::IfNegativeThenElse(sign, hn::BitCast(ds, if_set), hn::BitCast(ds, if_clear)));
}

// The part of the table of 2^kBits bytes: a tree of choices over shuffles of 16 bytes by the low four bits.
template <int kBits>
HWY_INLINE V8 LookUpPart(V8 codes, V8 low_bits, const uint8_t* table) {
  if constexpr (kBits == 4) {
    return hn::TableLookupBytes(hn::LoadDup128(D8(), table), low_bits);
  } else {
    const V8 lower = LookUpPart<kBits - 1>(codes, low_bits, table);
    const V8 upper = LookUpPart<kBits - 1>(codes, low_bits, table + (1 << (kBits - 1)));
    return Choose<kBits - 1>(codes, upper, lower);
  }
}

HWY_INLINE V8 LookUp(V8 codes, const uint8_t* table) {
  return LookUpPart<8>(codes, hn::And(codes, hn::Set(D8(), 15)), table);
}

HWY_INLINE void Run(const LookupArgs& args) {
  const D8 d;
  for (size_t i = 0; i < args.n; i += hn::Lanes(d)) {
    const size_t left = args.n - i;
    quantize::StoreUpTo(LookUp(quantize::LoadUpTo(d, args.in + i, left), args.table), d, args.out + i, left);
  }
}

#endif
#endif

}  // namespace lookup

void Lookup(const LookupArgs& args) { lookup::Run(args); }

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<LookupFn>> LookupVariants() {
  static const std::vector<Variant<LookupFn>> variants = Runnable<LookupFn>(LQ_VARIANTS(Lookup));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
