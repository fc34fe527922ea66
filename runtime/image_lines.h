// Lines (rows of output pixels) of a convolution whose patches a kernel reads in the image itself (kernels::Patches).
// Where there is padding, that is a copy of the rows that the lines read, with their padding: each byte is copied about
// once, while gathered patches hold it once for each cell of the filter.
#ifndef LANEQUANT_RUNTIME_IMAGE_LINES_H_
#define LANEQUANT_RUNTIME_IMAGE_LINES_H_

#include <cstddef>
#include <cstdint>

#include "kernels/contracts.h"
#include "runtime/partition.h"

namespace lq {

class ImageLines {
 public:
  // u8 codes; y_begin and y_end of the window are not used.
  ImageLines(const kernels::Window& window, uint8_t zero_code);

  // The cells of a row of the filter stand together and are whole quads, lines are long enough for register tiles, and
  // what one of them reads is little enough to be copied.
  static bool CanRead(const kernels::Window& window);

  // Of the rows of the image, with padding, that one more line reads.
  size_t LineBytes() const { return w_.stride_height * pitch_; }
  // Memory for `lines` lines.
  size_t Bytes(size_t lines) const;

  // What a kernel takes for lines of one image, or of whole images.
  struct Source {
    const uint8_t* a;
    size_t a_stride;
    kernels::Patches patches;
  };
  // lines: counted through all images, those of the next ones behind one another; at least one. memory: Bytes(lines).
  Source Read(const uint8_t* in, Range lines, uint8_t* memory) const;

 private:
  size_t RowsRead(size_t lines) const { return (lines - 1) * w_.stride_height + extent_; }
  void CopyRows(const uint8_t* image, size_t first_line, size_t rows, uint8_t* out) const;

  kernels::Window w_;
  uint8_t zero_code_;
  bool padded_;
  size_t extent_;  // rows from the first to the last of a window
  size_t pitch_;   // bytes of a row
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IMAGE_LINES_H_
