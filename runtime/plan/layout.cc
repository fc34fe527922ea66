#include "runtime/plan/layout.h"

#include <algorithm>
#include <cstring>

namespace lq {
namespace {

// The colours of images: [batch][3][pixels] -> [batch][pixels][3].
template <class T>
void Interleave3(const T* in, size_t batch, size_t pixels, T* out) {
  for (size_t b = 0; b < batch; ++b, in += 3 * pixels) {
    for (size_t i = 0; i < pixels; ++i, out += 3) {
      const T c0 = in[i], c1 = in[pixels + i], c2 = in[2 * pixels + i];
      out[0] = c0;
      out[1] = c1;
      out[2] = c2;
    }
  }
}

// [batch][rows][columns] -> [batch][columns][rows], in tiles that stay in the first-level cache.
template <class T>
void Transpose(const T* in, size_t batch, size_t rows, size_t columns, T* out) {
  if (rows == 1 || columns == 1) {
    std::copy(in, in + batch * rows * columns, out);
    return;
  }
  if (rows == 3) return Interleave3(in, batch, columns, out);
  constexpr size_t kTile = 32;
  for (size_t b = 0; b < batch; ++b, in += rows * columns, out += rows * columns) {
    for (size_t r0 = 0; r0 < rows; r0 += kTile) {
      for (size_t c0 = 0; c0 < columns; c0 += kTile) {
        const size_t r1 = std::min(rows, r0 + kTile), c1 = std::min(columns, c0 + kTile);
        for (size_t c = c0; c < c1; ++c) {
          for (size_t r = r0; r < r1; ++r) out[c * rows + r] = in[r * columns + c];
        }
      }
    }
  }
}

struct Dims {
  size_t batch, pixels, channels;
};

Dims DimsOf(const Shape& plan) {
  if (plan.rank() != 4) return {1, 1, static_cast<size_t>(plan.NumElements())};
  return {static_cast<size_t>(plan[0]), static_cast<size_t>(plan[1] * plan[2]), static_cast<size_t>(plan[3])};
}

}  // namespace

Shape PlanShape(const Shape& onnx) { return onnx.rank() == 4 ? Shape{onnx[0], onnx[2], onnx[3], onnx[1]} : onnx; }

Shape OnnxShape(const Shape& plan) { return plan.rank() == 4 ? Shape{plan[0], plan[3], plan[1], plan[2]} : plan; }

size_t OnnxDimension(size_t d, size_t rank) {
  constexpr size_t kChannelsLast[] = {0, 2, 3, 1};
  return rank == 4 ? kChannelsLast[d] : d;
}

template <class T>
void ToOnnxOrder(const T* in, const Shape& plan, T* out) {
  const Dims d = DimsOf(plan);
  Transpose(in, d.batch, d.pixels, d.channels, out);
}

template <class T>
void FromOnnxOrder(const T* in, const Shape& plan, T* out) {
  const Dims d = DimsOf(plan);
  Transpose(in, d.batch, d.channels, d.pixels, out);
}

void ToOnnxOrder(const std::byte* in, const Shape& plan, size_t size, std::byte* out) {
  if (size == 1) ToOnnxOrder(reinterpret_cast<const uint8_t*>(in), plan, reinterpret_cast<uint8_t*>(out));
  if (size == 2) ToOnnxOrder(reinterpret_cast<const uint16_t*>(in), plan, reinterpret_cast<uint16_t*>(out));
  if (size == 4) ToOnnxOrder(reinterpret_cast<const float*>(in), plan, reinterpret_cast<float*>(out));
  if (size == 8) ToOnnxOrder(reinterpret_cast<const double*>(in), plan, reinterpret_cast<double*>(out));
}

void FromOnnxOrder(const std::byte* in, const Shape& plan, size_t size, std::byte* out) {
  if (size == 1) FromOnnxOrder(reinterpret_cast<const uint8_t*>(in), plan, reinterpret_cast<uint8_t*>(out));
  if (size == 2) FromOnnxOrder(reinterpret_cast<const uint16_t*>(in), plan, reinterpret_cast<uint16_t*>(out));
  if (size == 4) FromOnnxOrder(reinterpret_cast<const float*>(in), plan, reinterpret_cast<float*>(out));
  if (size == 8) FromOnnxOrder(reinterpret_cast<const double*>(in), plan, reinterpret_cast<double*>(out));
}

template void ToOnnxOrder(const uint8_t*, const Shape&, uint8_t*);
template void ToOnnxOrder(const uint16_t*, const Shape&, uint16_t*);
template void ToOnnxOrder(const float*, const Shape&, float*);
template void ToOnnxOrder(const int32_t*, const Shape&, int32_t*);
template void ToOnnxOrder(const double*, const Shape&, double*);
template void FromOnnxOrder(const uint8_t*, const Shape&, uint8_t*);
template void FromOnnxOrder(const uint16_t*, const Shape&, uint16_t*);
template void FromOnnxOrder(const float*, const Shape&, float*);
template void FromOnnxOrder(const int32_t*, const Shape&, int32_t*);
template void FromOnnxOrder(const double*, const Shape&, double*);

}  // namespace lq
