// Pure data movement (exact_simulator.md 1): kind, codes and values stay, only the shape changes.
#include <fmt/format.h>

#include <cmath>

#include "runtime/simulator/operators.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

SimTensor WithShape(const SimTensor& x, const Shape& shape) {
  SimTensor out = x;
  out.shape = shape;
  out.bias_scale.clear();  // its columns may be gone
  return out;
}

Result<SimTensor> RunFlatten(const std::string& name, int64_t axis, const SimTensor& x) {
  const auto rank = static_cast<int64_t>(x.shape.rank());
  if (axis < -rank || axis > rank) {
    return InvalidArgument(fmt::format("{}: axis {} does not exist in shape {}", name, axis, x.shape.ToString()));
  }
  const int64_t split = axis < 0 ? axis + rank : axis;
  int64_t rows = 1, columns = 1;
  for (int64_t d = 0; d < rank; ++d) (d < split ? rows : columns) *= x.shape[static_cast<size_t>(d)];
  return WithShape(x, {rows, columns});
}

struct ReshapeTarget {
  std::vector<int64_t> dims;  // 0: copy the input's (unless allow_zero), -1: what is left
  bool allow_zero;
};

Result<SimTensor> RunReshape(const std::string& name, const ReshapeTarget& target, const SimTensor& x) {
  Shape shape(target.dims);
  int64_t known = 1;
  size_t inferred = shape.rank();
  for (size_t d = 0; d < shape.rank(); ++d) {
    if (shape[d] == 0 && !target.allow_zero) {
      if (d >= x.shape.rank()) {
        return InvalidArgument(fmt::format("{}: dimension {} of {} is 0, but the input is {}", name, d,
                                           shape.ToString(), x.shape.ToString()));
      }
      shape[d] = x.shape[d];
    }
    if (shape[d] == -1) {
      inferred = d;
    } else if (__builtin_mul_overflow(known, shape[d], &known)) {
      return InvalidArgument(fmt::format("{}: shape {} has too many elements", name, shape.ToString()));
    }
  }
  if (inferred < shape.rank() && known > 0) shape[inferred] = x.shape.NumElements() / known;
  if (shape.NumElements() != x.shape.NumElements()) {
    return InvalidArgument(
        fmt::format("{}: input {} does not fit shape {}", name, x.shape.ToString(), Shape(target.dims).ToString()));
  }
  return WithShape(x, shape);
}

Status CheckTarget(const std::string& name, const ReshapeTarget& target) {
  if (target.dims.size() > Shape::kMaxRank) {
    return Unsupported(
        fmt::format("{}: {} dimensions, but at most {} are supported", name, target.dims.size(), Shape::kMaxRank));
  }
  size_t inferred = 0;
  for (int64_t dim : target.dims) {
    inferred += dim == -1;
    if (dim < -1 || inferred > 1) {
      return InvalidArgument(fmt::format("{}: shape {} is not legal", name, Shape(target.dims).ToString()));
    }
  }
  return OkStatus();
}

}  // namespace

Result<RunNode> PrepareIdentity(const NodeContext&) {
  return RunNode([](Inputs in) -> Result<SimTensor> { return *in[0]; });
}

// Numbers cross as they are; to integers they lose their fractions, to truths everything but whether they are 0.
Result<RunNode> PrepareCast(const NodeContext& context) {
  const int64_t to = context.node.Int("to", kOnnxFloat);
  if (to == kOnnxFloat) return PrepareIdentity(context);
  if (to != kOnnxBool && to != kOnnxInt32 && to != kOnnxInt64) {
    return Unsupported(fmt::format("{}: to ONNX data type {}; supported: {}, {}, {}, {}", context.Name(), to,
                                   kOnnxFloat, kOnnxInt32, kOnnxInt64, kOnnxBool));
  }
  return RunNode([truth = to == kOnnxBool](Inputs in) -> Result<SimTensor> {
    const SimTensor& x = *in[0];
    std::vector<float> values;
    for (size_t i = 0; i < x.size(); ++i) {
      const double value = x.kind == Kind::kReal ? x.real[i] : double{x.F32(i)};
      values.push_back(static_cast<float>(truth ? double(value != 0) : std::trunc(value)));
    }
    return MakeF32(x.shape, std::move(values));
  });
}

Result<RunNode> PrepareFlatten(const NodeContext& context) {
  return RunNode([name = context.Name(), axis = context.node.Int("axis", 1)](Inputs in) {
    return RunFlatten(name, axis, *in[0]);
  });
}

Result<RunNode> PrepareReshape(const NodeContext& context) {
  const GraphConstant* shape = context.ConstantInput(1);
  if (shape == nullptr || shape->data->dtype != DType::kS64) {
    return Unsupported(fmt::format("{}: shape '{}' must be an integer constant", context.Name(), context.InputName(1)));
  }
  const ReshapeTarget target{shape->data->s64.ToVector(), context.node.Int("allowzero", 0) != 0};
  LQ_RETURN_IF_ERROR(CheckTarget(context.Name(), target));
  return RunNode([name = context.Name(), target](Inputs in) { return RunReshape(name, target, *in[0]); });
}

}  // namespace lq::simulator
