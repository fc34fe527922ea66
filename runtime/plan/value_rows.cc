// Softmax, LogSoftmax and the normalizations (exact_simulator.md 7): operators over groups of elements.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/plan/value_operator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr int64_t kSoftmaxHasOneAxis = 13;  // the operator set since which it does not flatten

// `length` elements, `step` apart.
struct Row {
  size_t begin, length, step;
};

class SoftmaxOperator final : public ValueOperator {
 public:
  SoftmaxOperator(std::string name, int64_t axis, bool flatten, bool log, ValueKind form)
      : ValueOperator(form, true), name_(std::move(name)), axis_(axis), flatten_(flatten), log_(log) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    LQ_RETURN_IF_ERROR(AxisOf(name_, axis_, in[0].rank()).status());
    return in[0];
  }

  size_t Pieces(std::span<const ValueArray>, const ValueResult& out) const override {
    const auto elements = static_cast<size_t>(out.shape.NumElements());
    return elements == 0 ? 0 : elements / FirstRow(out.shape).length;
  }

  void Run(std::span<const ValueArray> in, const ValueResult& out, Range rows) const override {
    if (rows.begin == rows.end) return;
    Row row = FirstRow(out.shape);
    for (size_t i = rows.begin; i < rows.end; ++i) {
      row.begin = i / row.step * row.length * row.step + i % row.step;
      RunRow(in[0], row, out.real);
    }
  }

 private:
  Row FirstRow(const Shape& shape) const {
    const size_t axis = FromFront(axis_, shape.rank());
    Row row{0, static_cast<size_t>(shape[axis]), 1};
    for (size_t d = axis + 1; d < shape.rank(); ++d) {
      (flatten_ ? row.length : row.step) *= static_cast<size_t>(shape[d]);
    }
    return row;
  }

  void RunRow(const ValueArray& x, const Row& row, double* y) const {
    const size_t end = row.begin + row.length * row.step;
    if (x.centred != nullptr) {
      int32_t top = x.centred[row.begin];
      for (size_t i = row.begin; i < end; i += row.step) top = std::max(top, x.centred[i]);
      for (size_t i = row.begin; i < end; i += row.step) y[i] = static_cast<double>(x.centred[i] - top) * x.scale;
    } else {
      double top = x.real[row.begin];
      for (size_t i = row.begin; i < end; i += row.step) top = std::max(top, x.real[i]);
      for (size_t i = row.begin; i < end; i += row.step) y[i] = x.real[i] - top;
    }
    double total = 0;
    for (size_t i = row.begin; i < end; i += row.step) {
      const double e = std::exp(y[i]);
      total += e;
      if (!log_) y[i] = e;
    }
    const double log_total = std::log(total);
    for (size_t i = row.begin; i < end; i += row.step) y[i] = log_ ? y[i] - log_total : y[i] / total;
  }

  std::string name_;
  int64_t axis_;
  bool flatten_, log_;
};

__extension__ using Int128 = __int128;

struct NormalizationSpec {
  std::string name;
  bool centre = true;  // RMSNormalization does not
  double epsilon = 0;
  std::vector<double> gamma, beta;
  int64_t axis = -1;              // groups of all elements from this axis on, or
  std::optional<int64_t> groups;  // groups of channels of an image; 0: as many as channels
};

class NormalizationOperator final : public ValueOperator {
 public:
  NormalizationOperator(NormalizationSpec spec, ValueKind form) : ValueOperator(form, true), spec_(std::move(spec)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    const Shape& shape = in[0];
    const auto misfit = [&] {
      return InvalidArgument(fmt::format("{}: {} values of scale and {} of bias do not fit an input of shape {}",
                                         spec_.name, spec_.gamma.size(), spec_.beta.size(), shape.ToString()));
    };
    if (spec_.groups) {
      if (shape.rank() < 2 || shape[1] < 1 || (*spec_.groups > 0 && shape[1] % *spec_.groups != 0)) return misfit();
    } else {
      LQ_RETURN_IF_ERROR(AxisOf(spec_.name, spec_.axis, shape.rank()).status());
    }
    const size_t values = spec_.groups ? static_cast<size_t>(shape[1]) : GroupSize(shape);
    const bool fits = values > 0 && spec_.gamma.size() == values && (spec_.beta.empty() || spec_.beta.size() == values);
    return fits ? Result<Shape>(shape) : misfit();
  }

  size_t Pieces(std::span<const ValueArray>, const ValueResult& out) const override {
    const size_t size = GroupSize(out.shape);
    return size == 0 ? 0 : static_cast<size_t>(out.shape.NumElements()) / size;
  }

  void Run(std::span<const ValueArray> in, const ValueResult& out, Range groups) const override {
    const size_t size = GroupSize(out.shape), per_value = spec_.groups ? Inner(out.shape, 2) : 1;
    for (size_t begin = groups.begin * size; begin < groups.end * size; begin += size) {
      if (in[0].centred != nullptr) {
        Codes(in[0].centred + begin, in[0].scale, size, out.real + begin);
      } else {
        Reals(in[0].real + begin, size, out.real + begin);
      }
      size_t value = begin / per_value % spec_.gamma.size();
      for (size_t i = begin; i < begin + size; i += per_value) {
        for (size_t k = i; k < i + per_value; ++k) {
          out.real[k] *= spec_.gamma[value];
          if (!spec_.beta.empty()) out.real[k] += spec_.beta[value];
        }
        value = value + 1 == spec_.gamma.size() ? 0 : value + 1;
      }
    }
  }

 private:
  // Elements of all dimensions from `first` on.
  static size_t Inner(const Shape& shape, size_t first) {
    size_t inner = 1;
    for (size_t d = first; d < shape.rank(); ++d) inner *= static_cast<size_t>(shape[d]);
    return inner;
  }

  size_t GroupSize(const Shape& shape) const {
    if (!spec_.groups) return Inner(shape, FromFront(spec_.axis, shape.rank()));
    const int64_t groups = *spec_.groups > 0 ? *spec_.groups : shape[1];
    return static_cast<size_t>(shape[1] / groups) * Inner(shape, 2);
  }

  void Codes(const int32_t* w, double scale, size_t n, double* y) const {
    const auto count = static_cast<double>(n);
    Int128 total = 0, total_squares = 0;
    for (size_t i = 0; i < n; ++i) {
      total += w[i];
      total_squares += static_cast<int64_t>(w[i]) * w[i];
    }
    const double square = scale * scale;
    if (!spec_.centre) {
      const double root = std::sqrt(static_cast<double>(total_squares) * square / count + spec_.epsilon);
      for (size_t i = 0; i < n; ++i) y[i] = static_cast<double>(w[i]) * scale / root;
      return;
    }
    const auto many = static_cast<Int128>(n);
    const double root =
        std::sqrt(static_cast<double>(many * total_squares - total * total) * square + spec_.epsilon * (count * count));
    for (size_t i = 0; i < n; ++i) y[i] = static_cast<double>(many * w[i] - total) * scale / root;
  }

  void Reals(const double* x, size_t n, double* y) const {
    const auto count = static_cast<double>(n);
    double mean = 0;
    if (spec_.centre) {
      for (size_t i = 0; i < n; ++i) mean += x[i];
      mean /= count;
    }
    double squares = 0;
    for (size_t i = 0; i < n; ++i) {
      y[i] = x[i] - mean;
      squares += y[i] * y[i];
    }
    const double root = std::sqrt(squares / count + spec_.epsilon);
    for (size_t i = 0; i < n; ++i) y[i] /= root;
  }

  NormalizationSpec spec_;
};

}  // namespace

ValueOperatorResult MakeSoftmax(const ValueNode& n) {
  const bool log = n.node.op == "LogSoftmax", flatten = n.graph.opset < kSoftmaxHasOneAxis;
  if (n.node.op != "Softmax" && !log) return std::unique_ptr<ValueOperator>();
  const ValueKind form = n.AllCoded() ? ValueKind::kCoded : ValueKind::kReal;
  return std::unique_ptr<ValueOperator>(
      std::make_unique<SoftmaxOperator>(n.Name(), n.node.Int("axis", flatten ? 1 : -1), flatten, log, form));
}

ValueOperatorResult MakeNormalization(const ValueNode& n) {
  const std::string& op = n.node.op;
  NormalizationSpec spec{
      n.Name(),    op != "RMSNormalization", double{n.node.Float("epsilon", 1e-5f)}, {}, {}, n.node.Int("axis", -1),
      std::nullopt};
  if (op == "InstanceNormalization") spec.groups = 0;
  if (op == "GroupNormalization") spec.groups = n.node.Int("num_groups", 1);
  if (!spec.groups && op != "LayerNormalization" && op != "RMSNormalization") return std::unique_ptr<ValueOperator>();
  LQ_ASSIGN_OR_RETURN(spec.gamma, n.constants.Reals(n.node.inputs[1], n.options));
  if (n.node.inputs.size() > 2 && n.node.inputs[2] != kAbsent) {
    LQ_ASSIGN_OR_RETURN(spec.beta, n.constants.Reals(n.node.inputs[2], n.options));
  }
  const ValueKind form = n.AllCoded() ? ValueKind::kCoded : ValueKind::kReal;
  return std::unique_ptr<ValueOperator>(std::make_unique<NormalizationOperator>(std::move(spec), form));
}

}  // namespace lq
