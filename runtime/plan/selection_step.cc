// Gather and GatherElements of an activation by indices that are known only in a run.
#include <fmt/format.h>

#include <array>
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

class SelectionStep final : public Step {
 public:
  SelectionStep(Selection selection, const PrepareOptions& options)
      : selection_(std::move(selection)), decoder_(selection_.indices, options) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    const Shape x = OnnxShape(in[0]), indices = OnnxShape(in[1]);
    LQ_ASSIGN_OR_RETURN(const size_t axis, AxisOf(selection_.name, selection_.axis, x.rank()));
    if (!selection_.by_element) {
      if (x.rank() - 1 + indices.rank() > Shape::kMaxRank) return Misfit(x, indices);
      std::vector<int64_t> dims(x.dims().begin(), x.dims().begin() + static_cast<ptrdiff_t>(axis));
      dims.insert(dims.end(), indices.dims().begin(), indices.dims().end());
      dims.insert(dims.end(), x.dims().begin() + static_cast<ptrdiff_t>(axis) + 1, x.dims().end());
      return PlanShape(Shape(dims));
    }
    bool fits = x.rank() == indices.rank();
    for (size_t d = 0; fits && d < x.rank(); ++d) fits = d == axis || indices[d] <= x[d];
    if (!fits) return Misfit(x, indices);
    return in[1];
  }

  size_t ScratchBytes(std::span<const Shape> in, size_t) const override {
    Pieces pieces(nullptr);
    const Result<Shape> out = OutputShape(in);
    const auto elements = [](const Shape& shape) { return static_cast<size_t>(shape.NumElements()) * sizeof(double); };
    for (size_t bytes : {elements(in[0]), elements(in[1]), elements(in[1]), out.ok() ? elements(*out) : 0}) {
      pieces.Take(bytes);
    }
    return pieces.used();
  }

  Status Run(const StepRun& run) const override {
    const ConstTensorView &x = run.in[0], &indices = run.in[1];
    const size_t size = SizeOf(x.dtype), count = static_cast<size_t>(indices.shape.NumElements());
    Pieces pieces(run.scratch.data());
    std::byte* data = pieces.Take(x.bytes.size());
    ToOnnxOrder(x.bytes.data(), x.shape, size, data);
    std::byte* ordered = pieces.Take(count * sizeof(double));
    ToOnnxOrder(indices.bytes.data(), indices.shape, SizeOf(indices.dtype), ordered);
    auto* numbers = reinterpret_cast<double*>(pieces.Take(count * sizeof(double)));
    decoder_.Decode(ordered, indices.dtype, count, ValueKind::kReal, reinterpret_cast<std::byte*>(numbers));
    const Shape shape = OnnxShape(x.shape), index_shape = OnnxShape(indices.shape);
    LQ_RETURN_IF_ERROR(Resolve(shape, {numbers, count}));
    const bool image = IsTurned(run.out.shape);
    std::byte* out = image ? pieces.Take(run.out.bytes.size()) : run.out.bytes.data();
    if (selection_.by_element) {
      TakeElements({shape, data, size}, index_shape, numbers, out);
    } else {
      TakeSlices({shape, data, size}, {numbers, count}, out);
    }
    if (image) FromOnnxOrder(out, run.out.shape, size, run.out.bytes.data());
    return OkStatus();
  }

  LayerInfo info() const override { return {"gather", "", "", 0}; }

 private:
  struct Data {
    const Shape& shape;
    const std::byte* bytes;
    size_t size;  // of an element
  };

  Status Misfit(const Shape& x, const Shape& indices) const {
    return InvalidArgument(fmt::format("{}: indices of shape {} along axis {} of shape {}", selection_.name,
                                       indices.ToString(), selection_.axis, x.ToString()));
  }

  // Negative numbers count from the end. Error: one that no element has.
  Status Resolve(const Shape& shape, std::span<double> numbers) const {
    const size_t axis = FromFront(selection_.axis, shape.rank());
    const auto length = static_cast<double>(shape[axis]);
    for (double& number : numbers) {
      const double whole = std::trunc(number), index = whole < 0 ? whole + length : whole;
      if (!(index >= 0 && index < length)) {
        return InvalidArgument(fmt::format("{}: index {} is outside axis {} of shape {}", selection_.name, number, axis,
                                           shape.ToString()));
      }
      number = index;
    }
    return OkStatus();
  }

  void TakeSlices(const Data& x, std::span<const double> numbers, std::byte* out) const {
    const size_t axis = FromFront(selection_.axis, x.shape.rank()), length = static_cast<size_t>(x.shape[axis]);
    size_t outer = 1, slice = x.size;
    for (size_t d = 0; d < axis; ++d) outer *= static_cast<size_t>(x.shape[d]);
    for (size_t d = axis + 1; d < x.shape.rank(); ++d) slice *= static_cast<size_t>(x.shape[d]);
    for (size_t o = 0; o < outer && slice > 0; ++o) {
      for (double number : numbers) {
        std::memcpy(out, x.bytes + (o * length + static_cast<size_t>(number)) * slice, slice);
        out += slice;
      }
    }
  }

  void TakeElements(const Data& x, const Shape& indices, const double* numbers, std::byte* out) const {
    const size_t axis = FromFront(selection_.axis, x.shape.rank());
    std::array<size_t, Shape::kMaxRank> strides{}, at{};
    size_t stride = 1;
    for (size_t d = x.shape.rank(); d-- > 0; stride *= static_cast<size_t>(x.shape[d])) strides[d] = stride;
    for (int64_t i = 0; i < indices.NumElements(); ++i) {
      size_t from = static_cast<size_t>(numbers[i]) * strides[axis];
      for (size_t d = 0; d < indices.rank(); ++d) from += d == axis ? 0 : at[d] * strides[d];
      std::memcpy(out + static_cast<size_t>(i) * x.size, x.bytes + from * x.size, x.size);
      for (size_t d = indices.rank(); d-- > 0;) {
        if (++at[d] < static_cast<size_t>(indices[d])) break;
        at[d] = 0;
      }
    }
  }

  Selection selection_;
  ValueDecoder decoder_;
};

}  // namespace

std::unique_ptr<Step> MakeSelectionStep(Selection selection, const PrepareOptions& options) {
  return std::make_unique<SelectionStep>(std::move(selection), options);
}

}  // namespace lq
