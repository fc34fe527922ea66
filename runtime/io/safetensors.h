// The safetensors format: eight bytes with the length of a JSON header, the header (type, shape and place of each
// tensor), then the tensors' bytes without gaps.
#ifndef LANEQUANT_RUNTIME_IO_SAFETENSORS_H_
#define LANEQUANT_RUNTIME_IO_SAFETENSORS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lanequant/status.h"
#include "lanequant/tensor.h"
#include "runtime/io/file.h"

namespace lq {

struct SafetensorsTensor {
  std::string name;
  std::string type;  // as in the file: "F32", "BF16", "I32", "U8", "F8_E4M3", ...
  Shape shape;
  uint64_t offset = 0, bytes = 0;  // in the file
};

// An open file whose header has been checked; tensors are read when they are asked for.
class Safetensors {
 public:
  // Errors: a header that ends beyond the file or is longer than 100 MB (the limit of the format's own library), that
  // is not JSON, or whose tensors overlap, leave gaps, end beyond the file or do not fit their shapes.
  static Result<Safetensors> Open(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const std::vector<SafetensorsTensor>& tensors() const { return tensors_; }  // in the order of their bytes
  Result<std::vector<std::byte>> Read(const SafetensorsTensor& tensor) const;

 private:
  explicit Safetensors(File file) : file_(std::move(file)) {}
  Status ReadHeader();

  File file_;
  std::vector<SafetensorsTensor> tensors_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_SAFETENSORS_H_
