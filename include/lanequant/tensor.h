// Tensor views: someone else's memory with a type and a shape. Always dense and row-major.
#ifndef LANEQUANT_TENSOR_H_
#define LANEQUANT_TENSOR_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "lanequant/export.h"

namespace lq {

// Sub-byte types are packed over the whole row-major tensor, the first element in the low bits of byte 0, as ONNX (u6:
// Quark) has them; f16 is IEEE binary16, bf16 the upper half of binary32.
enum class DType { kF32, kF64, kU8, kS8, kU16, kS16, kS32, kS64, kF16, kBF16, kU4, kS4, kU2, kS2, kU6 };

// Bits of one element: 2, 4, 6, 8, 16, 32 or 64.
LQ_EXPORT size_t BitsOf(DType dtype);
// Bytes of one element: 1, 2, 4 or 8; 0 for the packed types.
LQ_EXPORT size_t SizeOf(DType dtype);
// Bytes of `elements` of them side by side, the last byte filled up; elements >= 0.
LQ_EXPORT size_t BytesOf(DType dtype, int64_t elements);
// "f32", "u8", ...
LQ_EXPORT const char* NameOf(DType dtype);

// Up to 8 dimensions, each >= 0. A rank of 0 is a scalar.
class LQ_EXPORT Shape {
 public:
  static constexpr size_t kMaxRank = 8;

  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : Shape(std::span<const int64_t>(dims.begin(), dims.size())) {}
  // Dimensions beyond the eighth are dropped: callers that read files check the rank first.
  explicit Shape(std::span<const int64_t> dims) {
    for (int64_t dim : dims) {
      if (rank_ < kMaxRank) dims_[rank_++] = dim;
    }
  }

  size_t rank() const { return rank_; }
  int64_t operator[](size_t i) const { return dims_[i]; }
  int64_t& operator[](size_t i) { return dims_[i]; }
  std::span<const int64_t> dims() const { return {dims_.data(), rank_}; }
  static constexpr int64_t kMaxDim = int64_t{1} << 40;  // sums and products of a few sizes stay far from overflow

  // Product of the dimensions; -1 if one is negative or above kMaxDim, or the product overflows int64.
  int64_t NumElements() const;
  // "(4, 32, 8, 8)"
  std::string ToString() const;

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (size_t i = 0; i < a.rank_; ++i) {
      if (a.dims_[i] != b.dims_[i]) return false;
    }
    return true;
  }

 private:
  std::array<int64_t, kMaxRank> dims_{};
  size_t rank_ = 0;
};

// `bytes` must hold shape.NumElements() elements of dtype; functions that take a view check it.
struct TensorView {
  DType dtype = DType::kF32;
  Shape shape;
  std::span<std::byte> bytes;

  template <class T>
  T* data() const {
    return reinterpret_cast<T*>(bytes.data());
  }
};

struct ConstTensorView {
  DType dtype = DType::kF32;
  Shape shape;
  std::span<const std::byte> bytes;

  ConstTensorView() = default;
  ConstTensorView(DType type, Shape dims, std::span<const std::byte> memory)
      : dtype(type), shape(dims), bytes(memory) {}
  ConstTensorView(const TensorView& view)  // NOLINT(google-explicit-constructor)
      : dtype(view.dtype), shape(view.shape), bytes(view.bytes) {}

  template <class T>
  const T* data() const {
    return reinterpret_cast<const T*>(bytes.data());
  }
};

}  // namespace lq

#endif  // LANEQUANT_TENSOR_H_
