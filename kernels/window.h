// The cells of a pooling window that lie inside the image.
#ifndef LANEQUANT_KERNELS_WINDOW_H_
#define LANEQUANT_KERNELS_WINDOW_H_

#include <algorithm>
#include <cstddef>

#include "kernels/contracts.h"

namespace lq::kernels {

// Input rows y_first, y_first + dilation .. below y_end; columns likewise.
struct Cells {
  size_t y_first, y_end, x_first, x_end;
};

// Positions along one dimension, counted from the begin of its padding.
struct Axis {
  size_t start;  // of the window
  size_t kernel, dilation, pad, length;

  // First position inside the input that is a whole number of dilations from the start; counted from the input's begin.
  size_t First() const {
    if (start >= pad) return start - pad;
    return start + (pad - start + dilation - 1) / dilation * dilation - pad;
  }
  size_t End() const {
    const size_t last = start + (kernel - 1) * dilation;
    return last < pad ? 0 : std::min(length, last - pad + 1);
  }
  // Cells whose position is below `end`.
  size_t CellsBelow(size_t end) const { return start >= end ? 0 : std::min(kernel, (end - start - 1) / dilation + 1); }
};

inline Axis RowAxis(const Window& w, size_t y) {
  return {y * w.stride_height, w.kernel_height, w.dilation_height, w.pad_top, w.in_height};
}

inline Axis ColumnAxis(const Window& w, size_t x) {
  return {x * w.stride_width, w.kernel_width, w.dilation_width, w.pad_left, w.in_width};
}

inline Cells CellsInside(const Window& w, size_t y, size_t x) {
  const Axis rows = RowAxis(w, y), columns = ColumnAxis(w, x);
  return {rows.First(), rows.End(), columns.First(), columns.End()};
}

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_WINDOW_H_
