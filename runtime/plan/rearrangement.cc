#include "runtime/plan/rearrangement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/plan/value_operator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

class TransposeMove final : public Rearrangement {
 public:
  TransposeMove(std::string name, std::vector<int64_t> perm) : name_(std::move(name)), perm_(std::move(perm)) {}

  Result<Shape> OutputShape(const Shape& in) const override {
    Shape out = in;
    uint32_t seen = 0;
    for (size_t d = 0; d < in.rank(); ++d) {
      const size_t from = Source(d, in.rank());
      if (from >= in.rank() || (!perm_.empty() && perm_.size() != in.rank())) seen = ~0u;
      if ((seen >> from & 1u) != 0) {
        return InvalidArgument(
            fmt::format("{}: perm ({}) does not fit shape {}", name_, fmt::join(perm_, ", "), in.ToString()));
      }
      seen |= 1u << from;
      out[d] = in[from];
    }
    return out;
  }
  ptrdiff_t Place(const Input& in, size_t axis, int64_t i) const override {
    return i * in.strides[Source(axis, in.shape.rank())];
  }

 private:
  // The input's dimension that is dimension d of the output.
  size_t Source(size_t d, size_t rank) const {
    if (perm_.empty()) return rank - 1 - d;
    return d < perm_.size() ? static_cast<size_t>(std::clamp<int64_t>(perm_[d], 0, 31)) : 31;
  }

  std::string name_;
  std::vector<int64_t> perm_;
};

class Slice final : public Rearrangement {
 public:
  struct Cut {
    int64_t axis, start, end, step;
  };
  Slice(std::string name, std::vector<Cut> cuts) : name_(std::move(name)), cuts_(std::move(cuts)) {}

  Result<Shape> OutputShape(const Shape& in) const override {
    Shape out = in;
    for (const Cut& cut : cuts_) {
      LQ_ASSIGN_OR_RETURN(const size_t axis, AxisOf(name_, cut.axis, in.rank()));
      const Range range = RangeOf(cut, in[axis]);
      out[axis] = range.count;
    }
    return out;
  }
  ptrdiff_t Place(const Input& in, size_t axis, int64_t i) const override {
    int64_t at = i;
    for (const Cut& cut : cuts_) {
      if (FromFront(cut.axis, in.shape.rank()) != axis) continue;
      at = RangeOf(cut, in.shape[axis]).first + i * cut.step;
    }
    return at * in.strides[axis];
  }

 private:
  struct Range {
    int64_t first, count;
  };
  // ONNX Slice: negative bounds count from the end, all are clipped to what exists.
  static Range RangeOf(const Cut& cut, int64_t length) {
    const int64_t low = cut.step > 0 ? 0 : -1, high = cut.step > 0 ? length : length - 1;
    const auto clip = [&](int64_t at) {
      if (at < 0) at = at < -length ? -1 : at + length;
      return std::min(std::max(at, low), high);
    };
    const int64_t first = std::max<int64_t>(clip(cut.start), 0), end = clip(cut.end);
    const int64_t span = cut.step > 0 ? end - first : first - end, step = std::abs(cut.step);
    return {first, span > 0 && length > 0 ? (span - 1) / step + 1 : 0};
  }

  std::string name_;
  std::vector<Cut> cuts_;
};

// Indices along one axis, as one dimension, or a single one without a dimension.
class Gather final : public Rearrangement {
 public:
  Gather(std::string name, int64_t axis, std::vector<int64_t> indices, bool scalar)
      : name_(std::move(name)), axis_(axis), indices_(std::move(indices)), scalar_(scalar) {}

  Result<Shape> OutputShape(const Shape& in) const override {
    LQ_ASSIGN_OR_RETURN(const size_t axis, AxisOf(name_, axis_, in.rank()));
    for (int64_t index : indices_) {
      if (index >= -in[axis] && index < in[axis]) continue;
      return InvalidArgument(fmt::format("{}: index {} along axis {} of shape {}", name_, index, axis, in.ToString()));
    }
    std::vector<int64_t> dims;
    for (size_t d = 0; d < in.rank(); ++d) {
      if (d != axis) dims.push_back(in[d]);
      if (d == axis && !scalar_) dims.push_back(static_cast<int64_t>(indices_.size()));
    }
    if (dims.empty()) return Unsupported(fmt::format("{}: a scalar of shape {}", name_, in.ToString()));
    return Shape(dims);
  }
  ptrdiff_t Place(const Input& in, size_t axis, int64_t i) const override {
    const size_t gathered = FromFront(axis_, in.shape.rank());
    const auto at = [&](size_t k) {
      const int64_t index = indices_[k] < 0 ? indices_[k] + in.shape[gathered] : indices_[k];
      return index * in.strides[gathered];
    };
    if (!scalar_) return axis == gathered ? at(static_cast<size_t>(i)) : i * in.strides[axis];
    // The one index counts once, with the first dimension that is left.
    return i * in.strides[axis < gathered ? axis : axis + 1] + (axis == 0 ? at(0) : 0);
  }

 private:
  std::string name_;
  int64_t axis_;
  std::vector<int64_t> indices_;
  bool scalar_;
};

// Expand and Tile: indices wrap around.
class Repeat final : public Rearrangement {
 public:
  Repeat(std::string name, std::vector<int64_t> counts, bool tile)
      : name_(std::move(name)), counts_(std::move(counts)), tile_(tile) {}

  Result<Shape> OutputShape(const Shape& in) const override {
    if (counts_.size() > Shape::kMaxRank || (tile_ && counts_.size() != in.rank())) return Misfit(in);
    if (!tile_) {
      const std::optional<Shape> out = BroadcastShape(in, Shape(counts_));
      return out ? Result<Shape>(*out) : Misfit(in);
    }
    Shape out = in;
    for (size_t d = 0; d < in.rank(); ++d) {
      if (counts_[d] < 0 || __builtin_mul_overflow(in[d], counts_[d], &out[d])) return Misfit(in);
    }
    return out;
  }
  ptrdiff_t Place(const Input& in, size_t axis, int64_t i) const override {
    const size_t rank = tile_ ? in.shape.rank() : std::max(in.shape.rank(), counts_.size());
    const size_t fresh = rank - in.shape.rank();
    return axis < fresh ? 0 : i % in.shape[axis - fresh] * in.strides[axis - fresh];
  }

 private:
  Status Misfit(const Shape& in) const {
    return InvalidArgument(
        fmt::format("{}: ({}) does not fit an input of shape {}", name_, fmt::join(counts_, ", "), in.ToString()));
  }

  std::string name_;
  std::vector<int64_t> counts_;
  bool tile_;
};

RearrangementResult MakeSlice(const MovementNode& n, const std::string& name) {
  const auto read = [&](size_t input, const char* key) { return IntegersOf(n.graph, n.node, n.constants, input, key); };
  LQ_ASSIGN_OR_RETURN(const std::vector<int64_t> starts, read(1, "starts"));
  LQ_ASSIGN_OR_RETURN(const std::vector<int64_t> ends, read(2, "ends"));
  LQ_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, read(3, "axes"));
  LQ_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, read(4, "steps"));
  std::vector<Slice::Cut> cuts;
  for (size_t i = 0; i < starts.size(); ++i) {
    if (ends.size() != starts.size() || (!axes.empty() && axes.size() != starts.size()) ||
        (!steps.empty() && (steps.size() != starts.size() || steps[i] == 0))) {
      return InvalidArgument(fmt::format("{}: {} starts, {} ends, {} axes, {} steps (none may be 0)", name,
                                         starts.size(), ends.size(), axes.size(), steps.size()));
    }
    // A longer step leaves the dimension as well.
    const int64_t step = steps.empty() ? 1 : std::clamp(steps[i], -Shape::kMaxDim, Shape::kMaxDim);
    cuts.push_back({axes.empty() ? static_cast<int64_t>(i) : axes[i], starts[i], ends[i], step});
  }
  return std::unique_ptr<Rearrangement>(std::make_unique<Slice>(name, std::move(cuts)));
}

RearrangementResult MakeGather(const MovementNode& n, const std::string& name) {
  const Constant* indices = n.constants.Find(n.node.inputs[1]);
  if (indices == nullptr || indices->dtype != DType::kS64 || indices->s64.empty()) {
    return Unsupported(fmt::format("{}: '{}' is no constant of integers", name, n.graph.value(n.node.inputs[1]).name));
  }
  return std::unique_ptr<Rearrangement>(
      std::make_unique<Gather>(name, n.node.Int("axis", 0), indices->s64.ToVector(), indices->shape.rank() == 0));
}

}  // namespace

// In rearrangement_image.cc.
RearrangementResult MakeImageRearrangement(const MovementNode& n);

RearrangementResult MakeRearrangement(const MovementNode& n) {
  const std::string name = n.graph.Describe(n.node), &op = n.node.op;
  if (op == "Transpose") {
    return std::unique_ptr<Rearrangement>(std::make_unique<TransposeMove>(name, n.node.Ints("perm", {})));
  }
  if (op == "Slice") return MakeSlice(n, name);
  if (op == "Gather") return MakeGather(n, name);
  if (op == "Expand" || op == "Tile") {
    LQ_ASSIGN_OR_RETURN(std::vector<int64_t> counts, IntegersOf(n.graph, n.node, n.constants, 1, ""));
    return std::unique_ptr<Rearrangement>(std::make_unique<Repeat>(name, std::move(counts), op == "Tile"));
  }
  return MakeImageRearrangement(n);
}

}  // namespace lq
