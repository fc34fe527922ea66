// Pools over 1 to 3 spatial dimensions (exact_simulator.md 6): MaxPool keeps the kind of its input, averages and norms
// are real. A pool is the fold of one function over the cells of each window that lie inside, in their order.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/simulator/operators.h"
#include "runtime/simulator/window.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

enum class Fold { kMax, kMean, kNorm };

struct Pool {
  std::string name;
  Fold fold;
  bool global = false;  // the window is the whole image
  Window window;
  bool count_include_pad = false;
  int64_t p = 2;  // of kNorm: (sum |x|^p)^(1/p)
};

// What one output is made of.
struct Cells {
  std::vector<size_t> inside;  // elements of the input
  int64_t counted = 0;         // by which a mean divides
};

// Where the cells of window `o` along one axis lie; those outside the input count where declared pads do.
struct AxisCells {
  std::vector<int64_t> inside;
  int64_t counted = 0;
};
AxisCells CellsAlong(const Pool& pool, const Placement& placement, size_t axis, int64_t o, int64_t length) {
  const Window& window = pool.window;
  const int64_t before = pool.count_include_pad ? placement.pads[axis] : 0;
  const int64_t behind = pool.count_include_pad ? placement.pads[axis + window.rank()] : 0;
  AxisCells cells;
  for (int64_t k = 0; k < window.kernel[axis]; ++k) {
    const int64_t at = o * window.stride[axis] + k * window.dilation[axis] - placement.pads[axis];
    if (at >= 0 && at < length) cells.inside.push_back(at);
    if (at >= -before && at < length + behind) ++cells.counted;
  }
  return cells;
}

// Of output `index` of one plane.
Cells CellsOf(const Pool& pool, const Placement& placement, std::span<const int64_t> in, int64_t index) {
  Cells cells{{0}, 1};
  std::vector<int64_t> o(in.size());
  for (size_t axis = in.size(); axis-- > 0; index /= placement.out[axis]) o[axis] = index % placement.out[axis];
  for (size_t axis = 0; axis < in.size(); ++axis) {
    const AxisCells along = CellsAlong(pool, placement, axis, o[axis], in[axis]);
    std::vector<size_t> all;
    for (size_t before : cells.inside) {
      for (int64_t at : along.inside) all.push_back(before * static_cast<size_t>(in[axis]) + static_cast<size_t>(at));
    }
    cells.inside = std::move(all);
    cells.counted *= along.counted;
  }
  return cells;
}

// The elements of one window, from `base` on.
class Members {
 public:
  Members(const Cells& cells, size_t base) : cells_(cells), base_(base) {}
  template <class T, class R, class Step>
  R FoldOver(const std::vector<T>& x, R start, Step step) const {
    for (size_t cell : cells_.inside) start = step(start, x[base_ + cell]);
    return start;
  }
  template <class T>
  T Largest(const std::vector<T>& x) const {
    return FoldOver(x, x[base_ + cells_.inside[0]], [](T a, T b) { return std::max(a, b); });
  }
  int64_t counted() const { return cells_.counted; }

 private:
  const Cells& cells_;
  size_t base_;
};

double MeanOf(const std::vector<double>& reals, const Members& members) {
  const double sum = members.FoldOver(reals, 0.0, [](double s, double v) { return s + v; });
  return sum / static_cast<double>(members.counted());
}

double Mean(const SimTensor& x, const std::vector<double>& reals, const Members& members) {
  if (x.kind != Kind::kCoded) return MeanOf(reals, members);
  const int64_t sum = members.FoldOver(x.w, int64_t{0}, [](int64_t s, int32_t w) { return s + w; });
  return static_cast<double>(sum) * static_cast<double>(x.encoding.scale) / static_cast<double>(members.counted());
}

// Of codes the sums of the first two norms are exact.
double Norm(const SimTensor& x, const std::vector<double>& reals, int64_t p, const Members& members) {
  const double scale = static_cast<double>(x.encoding.scale);
  const bool coded = x.kind == Kind::kCoded;
  if (p == 1 && coded) {
    return double(members.FoldOver(x.w, int64_t{0}, [](int64_t s, int32_t w) { return s + std::abs(w); })) * scale;
  }
  if (p == 1) return members.FoldOver(reals, 0.0, [](double s, double v) { return s + std::abs(v); });
  if (p == 2 && coded) {
    const int64_t sum = members.FoldOver(x.w, int64_t{0}, [](int64_t s, int32_t w) { return s + int64_t{w} * w; });
    return std::sqrt(double(sum) * (scale * scale));
  }
  if (p == 2) return std::sqrt(members.FoldOver(reals, 0.0, [](double s, double v) { return s + v * v; }));
  const auto power = static_cast<double>(p);
  const auto add = [power](double s, double v) { return s + std::pow(std::abs(v), power); };
  return std::pow(members.FoldOver(reals, 0.0, add), 1 / power);
}

// Appends one output.
void Append(const Pool& pool, const SimTensor& x, const std::vector<double>& reals, const Members& members,
            SimTensor& out) {
  if (pool.fold == Fold::kMax) {
    if (x.kind == Kind::kCoded) out.w.push_back(members.Largest(x.w));
    if (x.kind == Kind::kF32) out.f32.push_back(members.Largest(x.f32));
    if (x.kind == Kind::kReal) out.real.push_back(members.Largest(x.real));
    if (!x.magnitude.empty()) out.magnitude.push_back(members.Largest(x.magnitude));  // for whichever cell won
  } else if (pool.fold == Fold::kMean) {
    out.real.push_back(Mean(x, reals, members));
    if (!x.magnitude.empty()) out.magnitude.push_back(MeanOf(x.magnitude, members));
  } else {
    out.real.push_back(Norm(x, reals, pool.p, members));
  }
}

Result<SimTensor> RunPool(Pool pool, const SimTensor& x) {
  const Shape& shape = x.shape;
  if (shape.rank() < 3 || (!pool.global && shape.rank() != pool.window.rank() + 2)) {
    return Unsupported(
        fmt::format("{}: input of shape {}, but its window has {} spatial dimensions behind batch and "
                    "channels",
                    pool.name, shape.ToString(), pool.global ? "1 or more" : std::to_string(pool.window.rank())));
  }
  const std::span<const int64_t> in = shape.dims().subspan(2);
  if (pool.global) {
    const std::vector<int64_t> ones(in.size(), 1);
    pool.window = {pool.name, {in.begin(), in.end()}, ones, ones, std::vector<int64_t>(2 * in.size(), 0)};
  }
  LQ_ASSIGN_OR_RETURN(const Placement placement, Place(pool.window, in));
  LQ_RETURN_IF_ERROR(CheckNoEmptyWindow(pool.window, placement, in));
  std::vector<int64_t> dims{shape[0], shape[1]};
  dims.insert(dims.end(), placement.out.begin(), placement.out.end());
  LQ_RETURN_IF_ERROR(CheckSize(pool.name, Shape(dims)));
  const int64_t plane = Shape(in).NumElements(), outputs = Shape(placement.out).NumElements();
  std::vector<Cells> cells;
  for (int64_t i = 0; i < outputs; ++i) cells.push_back(CellsOf(pool, placement, in, i));
  const bool exact = x.kind == Kind::kCoded && (pool.fold == Fold::kMean || pool.p <= 2);
  const std::vector<double> reals = exact || pool.fold == Fold::kMax ? std::vector<double>() : Reals(x);
  const bool keeps = pool.fold == Fold::kMax;
  SimTensor out = keeps && x.kind == Kind::kCoded ? MakeCoded(Shape(dims), {}, x.encoding)
                  : keeps && x.kind == Kind::kF32 ? MakeF32(Shape(dims), {})
                                                  : MakeReal(Shape(dims), {});
  out.of_function = x.of_function || pool.fold == Fold::kNorm;
  for (int64_t c = 0; c < shape[0] * shape[1]; ++c) {
    for (const Cells& one : cells) Append(pool, x, reals, {one, static_cast<size_t>(c * plane)}, out);
  }
  return out;
}

Result<RunNode> PreparePool(const NodeContext& context, Fold fold) {
  Pool pool{context.Name(), fold, context.node.op.rfind("Global", 0) == 0, {}};
  if (!pool.global) {
    LQ_ASSIGN_OR_RETURN(pool.window, ReadWindow(context, {}));
  }
  pool.count_include_pad = context.node.Int("count_include_pad", 0) != 0;
  pool.p = context.node.Int("p", 2);
  return RunNode([pool = std::move(pool)](Inputs in) { return RunPool(pool, *in[0]); });
}

}  // namespace

Result<RunNode> PrepareAveragePool(const NodeContext& context) { return PreparePool(context, Fold::kMean); }
Result<RunNode> PrepareMaxPool(const NodeContext& context) { return PreparePool(context, Fold::kMax); }
Result<RunNode> PrepareLpPool(const NodeContext& context) { return PreparePool(context, Fold::kNorm); }

}  // namespace lq::simulator
