#include "runtime/image_lines.h"

#include <algorithm>
#include <cstring>

namespace lq {
namespace {

// Lines shorter than half a register tile are gathered.
constexpr size_t kShortestLine = 4;
// So are those that read more bytes of an image with its padding: only wide strides and dilations do. Of filters and
// paddings of up to 2^20 the copy would else have more bytes than a size_t can say.
constexpr size_t kMostCopied = size_t{1} << 24;

}  // namespace

ImageLines::ImageLines(const kernels::Window& window, uint8_t zero_code)
    : w_(window), zero_code_(zero_code), extent_((window.kernel_height - 1) * window.dilation_height + 1) {
  const size_t columns = (w_.out_width - 1) * w_.stride_width + w_.kernel_width;
  const size_t rows = RowsRead(w_.out_height);
  padded_ = w_.pad_top != 0 || w_.pad_left != 0 || rows > w_.in_height || columns > w_.in_width;
  pitch_ = (padded_ ? columns : w_.in_width) * w_.channels;
}

bool ImageLines::CanRead(const kernels::Window& w) {
  const bool whole_quads = (w.dilation_width == 1 || w.kernel_width == 1) && w.kernel_width * w.channels % 4 == 0;
  const ImageLines lines(w, 0);
  return whole_quads && w.out_width >= kShortestLine && (!lines.padded_ || lines.extent_ <= kMostCopied / lines.pitch_);
}

size_t ImageLines::Bytes(size_t lines) const {
  if (!padded_) return 0;
  const size_t images = lines / w_.out_height;
  return pitch_ * std::max(images * RowsRead(w_.out_height), RowsRead(std::min(lines, w_.out_height)));
}

// The rows, `rows` of them, that lines from first_line on read.
void ImageLines::CopyRows(const uint8_t* image, size_t first_line, size_t rows, uint8_t* out) const {
  const size_t in_pitch = w_.in_width * w_.channels, left = std::min(w_.pad_left * w_.channels, pitch_);
  const size_t inside = std::min(in_pitch, pitch_ - left), right = pitch_ - left - inside;
  for (size_t i = 0; i < rows; ++i, out += pitch_) {
    const size_t y = first_line * w_.stride_height + i - w_.pad_top;  // above the image: huge
    if (y >= w_.in_height) {
      std::memset(out, zero_code_, pitch_);
      continue;
    }
    std::memset(out, zero_code_, left);
    std::memcpy(out + left, image + y * in_pitch, inside);
    std::memset(out + left + inside, zero_code_, right);
  }
}

ImageLines::Source ImageLines::Read(const uint8_t* in, Range lines, uint8_t* memory) const {
  const size_t image_bytes = w_.in_height * w_.in_width * w_.channels;
  const size_t first = lines.begin % w_.out_height, count = lines.end - lines.begin;
  const size_t images = std::max<size_t>(1, count / w_.out_height), height = count / images, rows = RowsRead(height);
  const uint8_t* image = in + lines.begin / w_.out_height * image_bytes;
  Source source = {padded_ ? memory : image + first * LineBytes(), w_.stride_width * w_.channels, {}};
  source.patches = {.width = w_.out_width,
                    .line_step = LineBytes(),
                    .height = height,
                    .image_step = padded_ ? rows * pitch_ : image_bytes,
                    .runs = w_.kernel_height,
                    .run_bytes = w_.kernel_width * w_.channels,
                    .run_step = w_.dilation_height * pitch_};
  for (size_t i = 0; padded_ && i < images; ++i) {
    CopyRows(image + i * image_bytes, first, rows, memory + i * source.patches.image_step);
  }
  return source;
}

}  // namespace lq
