// Gather of a constant: the indices are known only in a run.
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <utility>

#include "runtime/plan/layout.h"
#include "runtime/plan/pieces.h"
#include "runtime/plan/steps.h"
#include "runtime/plan/value_codec.h"
#include "runtime/plan/value_operator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

class GatherStep final : public Step {
 public:
  GatherStep(GatherTable table, const PrepareOptions& options)
      : table_(std::move(table)), decoder_(table_.indices, options) {}

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

  size_t ScratchBytes(std::span<const Shape> in, size_t) const override {
    Pieces pieces(nullptr);
    const auto indices = static_cast<size_t>(in[0].NumElements());
    pieces.Take(indices * sizeof(double));
    pieces.Take(indices * sizeof(double));
    const Result<Shape> out = OutputShape(in);
    pieces.Take(out.ok() ? static_cast<size_t>(out->NumElements()) * SizeOf(table_.dtype) : 0);
    return pieces.used();
  }

  Status Run(const StepRun& run) const override {
    const ConstTensorView& in = run.in[0];
    const auto count = static_cast<size_t>(in.shape.NumElements());
    Pieces pieces(run.scratch.data());
    std::byte* ordered = pieces.Take(count * sizeof(double));
    ToOnnxOrder(in.bytes.data(), in.shape, SizeOf(in.dtype), ordered);
    std::byte* numbers = pieces.Take(count * sizeof(double));
    decoder_.Decode(ordered, in.dtype, count, ValueKind::kReal, numbers);
    const bool image = IsTurned(run.out.shape);
    std::byte* out = image ? pieces.Take(run.out.bytes.size()) : run.out.bytes.data();
    LQ_RETURN_IF_ERROR(Gather({reinterpret_cast<const double*>(numbers), count}, out));
    if (image) FromOnnxOrder(out, run.out.shape, SizeOf(run.out.dtype), run.out.bytes.data());
    return OkStatus();
  }

  LayerInfo info() const override { return {"gather", "", "", table_.elements.size()}; }

 private:
  Status Gather(std::span<const double> numbers, std::byte* out) const {
    const size_t axis = FromFront(table_.axis, table_.shape.rank());
    const int64_t length = table_.shape[axis];
    size_t outer = 1, slice = SizeOf(table_.dtype);
    for (size_t d = 0; d < axis; ++d) outer *= static_cast<size_t>(table_.shape[d]);
    for (size_t d = axis + 1; d < table_.shape.rank(); ++d) slice *= static_cast<size_t>(table_.shape[d]);
    for (size_t o = 0; o < outer; ++o) {
      for (double number : numbers) {
        const double whole = std::trunc(number), index = whole < 0 ? whole + static_cast<double>(length) : whole;
        if (!(index >= 0 && index < static_cast<double>(length))) {
          return InvalidArgument(fmt::format("{}: index {} is outside axis {} of shape {}", table_.name, number, axis,
                                             table_.shape.ToString()));
        }
        const size_t from = (o * static_cast<size_t>(length) + static_cast<size_t>(index)) * slice;
        if (slice > 0) std::memcpy(out, table_.elements.data() + from, slice);
        out += slice;
      }
    }
    return OkStatus();
  }

  GatherTable table_;
  ValueDecoder decoder_;
};

}  // namespace

std::unique_ptr<Step> MakeGatherStep(GatherTable table, const PrepareOptions& options) {
  return std::make_unique<GatherStep>(std::move(table), options);
}

}  // namespace lq
