#include "runtime/patches.h"

#include <algorithm>
#include <cstring>

namespace lq {
namespace {

// Runs of codes are copied by a fixed number of bytes at a time: 48 bytes take 1 ns, by a memcpy of any size 5 ns. From
// kLongRun on that is as fast.
constexpr size_t kStep = kPatchSlack, kLongRun = 256;

// Copies `bytes`, and up to kStep - 1 more, which the next run of the patches overwrites. Reads nothing from `end` on.
inline void CopyRun(const std::byte* from, size_t bytes, const std::byte* end, std::byte* to) {
  const size_t steps = (bytes + kStep - 1) / kStep;
  if (bytes >= kLongRun || static_cast<size_t>(end - from) < steps * kStep) {
    std::memcpy(to, from, bytes);
    return;
  }
  for (size_t i = 0; i < steps; ++i, from += kStep, to += kStep) {
    std::byte step[kStep];
    std::memcpy(step, from, kStep);
    std::memcpy(to, step, kStep);
  }
}

// Cells of one axis of a window: those inside the image are [begin, end).
struct Cells {
  size_t begin, end;
};
// `first`: where cell 0 lies, maybe outside.
Cells CellsInside(ptrdiff_t first, size_t count, size_t dilation, size_t length) {
  const auto step = static_cast<ptrdiff_t>(dilation), size = static_cast<ptrdiff_t>(length);
  const auto from_first = [&](ptrdiff_t distance) {  // cells that lie less than `distance` from the first
    const ptrdiff_t cells = step == 1 ? distance : (distance + step - 1) / step;
    return distance <= 0 ? size_t{0} : std::min(count, static_cast<size_t>(cells));
  };
  const size_t begin = from_first(-first);
  return {begin, std::max(begin, from_first(size - first))};
}

// Gathers the windows of one image.
template <class T>
class Gatherer {
 public:
  Gatherer(const PatchSpec& spec, const std::byte* image)
      : kernel_height_(spec.window.kernel_height),
        kernel_width_(spec.window.kernel_width),
        cell_(spec.group_channels * sizeof(T)),
        cell_step_(spec.window.dilation_width * spec.window.channels * sizeof(T)),
        row_step_(spec.window.dilation_height * spec.window.in_width * spec.window.channels * sizeof(T)),
        zero_(static_cast<T>(spec.zero_code)),
        end_(image + spec.window.in_height * spec.window.in_width * spec.window.channels * sizeof(T)) {}

  // `window`: where its cell (0, 0) lies, or would; rows and columns of cells that lie inside the image.
  void Gather(const std::byte* window, Cells rows, Cells columns, std::byte* out) const {
    const size_t row_bytes = kernel_width_ * cell_;
    Fill(out, rows.begin * row_bytes);
    if (columns.begin == 0 && columns.end == kernel_width_ && cell_ == cell_step_) {
      CopyRows(window + rows.begin * row_step_, rows.end - rows.begin, out + rows.begin * row_bytes);
    } else {
      for (size_t i = rows.begin; i < rows.end; ++i) GatherRow(window + i * row_step_, columns, out + i * row_bytes);
    }
    Fill(out + rows.end * row_bytes, (kernel_height_ - rows.end) * row_bytes);
  }

 private:
  void Fill(std::byte* out, size_t bytes) const { std::fill_n(reinterpret_cast<T*>(out), bytes / sizeof(T), zero_); }

  // Rows of cells that lie together and inside: the common case.
  void CopyRows(const std::byte* from, size_t rows, std::byte* out) const {
    const std::byte* const end = end_;  // locals, which no store of bytes can change
    const size_t bytes = kernel_width_ * cell_, step = row_step_;
    for (; rows != 0; --rows, from += step, out += bytes) CopyRun(from, bytes, end, out);
  }

  void GatherRow(const std::byte* from, Cells columns, std::byte* out) const {
    const size_t run = cell_ == cell_step_ ? columns.end - columns.begin : 1;  // cells that lie together
    Fill(out, columns.begin * cell_);
    for (size_t i = columns.begin; i < columns.end; i += run) {
      CopyRun(from + i * cell_step_, run * cell_, end_, out + i * cell_);
    }
    Fill(out + columns.end * cell_, (kernel_width_ - columns.end) * cell_);
  }

  const size_t kernel_height_, kernel_width_;
  const size_t cell_, cell_step_, row_step_;  // bytes
  const T zero_;
  const std::byte* const end_;
};

}  // namespace

template <class T>
void GatherPatches(const PatchSpec& spec, const std::byte* in, size_t first, size_t count, std::byte* out) {
  const kernels::Window& w = spec.window;
  const size_t pixel_bytes = w.channels * sizeof(T), image_bytes = w.in_height * w.in_width * pixel_bytes;
  size_t image = first / (w.out_height * w.out_width);
  size_t y = first / w.out_width % w.out_height, x = first % w.out_width;
  for (; count != 0; ++image, y = 0) {
    const std::byte* codes = in + image * image_bytes;
    const Gatherer<T> gatherer(spec, codes);
    for (; y < w.out_height && count != 0; ++y, x = 0) {
      const auto in_y = static_cast<ptrdiff_t>(y * w.stride_height) - static_cast<ptrdiff_t>(w.pad_top);
      const Cells rows = CellsInside(in_y, w.kernel_height, w.dilation_height, w.in_height);
      for (; x < w.out_width && count != 0; ++x, --count, out += spec.row_stride) {
        const auto in_x = static_cast<ptrdiff_t>(x * w.stride_width) - static_cast<ptrdiff_t>(w.pad_left);
        const Cells columns = CellsInside(in_x, w.kernel_width, w.dilation_width, w.in_width);
        const ptrdiff_t pixel = in_y * static_cast<ptrdiff_t>(w.in_width) + in_x;
        const ptrdiff_t at =
            pixel * static_cast<ptrdiff_t>(pixel_bytes) + static_cast<ptrdiff_t>(spec.first_channel * sizeof(T));
        gatherer.Gather(codes + at, rows, columns, out);
      }
    }
  }
}

template void GatherPatches<uint8_t>(const PatchSpec&, const std::byte*, size_t, size_t, std::byte*);
template void GatherPatches<uint16_t>(const PatchSpec&, const std::byte*, size_t, size_t, std::byte*);

}  // namespace lq
