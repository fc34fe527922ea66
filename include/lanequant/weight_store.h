// WeightStore: packed weights that layers share, between sessions and, through a file, between processes and runs.
//
//   Result<WeightStore> mapped = WeightStore::Map("model.lqw");
//   WeightStore store = mapped.ok() ? *std::move(mapped) : WeightStore();
//   options.store = &store;
//   ... Session::Prepare(model, options), or single layers, as many as share weights ...
//   if (store.packed() > 0) status = store.Save("model.lqw");
#ifndef LANEQUANT_WEIGHT_STORE_H_
#define LANEQUANT_WEIGHT_STORE_H_

#include <cstddef>
#include <memory>
#include <string>

#include "lanequant/export.h"
#include "lanequant/status.h"

namespace lq {

// Weights are found by their contents: a hash of the floats, their encoding and what else decides how they are packed
// (the range of the input's codes, the rounding profile). Whatever differs is packed and added, so that the weights of
// another model are never taken. One store may hold several models, and a file serves every target: the matmul layers'
// packed formats (Linear, FloatLinear, Conv2d but depthwise ones) do not depend on it.
// Layers keep what they use: the store may end before them. Any number of threads may prepare layers with one store.
class LQ_EXPORT WeightStore {
 public:
  WeightStore();  // empty
  WeightStore(WeightStore&&) noexcept;
  WeightStore& operator=(WeightStore&&) noexcept;
  ~WeightStore();

  // What Save wrote. The file is mapped read-only: all processes that map it share its memory, on pages of 4 KiB where
  // packed memory has huge ones (up to a tenth slower for one row of a large layer). It is read once, to check it;
  // after that it must not be changed in place (Save replaces it, which leaves mappings as they are). Like the model's
  // own file it decides which codes come out, but no contents can make a run touch other memory than its own. Errors:
  // no such file (kNotFound), another kind or version of file, sizes that do not fit, contents that do not fit their
  // checksum.
  static Result<WeightStore> Map(const std::string& path);

  // All weights, those of a mapped file included: to a temporary in the same folder, renamed when it is whole.
  Status Save(const std::string& path) const;

  size_t layers() const;  // that are held
  size_t bytes() const;   // of their packed weights
  size_t packed() const;  // layers that were not found and have been added

 private:
  friend class StoredWeights;  // runtime/stored_weights.h: how layers look up and add weights
  struct Impl;
  explicit WeightStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq

#endif  // LANEQUANT_WEIGHT_STORE_H_
