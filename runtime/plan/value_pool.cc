// Pools on values (exact_simulator.md 6), over any number of spatial dimensions: where no encoding covers the input,
// and what the kernels of pools leave out (volumes, dilated averages, norms).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "runtime/output_arrays.h"
#include "runtime/plan/broadcast.h"
#include "runtime/plan/value_operator.h"
#include "runtime/plan/window_attributes.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

enum class Fold { kMax, kMean, kNorm };

constexpr size_t kMostAxes = Shape::kMaxRank - 2;

// Along one spatial dimension.
struct WindowAxis {
  int64_t kernel = 1, stride = 1, dilation = 1, begin = 0, end = 0;  // the last two: padding
  int64_t extent() const { return (kernel - 1) * dilation + 1; }
};

// The cells of one window along one axis that lie inside the input, and by how many a mean divides.
struct Cells {
  int64_t first, count, counted;
};

struct ValuePoolSpec {
  std::string name;
  Fold fold;
  bool global = false;           // the window is the whole image
  std::vector<WindowAxis> axes;  // empty if global
  enum class Same { kNo, kUpper, kLower } same = Same::kNo;
  bool ceil_mode = false, count_include_pad = false;
  int64_t p = 2;  // of kNorm: (sum |x|^p)^(1/p)
};

class PoolOperator final : public ElementOperator {
 public:
  PoolOperator(ValuePoolSpec spec, ValueKind form, bool real) : ElementOperator(form, real), spec_(std::move(spec)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    const Shape& shape = in[0];
    if (shape.rank() < 3 || (!spec_.global && shape.rank() != spec_.axes.size() + 2)) {
      return InvalidArgument(fmt::format("{}: an input of shape {}, but windows of {} dimensions behind 2", spec_.name,
                                         shape.ToString(), spec_.axes.size()));
    }
    Shape out = shape;
    for (size_t d = 2; d < shape.rank(); ++d) {
      const WindowAxis axis = AxisFor(d, shape[d]);
      out[d] = OutputLength(axis, shape[d]);
      if (AllTouch(axis, shape[d], out[d])) continue;
      return InvalidArgument(
          fmt::format("{}: windows of {} cells, dilation {}, padding {} and {} do not all touch an input of length {}",
                      spec_.name, axis.kernel, axis.dilation, axis.begin, axis.end, shape[d]));
    }
    return out;
  }

  void Run(std::span<const ValueArray> in, const ValueResult& out, Range elements) const override {
    const Shape& shape = in[0].shape;
    const Strides strides = BroadcastStrides(shape, shape);
    const size_t axes = shape.rank() - 2;
    std::array<WindowAxis, kMostAxes> windows;
    int64_t plane = 1;
    for (size_t a = 0; a < axes; ++a) {
      windows[a] = AxisFor(a + 2, shape[a + 2]);
      plane *= shape[a + 2];
    }
    for (size_t i = elements.begin; i < elements.end; ++i) {
      auto index = static_cast<int64_t>(i);
      std::array<Cells, kMostAxes> cells;
      int64_t counted = 1;
      for (size_t a = axes; a-- > 0; index /= out.shape[a + 2]) {
        cells[a] = CellsOf(windows[a], shape[a + 2], index % out.shape[a + 2]);
        counted *= cells[a].counted;
      }
      const Place place{std::span(windows).first(axes), std::span(cells).first(axes),
                        std::span<const ptrdiff_t>(strides).subspan(2, axes)};
      Pool(in[0], index * plane, place, counted, out, i);
    }
  }

 private:
  // A window in its place, and the strides of the input along it.
  struct Place {
    std::span<const WindowAxis> windows;
    std::span<const Cells> cells;
    std::span<const ptrdiff_t> strides;
    Place Inner() const { return {windows.subspan(1), cells.subspan(1), strides.subspan(1)}; }
  };

  WindowAxis AxisFor(size_t dimension, int64_t length) const {
    WindowAxis axis;
    if (spec_.global) axis.kernel = length;
    if (!spec_.global) axis = spec_.axes[dimension - 2];
    if (spec_.same == ValuePoolSpec::Same::kNo) return axis;
    const bool upper = spec_.same == ValuePoolSpec::Same::kUpper;
    const SamePadding padding = PadSame(length, axis.stride, axis.extent(), upper);
    axis.begin = padding.begin;
    axis.end = padding.end;
    return axis;
  }

  int64_t OutputLength(const WindowAxis& axis, int64_t length) const {
    if (spec_.same != ValuePoolSpec::Same::kNo) return (length + axis.stride - 1) / axis.stride;
    const int64_t free = length + axis.begin + axis.end - axis.extent();
    if (free < 0) return 0;
    const int64_t out = free / axis.stride + 1;
    // ceil_mode adds a window that starts inside the input or its begin padding, never behind.
    return spec_.ceil_mode && free % axis.stride != 0 && out * axis.stride < length + axis.begin ? out + 1 : out;
  }

  Cells CellsOf(const WindowAxis& axis, int64_t length, int64_t o) const {
    const int64_t start = o * axis.stride - axis.begin;
    // Cells before position `end`.
    const auto before = [&](int64_t end) {
      return std::clamp<int64_t>((end - start + axis.dilation - 1) / axis.dilation, 0, axis.kernel);
    };
    const int64_t outside = start < 0 ? before(0) : 0, inside = start < length ? before(length) - outside : 0;
    const int64_t counted = spec_.count_include_pad ? before(length + axis.end) : inside;
    return {start + outside * axis.dilation, inside, counted};
  }

  // Whether every window has cells inside the input: those that begin there have, and behind them none has.
  bool AllTouch(const WindowAxis& axis, int64_t length, int64_t outputs) const {
    bool touch = outputs > 0 && CellsOf(axis, length, outputs - 1).count > 0;
    for (int64_t o = 0; touch && o < outputs && o * axis.stride < axis.begin; ++o) {
      touch = CellsOf(axis, length, o).count > 0;
    }
    return touch;
  }

  // each(x[i]) for the cells in their order.
  template <class T, class Each>
  static void ForEach(const T* x, const Place& place, const Each& each) {
    const Cells& cells = place.cells.front();
    const ptrdiff_t step = place.windows.front().dilation * place.strides.front();
    x += cells.first * place.strides.front();
    for (int64_t c = 0; c < cells.count; ++c, x += step) {
      if (place.cells.size() > 1) {
        ForEach(x, place.Inner(), each);
      } else {
        each(*x);
      }
    }
  }

  template <class T>
  static T Largest(const T* x, const Place& place) {
    T largest = 0;
    bool first = true;
    ForEach(x, place, [&](T value) {
      largest = first ? value : std::max(largest, value);
      first = false;
    });
    return largest;
  }

  void Pool(const ValueArray& x, ptrdiff_t base, const Place& place, int64_t counted, const ValueResult& out,
            size_t i) const {
    if (spec_.fold == Fold::kMax) {
      if (is_real()) out.real[i] = Largest(x.real + base, place);
      if (!is_real()) out.f32[i] = Largest(x.f32 + base, place);
    } else if (spec_.fold == Fold::kNorm && spec_.p > 2) {
      const auto power = static_cast<double>(spec_.p);
      double sum = 0;
      ForEach(x.real + base, place, [&](double value) { sum += std::pow(std::abs(value), power); });
      out.real[i] = std::pow(sum, 1 / power);
    } else {
      const double sum = Sum(x, base, place);
      const bool root = spec_.fold == Fold::kNorm && spec_.p == 2;
      out.real[i] = root ? std::sqrt(sum) : spec_.fold == Fold::kMean ? sum / static_cast<double>(counted) : sum;
    }
  }

  // What a mean or one of the first two norms adds; exact of codes.
  double Sum(const ValueArray& x, ptrdiff_t base, const Place& place) const {
    if (x.centred == nullptr) {
      double sum = 0;
      ForEach(x.real + base, place, [&](double value) { sum += Term(value); });
      return sum;
    }
    int64_t sum = 0;
    ForEach(x.centred + base, place, [&](int32_t value) { sum += Term(int64_t{value}); });
    const bool squares = spec_.fold == Fold::kNorm && spec_.p == 2;
    return static_cast<double>(sum) * (squares ? x.scale * x.scale : x.scale);
  }

  template <class T>
  T Term(T x) const {
    if (spec_.fold == Fold::kMean) return x;
    return spec_.p == 1 ? std::abs(x) : x * x;
  }

  ValuePoolSpec spec_;
};

constexpr std::pair<const char*, Fold> kPools[] = {{"AveragePool", Fold::kMean},  {"GlobalAveragePool", Fold::kMean},
                                                   {"GlobalLpPool", Fold::kNorm}, {"GlobalMaxPool", Fold::kMax},
                                                   {"LpPool", Fold::kNorm},       {"MaxPool", Fold::kMax}};

// Attributes of a window; CheckOperators bounds them, programs that make graphs may not.
Status ReadAxes(const ValueNode& n, ValuePoolSpec& spec) {
  const std::vector<int64_t> kernel = n.node.Ints("kernel_shape", {});
  const size_t rank = kernel.size();
  if (rank < 1 || rank > kMostAxes) {
    return InvalidArgument(
        fmt::format("{}: kernel_shape ({}) is not 1 to {} values", spec.name, fmt::join(kernel, ", "), kMostAxes));
  }
  const auto read = [&](const char* key, size_t count, int64_t low) {
    return ReadWindowAttribute(n.graph, n.node, key, count, low, low);
  };
  LQ_RETURN_IF_ERROR(read("kernel_shape", rank, 1).status());
  LQ_ASSIGN_OR_RETURN(const std::vector<int64_t> stride, read("strides", rank, 1));
  LQ_ASSIGN_OR_RETURN(const std::vector<int64_t> dilation, read("dilations", rank, 1));
  const std::string mode = n.node.String("auto_pad", "NOTSET");
  std::vector<int64_t> pads(2 * rank, 0);
  if (mode == "NOTSET") {
    LQ_ASSIGN_OR_RETURN(pads, read("pads", 2 * rank, 0));
  }
  if (mode == "SAME_UPPER") spec.same = ValuePoolSpec::Same::kUpper;
  if (mode == "SAME_LOWER") spec.same = ValuePoolSpec::Same::kLower;
  for (size_t a = 0; a < rank; ++a) spec.axes.push_back({kernel[a], stride[a], dilation[a], pads[a], pads[a + rank]});
  return OkStatus();
}

}  // namespace

ValueOperatorResult MakePooling(const ValueNode& n) {
  for (const auto& [name, fold] : kPools) {
    if (n.node.op != name) continue;
    ValuePoolSpec spec;
    spec.name = n.Name();
    spec.fold = fold;
    spec.global = n.node.op.rfind("Global", 0) == 0;
    spec.ceil_mode = n.node.Int("ceil_mode", 0) != 0;
    spec.count_include_pad = n.node.Int("count_include_pad", 0) != 0;
    spec.p = n.node.Int("p", 2);
    if (!spec.global) LQ_RETURN_IF_ERROR(ReadAxes(n, spec));
    if (spec.p < 1) return InvalidArgument(fmt::format("{}: norm {}", spec.name, spec.p));
    const bool exact = n.AllCoded() && !(fold == Fold::kNorm && spec.p > 2);
    const ValueKind form = fold == Fold::kMax ? (n.AnyReal() ? ValueKind::kReal : ValueKind::kF32)
                           : exact            ? ValueKind::kCoded
                                              : ValueKind::kReal;
    return std::unique_ptr<ValueOperator>(
        std::make_unique<PoolOperator>(std::move(spec), form, fold != Fold::kMax || n.AnyReal()));
  }
  return std::unique_ptr<ValueOperator>();
}

}  // namespace lq
