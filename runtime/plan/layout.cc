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

Dims DimsOf(const Shape& plan, bool turned) {
  if (!turned) return {1, 1, static_cast<size_t>(plan.NumElements())};
  return {static_cast<size_t>(plan[0]), static_cast<size_t>(plan[1] * plan[2]), static_cast<size_t>(plan[3])};
}

}  // namespace

Shape Layout::PlanShape(const Shape& onnx) const {
  return IsTurned(onnx) ? Shape{onnx[0], onnx[2], onnx[3], onnx[1]} : onnx;
}

Shape Layout::OnnxShape(const Shape& plan) const {
  return IsTurned(plan) ? Shape{plan[0], plan[3], plan[1], plan[2]} : plan;
}

size_t Layout::OnnxDimension(size_t d, size_t rank) const {
  constexpr size_t kChannelsLast[] = {0, 2, 3, 1};
  return channels_last_ && rank == 4 ? kChannelsLast[d] : d;
}

template <class T>
void Layout::ToOnnxOrder(const T* in, const Shape& plan, T* out) const {
  const Dims d = DimsOf(plan, IsTurned(plan));
  Transpose(in, d.batch, d.pixels, d.channels, out);
}

template <class T>
void Layout::FromOnnxOrder(const T* in, const Shape& plan, T* out) const {
  const Dims d = DimsOf(plan, IsTurned(plan));
  Transpose(in, d.batch, d.channels, d.pixels, out);
}

void Layout::ToOnnxOrder(const std::byte* in, const Shape& plan, size_t size, std::byte* out) const {
  if (size == 1) ToOnnxOrder(reinterpret_cast<const uint8_t*>(in), plan, reinterpret_cast<uint8_t*>(out));
  if (size == 2) ToOnnxOrder(reinterpret_cast<const uint16_t*>(in), plan, reinterpret_cast<uint16_t*>(out));
  if (size == 4) ToOnnxOrder(reinterpret_cast<const float*>(in), plan, reinterpret_cast<float*>(out));
  if (size == 8) ToOnnxOrder(reinterpret_cast<const double*>(in), plan, reinterpret_cast<double*>(out));
}

void Layout::FromOnnxOrder(const std::byte* in, const Shape& plan, size_t size, std::byte* out) const {
  if (size == 1) FromOnnxOrder(reinterpret_cast<const uint8_t*>(in), plan, reinterpret_cast<uint8_t*>(out));
  if (size == 2) FromOnnxOrder(reinterpret_cast<const uint16_t*>(in), plan, reinterpret_cast<uint16_t*>(out));
  if (size == 4) FromOnnxOrder(reinterpret_cast<const float*>(in), plan, reinterpret_cast<float*>(out));
  if (size == 8) FromOnnxOrder(reinterpret_cast<const double*>(in), plan, reinterpret_cast<double*>(out));
}

template void Layout::ToOnnxOrder(const uint8_t*, const Shape&, uint8_t*) const;
template void Layout::ToOnnxOrder(const uint16_t*, const Shape&, uint16_t*) const;
template void Layout::ToOnnxOrder(const float*, const Shape&, float*) const;
template void Layout::ToOnnxOrder(const int32_t*, const Shape&, int32_t*) const;
template void Layout::ToOnnxOrder(const double*, const Shape&, double*) const;
template void Layout::FromOnnxOrder(const uint8_t*, const Shape&, uint8_t*) const;
template void Layout::FromOnnxOrder(const uint16_t*, const Shape&, uint16_t*) const;
template void Layout::FromOnnxOrder(const float*, const Shape&, float*) const;
template void Layout::FromOnnxOrder(const int32_t*, const Shape&, int32_t*) const;
template void Layout::FromOnnxOrder(const double*, const Shape&, double*) const;

}  // namespace lq
