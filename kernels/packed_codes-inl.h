// Per-target: 4- and 2-bit codes, packed as tensors hold them <-> one to a byte.

#if defined(LANEQUANT_KERNELS_PACKED_CODES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_PACKED_CODES_INL_H_
#undef LANEQUANT_KERNELS_PACKED_CODES_INL_H_
#else
#define LANEQUANT_KERNELS_PACKED_CODES_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/contracts_quantize.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace packed_codes {

constexpr size_t kMost = 1024;  // codes to a call

// 4, 2 or, for codes that are not packed, 0.
constexpr size_t BitsOf(CodeType type) {
  switch (type) {
    case CodeType::kU4:
    case CodeType::kS4:
      return 4;
    case CodeType::kU2:
    case CodeType::kS2:
      return 2;
    default:
      return 0;
  }
}
constexpr bool IsSigned(CodeType type) {
  return type != CodeType::kU8 && type != CodeType::kU16 && type != CodeType::kU4 && type != CodeType::kU2;
}

using D8 = hn::CappedTag<uint8_t, 64>;
using D16 = hn::Repartition<uint16_t, D8>;

// Each pair of bytes -> the low kBits of both in one byte. `pairs` is a multiple of 64. in == out is allowed.
template <int kBits>
HWY_INLINE void JoinPairs(const uint8_t* in, size_t pairs, uint8_t* out) {
  const D8 d8;
  const D16 d16;
  const auto low = hn::Set(d16, (1 << kBits) - 1), high = hn::ShiftLeft<kBits>(low);
  const auto join = [&](const uint8_t* p) HWY_ATTR {
    const auto pair = hn::BitCast(d16, hn::LoadU(d8, p));
    return hn::OrAnd(hn::And(pair, low), hn::ShiftRight<8 - kBits>(pair), high);
  };
  for (size_t i = 0; i < pairs; i += hn::Lanes(d8)) {
    const auto first = join(in + 2 * i), second = join(in + 2 * i + hn::Lanes(d8));
    hn::StoreU(hn::OrderedTruncate2To(d8, first, second), d8, out + i);
  }
}

// Each byte -> a pair of bytes of kBits. `pairs` is a multiple of 64.
template <int kBits>
HWY_INLINE void SplitPairs(const uint8_t* in, size_t pairs, uint8_t* out) {
  const D8 d8;
  const D16 d16;
  const hn::Rebind<uint8_t, D16> half;
  const auto low = hn::Set(d16, (1 << kBits) - 1), high = hn::ShiftLeft<8>(low);
  for (size_t i = 0; i < pairs; i += hn::Lanes(d16)) {
    const auto joined = hn::PromoteTo(d16, hn::LoadU(half, in + i));
    const auto pair = hn::OrAnd(hn::And(joined, low), hn::ShiftLeft<8 - kBits>(joined), high);
    hn::StoreU(hn::BitCast(d8, pair), d8, out + 2 * i);
  }
}

// Extends the sign of codes of kBits, one to a byte. n is a multiple of 64.
template <int kBits>
HWY_INLINE void ExtendSigns(uint8_t* codes, size_t n) {
  const D8 d;
  const auto sign = hn::Set(d, 1 << (kBits - 1));
  for (size_t i = 0; i < n; i += hn::Lanes(d)) {
    hn::StoreU(hn::Sub(hn::Xor(hn::LoadU(d, codes + i), sign), sign), d, codes + i);
  }
}

// `codes`: kMost bytes, changed. Writes the bytes of the first n codes, the last one filled up with zeros.
inline void Pack(uint8_t* codes, size_t n, size_t bits, uint8_t* out) {
  std::memset(codes + n, 0, std::min<size_t>(kMost - n, 3));
  if (bits == 2) JoinPairs<2>(codes, kMost / 2, codes);
  uint8_t* joined = n == kMost ? out : codes;
  JoinPairs<4>(codes, kMost * bits / 8, joined);
  if (joined != out) std::memcpy(out, codes, (n * bits + 7) / 8);
}

// n codes -> one to a byte; `codes`: kMost bytes.
inline void Unpack(const uint8_t* in, size_t n, CodeType type, uint8_t* codes) {
  const size_t bits = BitsOf(type);
  uint8_t padded[kMost / 2] = {}, nibbles[kMost / 2];
  if (n != kMost) {
    std::memcpy(padded, in, (n * bits + 7) / 8);
    in = padded;
  }
  if (bits == 4) {
    SplitPairs<4>(in, kMost / 2, codes);
    if (IsSigned(type)) ExtendSigns<4>(codes, kMost);
    return;
  }
  SplitPairs<4>(in, kMost / 4, nibbles);
  SplitPairs<2>(nibbles, kMost / 2, codes);
  if (IsSigned(type)) ExtendSigns<2>(codes, kMost);
}

}  // namespace packed_codes

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_PACKED_CODES_INL_H_
