// How layers look up and add packed weights in the store of their options.
#ifndef LANEQUANT_RUNTIME_STORED_WEIGHTS_H_
#define LANEQUANT_RUNTIME_STORED_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "lanequant/weight_store.h"
#include "runtime/packed_weights.h"

namespace lq {

struct WeightStore::Impl {
  std::mutex mutex;
  std::map<uint64_t, SharedWeights> weights;  // by the hash of what they were made from
  size_t packed = 0;
};

// What decides beside floats and encoding how weights are packed.
struct PackingCase {
  bool has_float_scales;
  size_t groups;
  int64_t largest_input;  // of integer formats
};

// The weights of one layer that is being prepared.
class StoredWeights {
 public:
  // Hashes the weights and looks for them, if the options have a store.
  StoredWeights(const FloatWeights& weights, const std::optional<Encoding>& encoding, const PackingCase& packing,
                const PrepareOptions& options);

  const SharedWeights& Find() const { return found_; }  // null if there are none
  SharedWeights Add(PackedWeights packed) const;

 private:
  WeightStore* store_;
  uint64_t key_ = 0;
  SharedWeights found_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_STORED_WEIGHTS_H_
