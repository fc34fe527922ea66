// Section 6 of exact_simulator.md. A pool is the fold of one function over the cells of each window that lie inside.
#include <algorithm>
#include <limits>

#include "kernels/reference/reference.h"

namespace lq::reference {
namespace {

// Cell `tap` of the window at `place`, counted from the first cell of the input: negative in the padding.
int64_t Position(size_t place, size_t stride, size_t tap, size_t dilation, size_t pad) {
  return static_cast<int64_t>(place * stride + tap * dilation) - static_cast<int64_t>(pad);
}

bool Between(int64_t position, int64_t begin, int64_t end) { return position >= begin && position < end; }

// How many cells of the window at (y, x) divide its sum.
int64_t CellCount(const PoolGeometry& g, size_t y, size_t x) {
  const size_t top = g.count_include_pad ? g.pad_top : 0, bottom = g.count_include_pad ? g.pad_bottom : 0;
  const size_t left = g.count_include_pad ? g.pad_left : 0, right = g.count_include_pad ? g.pad_right : 0;
  int64_t rows = 0, columns = 0;
  for (size_t i = 0; i < g.kernel_height; ++i) {
    const int64_t row = Position(y, g.stride_height, i, g.dilation_height, g.pad_top);
    rows += Between(row, -static_cast<int64_t>(top), static_cast<int64_t>(g.in_height + bottom));
  }
  for (size_t j = 0; j < g.kernel_width; ++j) {
    const int64_t column = Position(x, g.stride_width, j, g.dilation_width, g.pad_left);
    columns += Between(column, -static_cast<int64_t>(left), static_cast<int64_t>(g.in_width + right));
  }
  return rows * columns;
}

// fold(so far, cell) over the cells inside of the window at (y, x) of one plane, row by row.
template <class T, class R, class Fold>
R FoldWindow(const PoolGeometry& g, std::span<const T> plane, size_t y, size_t x, R start, Fold fold) {
  R result = start;
  for (size_t i = 0; i < g.kernel_height; ++i) {
    const int64_t row = Position(y, g.stride_height, i, g.dilation_height, g.pad_top);
    if (!Between(row, 0, static_cast<int64_t>(g.in_height))) continue;
    for (size_t j = 0; j < g.kernel_width; ++j) {
      const int64_t column = Position(x, g.stride_width, j, g.dilation_width, g.pad_left);
      if (!Between(column, 0, static_cast<int64_t>(g.in_width))) continue;
      result = fold(result, plane[static_cast<size_t>(row) * g.in_width + static_cast<size_t>(column)]);
    }
  }
  return result;
}

// output(plane, y, x) for every output, in order.
template <class T, class R, class Output>
void ForEachOutput(const PoolGeometry& g, std::span<const T> x, std::span<R> y, Output output) {
  const size_t plane_size = g.in_height * g.in_width;
  size_t index = 0;
  for (size_t channel = 0; channel < g.channels; ++channel) {
    const std::span<const T> plane = x.subspan(channel * plane_size, plane_size);
    for (size_t row = 0; row < g.out_height; ++row) {
      for (size_t column = 0; column < g.out_width; ++column) y[index++] = output(plane, row, column);
    }
  }
}

}  // namespace

// Leaves the output of a window without any cell as it was: there is no largest one.
void MaxPool(const PoolGeometry& g, std::span<const int32_t> x, std::span<int32_t> y) {
  PoolGeometry inside = g;
  inside.count_include_pad = false;
  size_t index = 0;
  ForEachOutput(g, x, y, [&](std::span<const int32_t> plane, size_t row, size_t column) {
    const int32_t before = y[index++];
    if (CellCount(inside, row, column) == 0) return before;
    const int32_t lowest = std::numeric_limits<int32_t>::lowest();
    return FoldWindow(g, plane, row, column, lowest,
                      [](int32_t largest, int32_t cell) { return std::max(largest, cell); });
  });
}

void AveragePool(const PoolGeometry& g, std::span<const int32_t> x, float scale, std::span<double> y) {
  ForEachOutput(g, x, y, [&](std::span<const int32_t> plane, size_t row, size_t column) {
    const int64_t sum = FoldWindow(g, plane, row, column, int64_t{0}, [](int64_t s, int32_t cell) { return s + cell; });
    const double scaled = static_cast<double>(sum) * static_cast<double>(scale);
    return scaled / static_cast<double>(CellCount(g, row, column));
  });
}

}  // namespace lq::reference
