// External data of ONNX tensors: bytes of files that lie in the model's folder, and nowhere else.
#ifndef LANEQUANT_RUNTIME_IO_EXTERNAL_DATA_H_
#define LANEQUANT_RUNTIME_IO_EXTERNAL_DATA_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lanequant/status.h"
#include "runtime/io/file.h"
#include "runtime/io/memory_budget.h"

namespace lq {

// The external_data entries of one TensorProto.
struct ExternalLocation {
  std::string location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;

  // Adds one entry (a StringStringEntryProto). Errors: numbers that are none. Unknown keys ("checksum") are skipped.
  Status Add(const std::string& tensor, std::string_view entry);
};

struct ExternalSize {
  uint64_t in_file;    // bytes
  uint64_t in_memory;  // once widened
};

class ExternalData {
 public:
  explicit ExternalData(std::string folder) : folder_(std::move(folder)) {}

  // The bytes at a place. Errors: a place outside the folder or beyond its file, a length that is not the size, more
  // memory than the budget: any number of tensors may name the same bytes.
  Result<std::string> Read(const std::string& tensor, const ExternalLocation& place, ExternalSize size);
  // float32, most of a model: without a second copy. `count` fits its bytes.
  Status ReadFloats(const std::string& tensor, const ExternalLocation& place, uint64_t count, std::vector<float>& out);

 private:
  // The file, once its bytes are known to be there, and taken from the budget.
  Result<const File*> Find(const std::string& tensor, const ExternalLocation& place, uint64_t bytes);

  std::string folder_;
  MemoryBudget budget_;
  std::map<std::string, File> files_;  // all tensors of a model usually share one
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_EXTERNAL_DATA_H_
