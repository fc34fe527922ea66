// Random files of packed weights, as they are and with the right checksum of a single layer. What is mapped is saved
// and mapped again: as many layers and bytes.
//   build/fuzz/tests/fuzz/weights_fuzz FOUND tests/fuzz/corpus/weights -max_total_time=120
#include "lanequant/weight_store.h"
#include "tests/fuzz/input_file.h"
#include "tests/support/forged_weights.h"

namespace lq::fuzz {
namespace {

void MapSaveMap(const std::string& path) {
  const Result<WeightStore> first = WeightStore::Map(path);
  CheckSentence(first.status());
  if (!first.ok()) return;
  const std::string copy = path + ".lqw";
  if (!first->Save(copy).ok()) std::abort();
  const Result<WeightStore> second = WeightStore::Map(copy);
  if (!second.ok() || second->layers() != first->layers() || second->bytes() != first->bytes()) std::abort();
}

}  // namespace
}  // namespace lq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static lq::fuzz::InputFile file("weights");
  lq::fuzz::MapSaveMap(file.Write(data, size));
  const std::string forged = lq::testing::WithChecksum({reinterpret_cast<const char*>(data), size});
  lq::fuzz::MapSaveMap(file.Write(reinterpret_cast<const uint8_t*>(forged.data()), forged.size()));
  return 0;
}
