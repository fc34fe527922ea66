#include "runtime/plan/layout.h"

#include <algorithm>
#include <cstdint>

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

void Transpose(const void* in, size_t batch, size_t rows, size_t columns, size_t size, void* out) {
  const auto run = [&]<class T>(const T* from) { Transpose(from, batch, rows, columns, static_cast<T*>(out)); };
  if (size == 1) run(static_cast<const uint8_t*>(in));
  if (size == 2) run(static_cast<const uint16_t*>(in));
  if (size == 4) run(static_cast<const float*>(in));
  if (size == 8) run(static_cast<const double*>(in));
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

void Layout::ToOnnxOrder(const void* in, const Shape& plan, size_t size, void* out) const {
  const Dims d = DimsOf(plan, IsTurned(plan));
  Transpose(in, d.batch, d.pixels, d.channels, size, out);
}

void Layout::FromOnnxOrder(const void* in, const Shape& plan, size_t size, void* out) const {
  const Dims d = DimsOf(plan, IsTurned(plan));
  Transpose(in, d.batch, d.channels, d.pixels, size, out);
}

}  // namespace lq
