#include "runtime/quantize/affine_f64.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "runtime/quantize/affine_f64_rule.h"
#include "runtime/quantize/bulk_tasks.h"
#include "runtime/quantize/packed_codes.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// Elements between a load and a store. A multiple of 64, so that the packed codes of a chunk begin with a byte.
constexpr size_t kChunk = 512;
using Chunk = std::array<double, kChunk>;

template <class F>
void ForEachChunk(const AffineF64Rule& rule, const BulkOptions& options, const F& run) {
  ForEachTask(rule.map(), options, [&](Range range) {
    for (size_t i = range.begin; i < range.end; i += kChunk) run(Range{i, std::min(range.end, i + kChunk)});
  });
}

void LoadReals(const ConstTensorView& view, Range range, double* values) {
  std::memcpy(values, view.bytes.data() + range.begin * sizeof(double), (range.end - range.begin) * sizeof(double));
}

void StoreReals(const double* values, Range range, const TensorView& view) {
  std::memcpy(view.bytes.data() + range.begin * sizeof(double), values, (range.end - range.begin) * sizeof(double));
}

// Calls use(C()) with the integer type C of whole-byte codes. Packed ones are s8 or u8 until they are packed.
template <class Use>
void WithCodeType(DType dtype, const Use& use) {
  switch (dtype) {
    case DType::kS2:
    case DType::kS4:
    case DType::kS8:
      return use(int8_t());
    case DType::kU16:
      return use(uint16_t());
    case DType::kS16:
      return use(int16_t());
    case DType::kS32:
      return use(int32_t());
    default:
      return use(uint8_t());
  }
}

template <class C>
void LoadCodesAs(const ConstTensorView& view, Range range, double* codes) {
  const size_t n = range.end - range.begin, bits = BitsOf(view.dtype);
  std::array<C, kChunk> stored;
  if (bits < 8) {
    std::array<uint8_t, kChunk> bytes;
    UnpackCodes(view.data<uint8_t>(), range.begin, n, bits, std::is_signed_v<C>, bytes.data());
    std::copy_n(bytes.begin(), n, stored.begin());
  } else {
    std::memcpy(stored.data(), view.bytes.data() + range.begin * sizeof(C), n * sizeof(C));
  }
  std::copy_n(stored.begin(), n, codes);
}

template <class C>
void StoreCodesAs(const double* codes, Range range, const TensorView& view) {
  const size_t n = range.end - range.begin, bits = BitsOf(view.dtype);
  std::array<C, kChunk> stored;
  std::transform(codes, codes + n, stored.begin(), [](double code) { return static_cast<C>(code); });
  if (bits < 8) {
    std::array<uint8_t, kChunk> bytes;
    std::transform(stored.begin(), stored.begin() + n, bytes.begin(),
                   [](C code) { return static_cast<uint8_t>(code); });
    PackCodes(bytes.data(), n, range.begin, bits, view.data<uint8_t>());
  } else {
    std::memcpy(view.bytes.data() + range.begin * sizeof(C), stored.data(), n * sizeof(C));
  }
}

}  // namespace

Status QuantizeF64(const ConstTensorView& in, const AffineQuantizer& quantizer, const TensorView& codes,
                   const BulkOptions& options) {
  LQ_ASSIGN_OR_RETURN(const AffineF64Rule rule,
                      AffineF64Rule::Make({AffineOp::kQuantize, in, codes}, quantizer, ExecutorOf(options)));
  ForEachChunk(rule, options, [&](Range range) {
    Chunk x, q;
    LoadReals(in, range, x.data());
    rule.ToCodes(range, x.data(), q.data());
    WithCodeType(codes.dtype, [&](auto code) { StoreCodesAs<decltype(code)>(q.data(), range, codes); });
  });
  return OkStatus();
}

Status DequantizeF64(const ConstTensorView& codes, const AffineQuantizer& quantizer, const TensorView& out,
                     const BulkOptions& options) {
  LQ_ASSIGN_OR_RETURN(const AffineF64Rule rule,
                      AffineF64Rule::Make({AffineOp::kDequantize, codes, out}, quantizer, ExecutorOf(options)));
  ForEachChunk(rule, options, [&](Range range) {
    Chunk q;
    WithCodeType(codes.dtype, [&](auto code) { LoadCodesAs<decltype(code)>(codes, range, q.data()); });
    rule.ToReals(range, q.data());
    StoreReals(q.data(), range, out);
  });
  return OkStatus();
}

Status QuantizeDequantizeF64(const ConstTensorView& in, const AffineQuantizer& quantizer, const TensorView& out,
                             const BulkOptions& options) {
  LQ_ASSIGN_OR_RETURN(const AffineF64Rule rule,
                      AffineF64Rule::Make({AffineOp::kQuantizeDequantize, in, out}, quantizer, ExecutorOf(options)));
  ForEachChunk(rule, options, [&](Range range) {
    Chunk x, q;
    LoadReals(in, range, x.data());
    rule.ToCodes(range, x.data(), q.data());
    rule.ToReals(range, q.data());
    if (rule.keeps_nan()) {
      for (size_t i = 0; i < range.end - range.begin; ++i) q[i] = x[i] == x[i] ? q[i] : x[i];
    }
    StoreReals(q.data(), range, out);
  });
  return OkStatus();
}

}  // namespace lq
