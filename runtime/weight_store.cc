#include "lanequant/weight_store.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/content_hash.h"
#include "runtime/io/packed_file.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/stored_weights.h"

namespace lq {
namespace {

void AddGrid(const Grid& grid, ContentHash& hash) {
  hash.AddNumber(grid.bitwidth);
  hash.AddNumber(grid.is_signed);
}

void AddEncoding(const Encoding& encoding, ContentHash& hash) {
  hash.AddNumber(encoding.index());
  if (const auto* tensor = std::get_if<PerTensor>(&encoding)) {
    AddGrid(tensor->grid, hash);
    hash.AddNumber(tensor->scale);
    hash.AddNumber(tensor->offset);
  }
  if (const auto* channels = std::get_if<PerChannel>(&encoding)) {
    AddGrid(channels->grid, hash);
    hash.AddNumber(channels->axis);
    hash.AddArray(channels->scale);
    hash.AddArray(channels->offset);
  }
  if (const auto* blocks = std::get_if<PerBlock>(&encoding)) {
    AddGrid(blocks->grid, hash);
    hash.AddNumber(blocks->channel_axis);
    hash.AddNumber(blocks->block_axis);
    hash.AddNumber(blocks->block_size);
    hash.AddArray(blocks->scale);
    hash.AddArray(blocks->offset);
  }
  if (const auto* lpbq = std::get_if<Lpbq>(&encoding)) {
    hash.AddNumber(lpbq->bitwidth);
    hash.AddNumber(lpbq->decompressed_bitwidth);
    hash.AddNumber(lpbq->channel_axis);
    hash.AddNumber(lpbq->block_axis);
    hash.AddNumber(lpbq->block_size);
    hash.AddArray(lpbq->channel_scale);
    hash.AddArray(lpbq->per_block_int_scale);
  }
}

// The floats in pieces of a megabyte, by all workers: the same hash for any number of them.
void AddFloats(std::span<const float> values, const PrepareOptions& options, ContentHash& hash) {
  constexpr size_t kPiece = size_t{1} << 18;
  std::vector<uint64_t> pieces((values.size() + kPiece - 1) / kPiece);
  RunPreparing(options, pieces.size(), kPiece, [&](Range range) {
    for (size_t i = range.begin; i < range.end; ++i) {
      ContentHash piece;
      piece.Add(std::as_bytes(values.subspan(i * kPiece, std::min(kPiece, values.size() - i * kPiece))));
      pieces[i] = piece.value();
    }
  });
  hash.AddArray(pieces);
}

uint64_t KeyOf(const FloatWeights& weights, const std::optional<Encoding>& encoding, const PackingCase& packing,
               const PrepareOptions& options) {
  ContentHash hash;
  for (const size_t number : {weights.out_channels, weights.in_channels, weights.taps, packing.groups}) {
    hash.AddNumber(number);
  }
  hash.AddNumber(weights.transposed);
  hash.AddNumber(packing.has_float_scales);
  hash.AddNumber(packing.largest_input);
  hash.AddNumber(static_cast<int>(options.profile));
  hash.AddNumber(encoding.has_value());
  if (encoding) AddEncoding(*encoding, hash);
  AddFloats(weights.values, options, hash);
  return hash.value();
}

}  // namespace

StoredWeights::StoredWeights(const FloatWeights& weights, const std::optional<Encoding>& encoding,
                             const PackingCase& packing, const PrepareOptions& options)
    : store_(options.store) {
  if (store_ == nullptr) return;
  key_ = KeyOf(weights, encoding, packing, options);
  WeightStore::Impl& contents = *store_->impl_;
  const std::lock_guard lock(contents.mutex);
  const auto at = contents.weights.find(key_);
  if (at == contents.weights.end()) return;
  // What a file says need not be what its key stands for.
  const PackedWeights& found = *at->second;
  const bool fits = HasFloatScales(found.format) == packing.has_float_scales && found.groups == packing.groups &&
                    found.n * found.groups == weights.out_channels && found.k == weights.in_channels * weights.taps;
  if (fits) found_ = at->second;
}

SharedWeights StoredWeights::Add(PackedWeights packed) const {
  auto shared = std::make_shared<const PackedWeights>(std::move(packed));
  if (store_ == nullptr) return shared;
  WeightStore::Impl& contents = *store_->impl_;
  const std::lock_guard lock(contents.mutex);
  ++contents.packed;
  contents.weights[key_] = shared;
  return shared;
}

WeightStore::WeightStore() : impl_(std::make_unique<Impl>()) {}
WeightStore::WeightStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WeightStore::WeightStore(WeightStore&&) noexcept = default;
WeightStore& WeightStore::operator=(WeightStore&&) noexcept = default;
WeightStore::~WeightStore() = default;

Result<WeightStore> WeightStore::Map(const std::string& path) {
  auto impl = std::make_unique<Impl>();
  LQ_ASSIGN_OR_RETURN(impl->weights, MapPackedFile(path));
  return WeightStore(std::move(impl));
}

Status WeightStore::Save(const std::string& path) const {
  const std::lock_guard lock(impl_->mutex);
  return WritePackedFile(path, impl_->weights);
}

size_t WeightStore::layers() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->weights.size();
}

size_t WeightStore::bytes() const {
  const std::lock_guard lock(impl_->mutex);
  size_t bytes = 0;
  for (const auto& [key, weights] : impl_->weights) bytes += weights->bytes.size();
  return bytes;
}

size_t WeightStore::packed() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->packed;
}

}  // namespace lq
