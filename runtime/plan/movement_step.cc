// Steps that move codes, or the floats of an unencoded graph output, without changing them.
#include <fmt/format.h>

#include <cstring>

#include "runtime/plan/layout.h"
#include "runtime/plan/steps.h"
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
  for (int64_t i = 0; i < rank; ++i) out[i < axis ? 0 : 1] *= in[static_cast<size_t>(i)];
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

class MovementStep final : public Step {
 public:
  explicit MovementStep(Movement movement) : movement_(std::move(movement)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    const Shape onnx = OnnxShape(in[0]);
    LQ_ASSIGN_OR_RETURN(const Shape out,
                        movement_.flatten_axis ? FlattenedShape(movement_, onnx) : ReshapedShape(movement_, onnx));
    return PlanShape(out);
  }

  size_t ScratchBytes(std::span<const Shape> in, size_t) const override {
    return static_cast<size_t>(in[0].NumElements()) * sizeof(float);
  }

  Status Run(const StepRun& run) const override {
    if (run.out.dtype == DType::kU8) {
      Move<uint8_t>(run);
    } else if (run.out.dtype == DType::kU16) {
      Move<uint16_t>(run);
    } else {
      Move<float>(run);
    }
    return OkStatus();
  }

 private:
  template <class T>
  static void Move(const StepRun& run) {
    const T* in = run.in[0].data<T>();
    T* out = run.out.data<T>();
    const bool from_image = run.in[0].shape.rank() == 4, to_image = run.out.shape.rank() == 4;
    if (from_image && to_image) {
      T* ordered = reinterpret_cast<T*>(run.scratch.data());
      ToOnnxOrder(in, run.in[0].shape, ordered);
      FromOnnxOrder(ordered, run.out.shape, out);
    } else if (from_image) {
      ToOnnxOrder(in, run.in[0].shape, out);
    } else if (to_image) {
      FromOnnxOrder(in, run.out.shape, out);
    } else {
      std::memcpy(out, in, static_cast<size_t>(run.out.shape.NumElements()) * sizeof(T));
    }
  }

  Movement movement_;
};

}  // namespace

std::unique_ptr<Step> MakeMovementStep(Movement movement) {
  return std::make_unique<MovementStep>(std::move(movement));
}

}  // namespace lq
