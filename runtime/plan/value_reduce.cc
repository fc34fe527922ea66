// Reductions along axes (exact_simulator.md 6).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "runtime/plan/broadcast.h"
#include "runtime/plan/value_operator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

enum class Reduction { kMean, kSum, kL1, kL2, kSumSquare, kProd, kMax, kMin };

class ReductionOperator final : public ValueOperator {
 public:
  struct Spec {
    std::string name;
    Reduction op;
    std::vector<int64_t> axes;  // empty: all
    bool keep_dims;
  };
  ReductionOperator(Spec spec, ValueKind form, bool real) : ValueOperator(form, real), spec_(std::move(spec)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    for (int64_t axis : spec_.axes) LQ_RETURN_IF_ERROR(AxisOf(spec_.name, axis, in[0].rank()).status());
    if (in[0].NumElements() < 1) {
      return Unsupported(fmt::format("{}: an input of shape {} is empty", spec_.name, in[0].ToString()));
    }
    const std::array<bool, Shape::kMaxRank> gone = Reduced(in[0].rank());
    std::vector<int64_t> dims;
    for (size_t d = 0; d < in[0].rank(); ++d) {
      if (!gone[d]) dims.push_back(in[0][d]);
      if (gone[d] && spec_.keep_dims) dims.push_back(1);
    }
    return Shape(dims);
  }

  size_t Pieces(std::span<const ValueArray>, const ValueResult& out) const override {
    return static_cast<size_t>(out.shape.NumElements());
  }

  void Run(std::span<const ValueArray> in, const ValueResult& out, Range results) const override {
    // The dimensions that stay and those that are reduced, both in order.
    const Shape& shape = in[0].shape;
    const std::array<bool, Shape::kMaxRank> gone = Reduced(shape.rank());
    const Strides all = BroadcastStrides(shape, shape);
    std::array<std::array<int64_t, Shape::kMaxRank>, 2> dims;
    std::array<Strides, 2> strides;
    std::array<size_t, 2> ranks{};
    for (size_t d = 0; d < shape.rank(); ++d) {
      const size_t which = gone[d] ? 1 : 0, at = ranks[which]++;
      dims[which][at] = shape[d];
      strides[which][at] = all[d];
    }
    const std::span<const int64_t> stay(dims[0].data(), ranks[0]), reduced(dims[1].data(), ranks[1]);
    const int64_t members = shape.NumElements() / out.shape.NumElements();
    for (size_t r = results.begin; r < results.end; ++r) {
      const ptrdiff_t base = OffsetOf(static_cast<int64_t>(r), stay, strides[0]);
      Reduce(
          in[0], members, [&](int64_t m) { return base + OffsetOf(m, reduced, strides[1]); }, out, r);
    }
  }

 private:
  std::array<bool, Shape::kMaxRank> Reduced(size_t rank) const {
    std::array<bool, Shape::kMaxRank> gone{};
    for (size_t d = 0; d < rank; ++d) gone[d] = spec_.axes.empty();
    for (int64_t axis : spec_.axes) gone[FromFront(axis, rank)] = true;
    return gone;
  }

  template <class At>
  void Reduce(const ValueArray& x, int64_t members, At at, const ValueResult& out, size_t r) const {
    if (spec_.op == Reduction::kMax || spec_.op == Reduction::kMin) {
      if (is_real()) out.real[r] = Best(x.real, members, at);
      if (!is_real()) out.f32[r] = Best(x.f32, members, at);
      return;
    }
    if (spec_.op == Reduction::kProd) {
      out.real[r] = 1;
      for (int64_t m = 0; m < members; ++m) out.real[r] *= x.real[at(m)];
      return;
    }
    double sum = 0;
    if (x.centred != nullptr) {
      int64_t exact = 0;
      for (int64_t m = 0; m < members; ++m) exact += Term(int64_t{x.centred[at(m)]});
      sum = static_cast<double>(exact) * Term(x.scale);
    } else {
      for (int64_t m = 0; m < members; ++m) sum += Term(x.real[at(m)]);
    }
    if (spec_.op == Reduction::kL2) sum = std::sqrt(sum);
    out.real[r] = spec_.op == Reduction::kMean ? sum / static_cast<double>(members) : sum;
  }

  template <class T>
  T Term(T x) const {
    if (spec_.op == Reduction::kL1) return std::abs(x);
    return spec_.op == Reduction::kL2 || spec_.op == Reduction::kSumSquare ? x * x : x;
  }

  template <class T, class At>
  T Best(const T* x, int64_t members, At at) const {
    T best = x[at(0)];
    for (int64_t m = 1; m < members; ++m) {
      const T value = x[at(m)];
      best = spec_.op == Reduction::kMax ? std::max(best, value) : std::min(best, value);
    }
    return best;
  }

  Spec spec_;
};

constexpr std::pair<const char*, Reduction> kReductions[] = {
    {"ReduceMean", Reduction::kMean}, {"ReduceSum", Reduction::kSum},   {"ReduceL1", Reduction::kL1},
    {"ReduceL2", Reduction::kL2},     {"ReduceProd", Reduction::kProd}, {"ReduceSumSquare", Reduction::kSumSquare},
    {"ReduceMax", Reduction::kMax},   {"ReduceMin", Reduction::kMin}};

}  // namespace

ValueOperatorResult MakeReduction(const ValueNode& n) {
  for (const auto& [name, op] : kReductions) {
    if (n.node.op != name) continue;
    LQ_ASSIGN_OR_RETURN(std::vector<int64_t> axes, IntegersOf(n.graph, n.node, n.constants, 1, "axes"));
    if (axes.empty() && n.node.Int("noop_with_empty_axes", 0) != 0) return MakePassing(n.kinds[0]);
    ReductionOperator::Spec spec{n.Name(), op, std::move(axes), n.node.Int("keepdims", 1) != 0};
    const bool sums = op != Reduction::kMax && op != Reduction::kMin;
    const ValueKind form = n.AnyReal() ? ValueKind::kReal
                           : !sums     ? ValueKind::kF32
                                   : (n.AllCoded() && op != Reduction::kProd ? ValueKind::kCoded : ValueKind::kReal);
    return std::unique_ptr<ValueOperator>(
        std::make_unique<ReductionOperator>(std::move(spec), form, sums || n.AnyReal()));
  }
  return std::unique_ptr<ValueOperator>();
}

}  // namespace lq
