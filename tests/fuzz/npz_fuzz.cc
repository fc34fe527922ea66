// Random npz archives and npy files. What was read is written and read again: the same arrays.
//   build/fuzz/tests/fuzz/npz_fuzz FOUND tests/fuzz/corpus/npz -max_total_time=120
#include "runtime/io/npz.h"
#include "tests/fuzz/input_file.h"

namespace lq::fuzz {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 24;

bool Same(const NamedArray& a, const NamedArray& b) {
  return a.name == b.name && a.dtype == b.dtype && a.shape == b.shape && a.bytes == b.bytes;
}

void ReadWriteRead(const std::string& path) {
  const Result<std::vector<NamedArray>> first = ReadNpz(path, kMaxBytes);
  CheckSentence(first.status());
  if (!first.ok()) return;
  const std::string copy = path + ".npz";
  if (!WriteNpz(copy, *first).ok()) return;  // names that no archive can hold, or twice the same
  const Result<std::vector<NamedArray>> second = ReadNpz(copy, kMaxBytes);
  if (!second.ok() || second->size() != first->size()) std::abort();
  for (size_t i = 0; i < first->size(); ++i) {
    if (!Same((*first)[i], (*second)[i])) std::abort();
  }
}

}  // namespace
}  // namespace lq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static lq::fuzz::InputFile file("arrays");
  lq::fuzz::ReadWriteRead(file.Write(data, size));
  return 0;
}
