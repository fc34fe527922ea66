// Steps that change the order of elements, and ones that join tensors.
#include <fmt/format.h>

#include <array>
#include <cstring>

#include "runtime/plan/broadcast.h"
#include "runtime/plan/layout.h"
#include "runtime/plan/rearrangement.h"
#include "runtime/plan/steps.h"
#include "runtime/plan/value_operator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

class RearrangeStep final : public Step {
 public:
  RearrangeStep(std::unique_ptr<Rearrangement> rearrangement, uint64_t padding)
      : rearrangement_(std::move(rearrangement)), padding_(padding) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    LQ_ASSIGN_OR_RETURN(const Shape out, rearrangement_->OutputShape(OnnxShape(in[0])));
    return PlanShape(out);
  }

  size_t ScratchBytes(std::span<const Shape> in, size_t) const override {
    const Result<Shape> out = OutputShape(in);
    size_t entries = 0;
    for (size_t d = 0; out.ok() && d < out->rank(); ++d) entries += static_cast<size_t>((*out)[d]);
    return entries * sizeof(ptrdiff_t);
  }

  Status Run(const StepRun& run) const override {
    switch (SizeOf(run.out.dtype)) {
      case 1:
        Move<uint8_t>(run);
        break;
      case 2:
        Move<uint16_t>(run);
        break;
      case 4:
        Move<uint32_t>(run);
        break;
      default:
        Move<uint64_t>(run);
    }
    return OkStatus();
  }

 private:
  using Tables = std::array<const ptrdiff_t*, Shape::kMaxRank>;

  // One table for each dimension of the output in the plan's order: what an index adds to an element's place.
  Tables FillTables(const StepRun& run) const {
    const Shape in = OnnxShape(run.in[0].shape);
    const size_t in_rank = in.rank(), out_rank = run.out.shape.rank();
    Strides strides{};
    ptrdiff_t step = 1;
    for (size_t d = in_rank; d-- > 0; step *= run.in[0].shape[d]) strides[OnnxDimension(d, in_rank)] = step;
    Tables tables{};
    auto* next = reinterpret_cast<ptrdiff_t*>(run.scratch.data());
    for (size_t d = 0; d < out_rank; ++d) {
      tables[d] = next;
      for (int64_t i = 0; i < run.out.shape[d]; ++i) {
        *next++ = rearrangement_->Place({in, strides}, OnnxDimension(d, out_rank), i);
      }
    }
    return tables;
  }

  template <class T>
  void Move(const StepRun& run) const {
    const Shape& shape = run.out.shape;
    const size_t last = shape.rank() > 0 ? shape.rank() - 1 : 0;
    const int64_t n = shape.rank() > 0 ? shape[last] : 1;
    if (shape.NumElements() == 0) return;
    const Tables tables = FillTables(run);
    const T* in = run.in[0].data<T>();
    T* out = run.out.data<T>();
    bool together = true;
    for (int64_t i = 0; i < n && shape.rank() > 0; ++i) together = together && tables[last][i] == tables[last][0] + i;
    for (int64_t row = 0; row < shape.NumElements() / n; ++row, out += n) {
      ptrdiff_t place = 0;
      int64_t rest = row;
      for (size_t d = last; d-- > 0; rest /= shape[d]) place += tables[d][rest % shape[d]];
      if (shape.rank() == 0 || (together && place + tables[last][0] >= 0)) {
        std::memcpy(out, in + place + (shape.rank() > 0 ? tables[last][0] : 0), static_cast<size_t>(n) * sizeof(T));
        continue;
      }
      for (int64_t i = 0; i < n; ++i) {
        const ptrdiff_t at = place + tables[last][i];
        out[i] = at >= 0 ? in[at] : static_cast<T>(padding_);
      }
    }
  }

  std::unique_ptr<Rearrangement> rearrangement_;
  uint64_t padding_;  // the bits of a padding element
};

class ConcatStep final : public Step {
 public:
  ConcatStep(std::string name, int64_t axis) : name_(std::move(name)), axis_(axis) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    const auto rank = static_cast<int64_t>(in[0].rank());
    if (axis_ < -rank || axis_ >= rank) {
      return InvalidArgument(fmt::format("{}: axis {} of shape {}", name_, axis_, OnnxShape(in[0]).ToString()));
    }
    const size_t axis = PlanAxis(in[0].rank());
    Shape out = in[0];
    for (size_t i = 1; i < in.size(); ++i) {
      Shape other = in[i];
      const int64_t length = other.rank() == out.rank() ? other[axis] : 0;
      if (other.rank() == out.rank()) other[axis] = out[axis];
      if (!(other == out)) {
        return InvalidArgument(fmt::format("{}: shapes {} and {} do not join along axis {}", name_,
                                           OnnxShape(in[0]).ToString(), OnnxShape(in[i]).ToString(), axis_));
      }
      out[axis] += length;
    }
    return out;
  }

  Status Run(const StepRun& run) const override {
    const Shape& shape = run.out.shape;
    const size_t axis = PlanAxis(shape.rank());
    size_t outer = 1;
    for (size_t d = 0; d < axis; ++d) outer *= static_cast<size_t>(shape[d]);
    std::byte* out = run.out.bytes.data();
    for (size_t o = 0; o < outer; ++o) {
      for (const ConstTensorView& part : run.in) {
        const size_t bytes = part.bytes.size() / outer;
        std::memcpy(out, part.bytes.data() + o * bytes, bytes);
        out += bytes;
      }
    }
    return OkStatus();
  }

  bool KeepsImagesApart() const override { return true; }

 private:
  // The axis in the plan's order.
  size_t PlanAxis(size_t rank) const {
    const size_t onnx = FromFront(axis_, rank);
    size_t d = 0;
    while (OnnxDimension(d, rank) != onnx) ++d;
    return d;
  }

  std::string name_;
  int64_t axis_;
};

class ConstantStep final : public Step {
 public:
  explicit ConstantStep(ConstantPart part) : part_(std::move(part)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    Shape out = OnnxShape(in[0]);
    const Shape& own = part_.shape;
    bool fits = own.rank() == out.rank() && AxisOf(part_.name, part_.axis, out.rank()).ok();
    for (size_t d = 0; fits && d < out.rank(); ++d) {
      if (d == FromFront(part_.axis, out.rank())) out[d] = own[d];
      fits = own[d] == out[d] || (part_.repeats && own[d] == 1);
    }
    if (fits) return PlanShape(out);
    return InvalidArgument(fmt::format("{}: a constant of shape {} and {} do not join along axis {}", part_.name,
                                       own.ToString(), OnnxShape(in[0]).ToString(), part_.axis));
  }

  Status Run(const StepRun& run) const override {
    const Shape& shape = run.out.shape;
    const size_t size = SizeOf(part_.dtype), last = shape.rank() - 1;
    const Strides strides = BroadcastStrides(part_.shape, Layout(false), shape, layout());
    const int64_t together = strides[last] == 1 ? shape[last] : 1;
    for (int64_t i = 0; i < shape.NumElements(); i += together) {
      const auto from = static_cast<size_t>(OffsetOf(i, shape.dims(), strides));
      std::memcpy(run.out.bytes.data() + static_cast<size_t>(i) * size, part_.elements.data() + from * size,
                  static_cast<size_t>(together) * size);
    }
    return OkStatus();
  }

 private:
  ConstantPart part_;
};

}  // namespace

std::unique_ptr<Step> MakeConstantStep(ConstantPart part) { return std::make_unique<ConstantStep>(std::move(part)); }

std::unique_ptr<Step> MakeRearrangeStep(std::unique_ptr<Rearrangement> rearrangement, uint64_t padding) {
  return std::make_unique<RearrangeStep>(std::move(rearrangement), padding);
}

std::unique_ptr<Step> MakeConcatStep(std::string name, int64_t axis) {
  return std::make_unique<ConcatStep>(std::move(name), axis);
}

}  // namespace lq
