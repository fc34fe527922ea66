#include "runtime/patches.h"

#include <algorithm>
#include <cstring>

namespace lq {
namespace {

// Bytes are copied so many at a time: 48 of them take 1 ns, by a memcpy of any size 5 ns, which longer runs are worth.
// What is written too much is overwritten by the next cells, or lies in the slack of the row.
constexpr size_t kStep = kPatchSlack, kMostSteps = 4;
constexpr size_t Steps(size_t bytes) { return (bytes + kStep - 1) / kStep; }

// Reads nothing from `end` on.
inline void CopyRun(const std::byte* from, size_t bytes, const std::byte* end, std::byte* to) {
  const size_t steps = Steps(bytes);
  if (steps > kMostSteps || static_cast<size_t>(end - from) < steps * kStep) {
    std::memcpy(to, from, bytes);
    return;
  }
  for (size_t i = 0; i < steps; ++i) std::memcpy(to + i * kStep, from + i * kStep, kStep);
}

// `count` runs, which begin from_step bytes after one another.
struct Runs {
  const std::byte* from;
  size_t from_step, bytes, count;
  const std::byte* end;
  std::byte* to;
  size_t to_step;
};

template <size_t kSteps>
void CopySteps(const Runs& r, size_t count) {
  const size_t from_step = r.from_step, to_step = r.to_step;
  const std::byte* from = r.from;
  for (std::byte* to = r.to; count != 0; --count, from += from_step, to += to_step) {
    std::byte run[kSteps * kStep];
    std::memcpy(run, from, sizeof(run));
    std::memcpy(to, run, sizeof(run));
  }
}

void CopyRuns(const Runs& r) {
  const size_t steps = Steps(r.bytes), left = static_cast<size_t>(r.end - r.from);
  size_t whole = 0;  // runs behind which enough bytes can be read
  if (steps <= kMostSteps && left >= steps * kStep) {
    const size_t last = (r.count - 1) * r.from_step, spare = left - steps * kStep;
    whole = spare >= last ? r.count : spare / r.from_step + 1;
    if (steps == 1) CopySteps<1>(r, whole);
    if (steps == 2) CopySteps<2>(r, whole);
    if (steps == 3) CopySteps<3>(r, whole);
    if (steps == 4) CopySteps<4>(r, whole);
  }
  for (size_t i = whole; i < r.count; ++i) std::memcpy(r.to + i * r.to_step, r.from + i * r.from_step, r.bytes);
}

// Cells of a row of a window: those inside the image are [begin, end).
struct Cells {
  size_t begin, end;
};

// Gathers from the rows of one image.
template <class T>
class Gatherer {
 public:
  Gatherer(const PatchSpec& spec, const std::byte* image) : spec_(spec), w_(spec.window), image_(image) {
    // Outputs x in [x_inside_, x_outside_) have all columns inside the image.
    const size_t extent = (w_.kernel_width - 1) * w_.dilation_width + 1, width = w_.in_width + w_.pad_left;
    x_outside_ = width < extent ? 0 : (width - extent) / w_.stride_width + 1;
    x_inside_ = std::min(x_outside_, (w_.pad_left + w_.stride_width - 1) / w_.stride_width);
    std::fill_n(reinterpret_cast<T*>(zeros_), kStep / sizeof(T), static_cast<T>(spec.zero_code));
  }

  // Outputs x .. x_end - 1 of row y.
  void Gather(size_t y, size_t x, size_t x_end, std::byte* out) const {
    const size_t inside = std::clamp(x_inside_, x, x_end), outside = std::clamp(x_outside_, inside, x_end);
    for (size_t i = x; i < inside; ++i) GatherBorder(y, i, At(out, i - x));
    if (inside < outside) GatherInside(y, inside, outside - inside, At(out, inside - x));
    for (size_t i = outside; i < x_end; ++i) GatherBorder(y, i, At(out, i - x));
  }

 private:
  std::byte* At(std::byte* out, size_t row) const { return out + row * spec_.row_stride; }

  void Fill(std::byte* out, size_t bytes) const {
    for (size_t i = 0; i < bytes; i += kStep) std::memcpy(out + i, zeros_, kStep);
  }

  // Where column 0 of row i of the windows of output row y lies; null: outside.
  const std::byte* Row(size_t y, size_t i) const {
    const size_t in_y = y * w_.stride_height + i * w_.dilation_height - w_.pad_top;  // above the image: huge
    return in_y < w_.in_height ? image_ + in_y * row_bytes_ + spec_.first_channel * sizeof(T) : nullptr;
  }

  // `count` windows with all columns inside: one row of all of them after the other.
  void GatherInside(size_t y, size_t x, size_t count, std::byte* out) const {
    const size_t run = together_ ? w_.kernel_width : 1;  // cells
    for (size_t i = 0; i < w_.kernel_height; ++i, out += w_.kernel_width * cell_) {
      const std::byte* row = Row(y, i);
      if (row == nullptr) {
        for (size_t j = 0; j < count; ++j) Fill(At(out, j), w_.kernel_width * cell_);
        continue;
      }
      const std::byte* from = row + (x * w_.stride_width - w_.pad_left) * pixel_;
      for (size_t j = 0; j < w_.kernel_width; j += run) {
        CopyRuns({from + j * cell_step_, w_.stride_width * pixel_, run * cell_, count, image_ + image_bytes_,
                  out + j * cell_, spec_.row_stride});
      }
    }
  }

  Cells CellsInside(size_t x) const {
    const auto first = static_cast<ptrdiff_t>(x * w_.stride_width) - static_cast<ptrdiff_t>(w_.pad_left);
    const auto step = static_cast<ptrdiff_t>(w_.dilation_width), width = static_cast<ptrdiff_t>(w_.in_width);
    const auto before = [&](ptrdiff_t in_x) {  // cells that lie before in_x
      return in_x <= first ? 0 : std::min(w_.kernel_width, static_cast<size_t>((in_x - first + step - 1) / step));
    };
    return {before(0), before(width)};
  }

  // One window.
  void GatherBorder(size_t y, size_t x, std::byte* out) const {
    const Cells cells = CellsInside(x);
    const size_t run = together_ ? cells.end - cells.begin : 1;
    for (size_t i = 0; i < w_.kernel_height; ++i, out += w_.kernel_width * cell_) {
      const std::byte* row = Row(y, i);
      if (row == nullptr) {
        Fill(out, w_.kernel_width * cell_);
        continue;
      }
      Fill(out, cells.begin * cell_);
      for (size_t j = cells.begin; j < cells.end; j += run) {
        const std::byte* from = row + (x * w_.stride_width + j * w_.dilation_width - w_.pad_left) * pixel_;
        CopyRun(from, run * cell_, image_ + image_bytes_, out + j * cell_);
      }
      Fill(out + cells.end * cell_, (w_.kernel_width - cells.end) * cell_);
    }
  }

  const PatchSpec& spec_;
  const kernels::Window& w_;
  const std::byte* image_;
  // Bytes: a cell and its distance to the next, a pixel, a row, an image.
  const size_t cell_ = spec_.group_channels * sizeof(T), pixel_ = w_.channels * sizeof(T);
  const size_t cell_step_ = w_.dilation_width * pixel_;
  const size_t row_bytes_ = w_.in_width * pixel_, image_bytes_ = w_.in_height * row_bytes_;
  const bool together_ = cell_ == cell_step_;  // the cells of a row of a window lie side by side
  size_t x_inside_, x_outside_;
  alignas(kStep) std::byte zeros_[kStep];
};

}  // namespace

template <class T>
void GatherPatches(const PatchSpec& spec, const std::byte* in, size_t first, size_t count, std::byte* out) {
  const kernels::Window& w = spec.window;
  const size_t image_bytes = w.in_height * w.in_width * w.channels * sizeof(T);
  for (const size_t end = first + count; first < end;) {
    const size_t row = first / w.out_width, x = first % w.out_width, n = std::min(w.out_width - x, end - first);
    const Gatherer<T> gatherer(spec, in + row / w.out_height * image_bytes);
    gatherer.Gather(row % w.out_height, x, x + n, out);
    first += n;
    out += n * spec.row_stride;
  }
}

template void GatherPatches<uint8_t>(const PatchSpec&, const std::byte*, size_t, size_t, std::byte*);
template void GatherPatches<uint16_t>(const PatchSpec&, const std::byte*, size_t, size_t, std::byte*);
template void GatherPatches<float>(const PatchSpec&, const std::byte*, size_t, size_t, std::byte*);

}  // namespace lq
