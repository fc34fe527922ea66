// Gather of a constant: the indices are known only in a run.
#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "runtime/plan/indexed_step.h"
#include "runtime/plan/steps.h"
#include "runtime/plan/value_operator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

class GatherStep final : public IndexedStep {
 public:
  GatherStep(GatherTable table, const PrepareOptions& options)
      : IndexedStep(table.indices, table.dtype, options), table_(std::move(table)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    LQ_ASSIGN_OR_RETURN(const size_t axis, AxisOf(table_.name, table_.axis, table_.shape.rank()));
    const Shape indices = OnnxShape(in[0]);
    if (table_.shape.rank() - 1 + indices.rank() > Shape::kMaxRank) {
      return Unsupported(fmt::format("{}: indices of shape {} along axis {} of shape {}; supported: {} dimensions",
                                     table_.name, indices.ToString(), axis, table_.shape.ToString(), Shape::kMaxRank));
    }
    std::vector<int64_t> dims;
    for (size_t d = 0; d < table_.shape.rank(); ++d) {
      if (d != axis) dims.push_back(table_.shape[d]);
      if (d == axis) dims.insert(dims.end(), indices.dims().begin(), indices.dims().end());
    }
    return PlanShape(Shape(dims));
  }

  LayerInfo info() const override { return {"gather", "", "", table_.elements.size()}; }

 private:
  // OutputShape has checked it.
  size_t axis() const { return FromFront(table_.axis, table_.shape.rank()); }
  size_t length() const override { return static_cast<size_t>(table_.shape[axis()]); }

  Status Outside(double number) const override {
    return InvalidArgument(fmt::format("{}: index {} is outside axis {} of shape {}", table_.name, number, axis(),
                                       table_.shape.ToString()));
  }

  void Copy(std::span<const uint64_t> indices, Executor&, std::byte* out) const override {
    size_t outer = 1, slice = SizeOf(table_.dtype);
    for (size_t d = 0; d < axis(); ++d) outer *= static_cast<size_t>(table_.shape[d]);
    for (size_t d = axis() + 1; d < table_.shape.rank(); ++d) slice *= static_cast<size_t>(table_.shape[d]);
    for (size_t o = 0; o < outer && slice > 0; ++o) {
      for (const uint64_t index : indices) {
        std::memcpy(out, table_.elements.data() + (o * length() + index) * slice, slice);
        out += slice;
      }
    }
  }

  GatherTable table_;
};

}  // namespace

std::unique_ptr<Step> MakeGatherStep(GatherTable table, const PrepareOptions& options) {
  return std::make_unique<GatherStep>(std::move(table), options);
}

}  // namespace lq
