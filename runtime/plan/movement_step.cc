// Steps that move codes, or values that nothing encodes, without changing them.
#include <fmt/format.h>

#include <array>

#include "runtime/plan/layout.h"
#include "runtime/plan/steps.h"
#include "runtime/plan/value_operator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

Result<Shape> FlattenedShape(const Movement& m, const Shape& in) {
  const auto rank = static_cast<int64_t>(in.rank());
  const int64_t axis = *m.flatten_axis < 0 ? *m.flatten_axis + rank : *m.flatten_axis;
  if (axis < 0 || axis > rank) {
    return InvalidArgument(
        fmt::format("{}: axis {} does not exist in shape {}", m.name, *m.flatten_axis, in.ToString()));
  }
  Shape out{1, 1};
  for (int64_t i = 0; i < rank; ++i) {
    int64_t& side = out[i < axis ? 0 : 1];
    if (__builtin_mul_overflow(side, in[static_cast<size_t>(i)], &side)) {
      return InvalidArgument(fmt::format("{}: shape {} flattened at axis {} overflows", m.name, in.ToString(), axis));
    }
  }
  return out;
}

Result<Shape> ReshapedShape(const Movement& m, const Shape& in) {
  const auto mismatch = [&] {
    return InvalidArgument(
        fmt::format("{}: shape {} does not reshape to ({})", m.name, in.ToString(), fmt::join(m.dims, ", ")));
  };
  if (m.dims.size() > Shape::kMaxRank) return mismatch();
  Shape out(m.dims);
  int64_t known = 1;
  std::optional<size_t> open;
  for (size_t i = 0; i < out.rank(); ++i) {
    if (out[i] == 0 && !m.allow_zero) {
      if (i >= in.rank()) return mismatch();
      out[i] = in[i];
    }
    if (out[i] == -1 && !open) {
      open = i;
    } else if (out[i] < 0 || __builtin_mul_overflow(known, out[i], &known)) {
      return mismatch();
    }
  }
  const int64_t total = in.NumElements();
  if (open) {
    if (known == 0 || total % known != 0) return mismatch();
    out[*open] = total / known;
  } else if (known != total) {
    return mismatch();
  }
  return out;
}

Result<Shape> SqueezedShape(const Movement& m, const Shape& in) {
  std::array<bool, Shape::kMaxRank> gone{};
  for (size_t d = 0; d < in.rank(); ++d) gone[d] = m.squeeze->empty() && in[d] == 1;
  for (int64_t axis : *m.squeeze) {
    LQ_ASSIGN_OR_RETURN(const size_t d, AxisOf(m.name, axis, in.rank()));
    if (in[d] != 1) return InvalidArgument(fmt::format("{}: axis {} of shape {} is not 1", m.name, d, in.ToString()));
    gone[d] = true;
  }
  std::vector<int64_t> dims;
  for (size_t d = 0; d < in.rank(); ++d) {
    if (!gone[d]) dims.push_back(in[d]);
  }
  return Shape(dims);
}

Result<Shape> UnsqueezedShape(const Movement& m, const Shape& in) {
  const size_t rank = in.rank() + m.unsqueeze->size();
  std::array<bool, 2 * Shape::kMaxRank> fresh{};
  for (int64_t axis : *m.unsqueeze) {
    LQ_ASSIGN_OR_RETURN(const size_t d, AxisOf(m.name, axis, rank));
    if (rank > Shape::kMaxRank || fresh[d]) {
      return InvalidArgument(
          fmt::format("{}: axes ({}) do not fit shape {}", m.name, fmt::join(*m.unsqueeze, ", "), in.ToString()));
    }
    fresh[d] = true;
  }
  std::vector<int64_t> dims;
  for (size_t d = 0, next = 0; d < rank; ++d) dims.push_back(fresh[d] ? 1 : in[next++]);
  return Shape(dims);
}

Result<Shape> SplitShape(const Movement& m, const Shape& in) {
  std::vector<int64_t> dims;
  for (size_t d = 0; d < in.rank(); ++d) {
    if (d != *m.split_axis) dims.push_back(in[d]);
    if (d == *m.split_axis) dims.insert(dims.end(), m.dims.begin(), m.dims.end());
  }
  if (dims.size() > Shape::kMaxRank) {
    return Unsupported(fmt::format("{}: {} dimensions; up to {} are supported", m.name, dims.size(), Shape::kMaxRank));
  }
  return Shape(dims);
}

Result<Shape> MovedShape(const Movement& m, const Shape& in) {
  if (m.flatten_axis) return FlattenedShape(m, in);
  if (m.split_axis) return SplitShape(m, in);
  if (m.squeeze) return SqueezedShape(m, in);
  return m.unsqueeze ? UnsqueezedShape(m, in) : ReshapedShape(m, in);
}

class MovementStep final : public Step {
 public:
  explicit MovementStep(Movement movement) : movement_(std::move(movement)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    LQ_ASSIGN_OR_RETURN(const Shape out, MovedShape(movement_, OnnxShape(in[0])));
    return PlanShape(out);
  }

  size_t ScratchBytes(std::span<const Shape> in, size_t) const override {
    return static_cast<size_t>(in[0].NumElements()) * sizeof(double);
  }

  Status Run(const StepRun& run) const override {
    const ConstTensorView& in = run.in[0];
    const size_t size = SizeOf(in.dtype);
    std::byte* out = run.out.bytes.data();
    if (!IsTurned(in.shape)) {
      FromOnnxOrder(in.bytes.data(), run.out.shape, size, out);
    } else if (!IsTurned(run.out.shape)) {
      ToOnnxOrder(in.bytes.data(), in.shape, size, out);
    } else {
      ToOnnxOrder(in.bytes.data(), in.shape, size, run.scratch.data());
      FromOnnxOrder(run.scratch.data(), run.out.shape, size, out);
    }
    return OkStatus();
  }

  bool KeepsImagesApart() const override { return true; }

 private:
  Movement movement_;
};

}  // namespace

std::unique_ptr<Step> MakeMovementStep(Movement movement) {
  return std::make_unique<MovementStep>(std::move(movement));
}

}  // namespace lq
