// Per-target: 4- and 2-bit codes, packed as tensors hold them <-> one to a byte.

#if defined(LANEQUANT_KERNELS_PACKED_CODES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LANEQUANT_KERNELS_PACKED_CODES_INL_H_
#undef LANEQUANT_KERNELS_PACKED_CODES_INL_H_
#else
#define LANEQUANT_KERNELS_PACKED_CODES_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/contracts_quantize.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace packed_codes {

constexpr size_t kGroup = 256;  // codes that are worked on at once: buffers hold whole groups

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

// Each byte -> a pair of bytes of kBits, their signs extended. `pairs` is a multiple of 64.
template <int kBits, bool kSigned>
HWY_INLINE void SplitPairs(const uint8_t* in, size_t pairs, uint8_t* out) {
  const D8 d8;
  const D16 d16;
  const hn::Rebind<uint8_t, D16> half;
  const auto low = hn::Set(d16, (1 << kBits) - 1), high = hn::ShiftLeft<8>(low);
  const auto sign = hn::Set(d8, 1 << (kBits - 1));
  for (size_t i = 0; i < pairs; i += hn::Lanes(d16)) {
    const auto joined = hn::PromoteTo(d16, hn::LoadU(half, in + i));
    auto pair = hn::BitCast(d8, hn::OrAnd(hn::And(joined, low), hn::ShiftLeft<8 - kBits>(joined), high));
    if constexpr (kSigned) pair = hn::Sub(hn::Xor(pair, sign), sign);
    hn::StoreU(pair, d8, out + 2 * i);
  }
}

// `codes`: whole groups, changed. Writes the bytes of the first n codes, the last one filled up with zeros.
inline void Pack(uint8_t* codes, size_t n, size_t bits, uint8_t* out) {
  const size_t padded = (n + kGroup - 1) / kGroup * kGroup;
  if (padded != n) std::memset(codes + n, 0, padded - n);
  if (bits == 2) JoinPairs<2>(codes, padded / 2, codes);
  uint8_t* joined = padded == n ? out : codes;
  JoinPairs<4>(codes, padded * bits / 8, joined);
  if (joined != out) std::memcpy(out, codes, (n * bits + 7) / 8);
}

template <int kBits, bool kSigned>
HWY_INLINE void UnpackAs(const uint8_t* in, size_t n, uint8_t* codes) {
  uint8_t padded[kGroup / 2] = {}, nibbles[kGroup / 2];
  for (size_t i = 0; i < n; i += kGroup) {
    const uint8_t* from = in + i * kBits / 8;
    if (n - i < kGroup) {
      std::memcpy(padded, from, ((n - i) * kBits + 7) / 8);
      from = padded;
    }
    if constexpr (kBits == 4) {
      SplitPairs<4, kSigned>(from, kGroup / 2, codes + i);
    } else {
      SplitPairs<4, false>(from, kGroup / 4, nibbles);
      SplitPairs<2, kSigned>(nibbles, kGroup / 2, codes + i);
    }
  }
}

// n codes -> one to a byte; `codes`: whole groups.
inline void Unpack(const uint8_t* in, size_t n, CodeType type, uint8_t* codes) {
  if (BitsOf(type) == 4) return IsSigned(type) ? UnpackAs<4, true>(in, n, codes) : UnpackAs<4, false>(in, n, codes);
  return IsSigned(type) ? UnpackAs<2, true>(in, n, codes) : UnpackAs<2, false>(in, n, codes);
}

}  // namespace packed_codes

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#endif  // LANEQUANT_KERNELS_PACKED_CODES_INL_H_
