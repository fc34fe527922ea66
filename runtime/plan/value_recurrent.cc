// LSTM and GRU in binary64, with the sums of the exact simulator: (sum x * W + sum h * R) + (W bias + R bias).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "runtime/plan/recurrent_weights.h"
#include "runtime/plan/value_operator.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

double Sigmoid(double x) { return 1.0 / (std::exp(-x) + 1.0); }

struct RecurrentSpec {
  std::string name;
  bool lstm, backward, cells, linear_before_reset;
  std::array<bool, 2> has_state;  // the initial h, c: operands 1 and 2, as far as there are any
  size_t hidden;
  // One for each direction. `next`: rows of R for the last gate of a GRU, where that multiplies the reset state; else
  // they are the last ones of `r`.
  std::vector<RecurrentWeights> w, r, next;
  std::vector<std::vector<double>> w_bias, r_bias;

  size_t gates() const { return lstm ? 4 : 3; }
};

class RecurrentOperator final : public ValueOperator {
 public:
  explicit RecurrentOperator(RecurrentSpec spec) : ValueOperator(ValueKind::kReal, true), spec_(std::move(spec)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    const Shape& x = in[0];
    const auto hidden = static_cast<int64_t>(spec_.hidden), directions = static_cast<int64_t>(spec_.w.size());
    bool fits = x.rank() == 3 && x[2] == static_cast<int64_t>(spec_.w[0].columns());
    for (const Shape& state : in.subspan(1)) fits = fits && state == Shape{directions, x[1], hidden};
    if (fits) return Shape{x[0], directions, x[1], hidden * (spec_.cells ? 2 : 1)};
    return InvalidArgument(fmt::format(
        "{}: input of shape {}, or a state that does not fit; it needs (length, batch, {}) and states ({}, batch, {})",
        spec_.name, x.ToString(), spec_.w[0].columns(), directions, hidden));
  }

  // One for each direction and row of the batch.
  size_t Pieces(std::span<const ValueArray> in, const ValueResult&) const override {
    return spec_.w.size() * static_cast<size_t>(in[0].shape[1]);
  }

  size_t ScratchBytes(std::span<const Shape> in) const override {
    return in[0].rank() == 3 ? spec_.w.size() * static_cast<size_t>(in[0][1]) * LineScratch() * sizeof(double) : 0;
  }

  void Run(std::span<const ValueArray> in, const ValueResult& out, Range lines) const override {
    for (size_t line = lines.begin; line < lines.end; ++line) RunLine(in, out, line);
  }

  // The products of an element of a state, at about 16 in the time of an element.
  size_t Effort(std::span<const Shape>) const override {
    return 1 + spec_.gates() * (spec_.w[0].columns() + spec_.hidden) / 16;
  }

 private:
  // Two sums for each gate, h, c and the reset h.
  size_t LineScratch() const { return (2 * spec_.gates() + 3) * spec_.hidden; }

  void RunLine(std::span<const ValueArray> in, const ValueResult& out, size_t line) const {
    const Shape& shape = in[0].shape;
    const auto length = static_cast<size_t>(shape[0]), batch = static_cast<size_t>(shape[1]);
    const size_t direction = line / batch, b = line % batch, hidden = spec_.hidden, features = spec_.w[0].columns();
    double* scratch = out.scratch + line * LineScratch();
    double* const h = scratch + 2 * spec_.gates() * hidden;
    double* const c = h + hidden;
    size_t operand = 1;
    for (size_t i = 0; i < 2; ++i) {
      double* const state = i == 0 ? h : c;
      if (spec_.has_state[i]) std::copy_n(in[operand++].real + line * hidden, hidden, state);
      if (!spec_.has_state[i]) std::fill_n(state, hidden, 0.0);
    }
    const size_t width = hidden * (spec_.cells ? 2 : 1);
    for (size_t s = 0; s < length; ++s) {
      const size_t t = spec_.backward || direction == 1 ? length - 1 - s : s;
      const double* x = in[0].real + (t * batch + b) * features;
      if (spec_.lstm) StepLstm(direction, x, scratch, h, c);
      if (!spec_.lstm) StepGru(direction, x, scratch, h);
      double* y = out.real + ((t * spec_.w.size() + direction) * batch + b) * width;
      std::copy_n(h, hidden, y);
      if (spec_.cells) std::copy_n(c, hidden, y + hidden);
    }
  }

  // The sums of row j of all gates.
  double Sum(size_t direction, size_t row, const double* sums) const {
    const double from_input = sums[row], from_state = sums[spec_.gates() * spec_.hidden + row];
    return (from_input + from_state) + (spec_.w_bias[direction][row] + spec_.r_bias[direction][row]);
  }

  void StepLstm(size_t d, const double* x, double* sums, double* h, double* c) const {
    const size_t n = spec_.hidden;
    spec_.w[d].Multiply(x, sums);
    spec_.r[d].Multiply(h, sums + 4 * n);
    for (size_t j = 0; j < n; ++j) {  // input, output, forget, cell
      const double in = Sigmoid(Sum(d, j, sums)), out = Sigmoid(Sum(d, n + j, sums));
      const double forget = Sigmoid(Sum(d, 2 * n + j, sums)), cell = std::tanh(Sum(d, 3 * n + j, sums));
      c[j] = forget * c[j] + in * cell;
      h[j] = out * std::tanh(c[j]);
    }
  }

  // Gates: update, reset, and the next state.
  void StepGru(size_t d, const double* x, double* sums, double* h) const {
    const size_t n = spec_.hidden;
    double *const from_state = sums + 3 * n, *const reset_h = sums + 8 * n;
    spec_.w[d].Multiply(x, sums);
    spec_.r[d].Multiply(h, from_state);
    for (size_t j = 0; j < n; ++j) {
      sums[n + j] = Sigmoid(Sum(d, n + j, sums));  // the reset gate
      reset_h[j] = sums[n + j] * h[j];
    }
    if (!spec_.linear_before_reset) spec_.next[d].Multiply(reset_h, from_state + 2 * n);
    for (size_t j = 0; j < n; ++j) {
      const double update = Sigmoid(Sum(d, j, sums)), reset = sums[n + j];
      const size_t row = 2 * n + j;
      const double linear = spec_.linear_before_reset
                                ? (sums[row] + spec_.w_bias[d][row]) + reset * (from_state[row] + spec_.r_bias[d][row])
                                : Sum(d, row, sums);
      h[j] = (1 - update) * std::tanh(linear) + update * h[j];
    }
  }

  RecurrentSpec spec_;
};

Status CheckParameter(const ValueNode& n, size_t input, const Shape& shape) {
  const Constant* constant = n.constants.Find(n.node.inputs[input]);
  if (constant != nullptr && constant->shape == shape) return OkStatus();
  return Unsupported(fmt::format(
      "{}: '{}' is {}; supported: a constant of shape {}", n.Name(), n.graph.value(n.node.inputs[input]).name,
      constant == nullptr ? "computed" : "of shape " + constant->shape.ToString(), shape.ToString()));
}

// W, R and B of the node, divided by directions.
Status ReadParameters(const ValueNode& n, size_t directions, RecurrentSpec& spec) {
  const size_t rows = spec.gates() * spec.hidden, hidden = spec.hidden;
  const Constant* weight = n.constants.Find(n.node.inputs[1]);
  const int64_t features = weight != nullptr && weight->shape.rank() == 3 ? weight->shape[2] : 0;
  const auto d = static_cast<int64_t>(directions), r = static_cast<int64_t>(rows);
  LQ_RETURN_IF_ERROR(CheckParameter(n, 1, {d, r, features}));
  LQ_RETURN_IF_ERROR(CheckParameter(n, 2, {d, r, static_cast<int64_t>(hidden)}));
  LQ_ASSIGN_OR_RETURN(const std::vector<double> w, n.constants.Reals(n.node.inputs[1], n.options));
  LQ_ASSIGN_OR_RETURN(const std::vector<double> state, n.constants.Reals(n.node.inputs[2], n.options));
  std::vector<double> bias(2 * directions * rows);
  if (n.node.inputs.size() > 3 && n.node.inputs[3] != kAbsent) {
    LQ_RETURN_IF_ERROR(CheckParameter(n, 3, {d, 2 * r}));
    LQ_ASSIGN_OR_RETURN(bias, n.constants.Reals(n.node.inputs[3], n.options));
  }
  const bool apart = !spec.lstm && !spec.linear_before_reset;
  const size_t together = apart ? 2 * hidden : rows;
  for (size_t i = 0; i < directions; ++i) {
    const auto width = static_cast<size_t>(features);
    spec.w.emplace_back(std::span(w).subspan(i * rows * width), rows, width);
    const std::span<const double> of_state = std::span(state).subspan(i * rows * hidden);
    spec.r.emplace_back(of_state, together, hidden);
    if (apart) spec.next.emplace_back(of_state.subspan(together * hidden), hidden, hidden);
    const auto begin = bias.begin() + static_cast<ptrdiff_t>(2 * i * rows),
               middle = begin + static_cast<ptrdiff_t>(rows);
    spec.w_bias.emplace_back(begin, middle);
    spec.r_bias.emplace_back(middle, middle + static_cast<ptrdiff_t>(rows));
  }
  return OkStatus();
}

}  // namespace

std::vector<ValueId> RecurrentOperands(const Node& node) {
  std::vector<ValueId> operands{node.inputs[0]};
  for (size_t i = 5; i < 7 && i < node.inputs.size(); ++i) {
    if (node.inputs[i] != kAbsent) operands.push_back(node.inputs[i]);
  }
  return operands;
}

ValueOperatorResult MakeRecurrence(const ValueNode& n) {
  const Node& node = n.node;
  if (node.op != "LSTM" && node.op != "GRU") return std::unique_ptr<ValueOperator>();
  const std::string direction = node.String("direction", "forward");
  const bool both = direction == "bidirectional", backward = direction == "reverse";
  const auto has = [&node](size_t i) { return i < node.inputs.size() && node.inputs[i] != kAbsent; };
  const int64_t hidden = node.Int("hidden_size", 0);
  if ((!both && !backward && direction != "forward") || hidden < 1 || has(4) || has(7)) {
    return Unsupported(
        fmt::format("{}: direction '{}', hidden_size {}; supported: forward, reverse, bidirectional, a hidden_size, no "
                    "sequence_lens, no peepholes",
                    n.Name(), direction, hidden));
  }
  RecurrentSpec spec{.name = n.Name(),
                     .lstm = node.op == "LSTM",
                     .backward = backward,
                     .cells = node.Int("with_cells", 0) != 0,
                     .linear_before_reset = node.Int("linear_before_reset", 0) != 0,
                     .has_state = {has(5), has(6)},
                     .hidden = static_cast<size_t>(hidden),
                     .w = {},
                     .r = {},
                     .next = {},
                     .w_bias = {},
                     .r_bias = {}};
  LQ_RETURN_IF_ERROR(ReadParameters(n, both ? 2 : 1, spec));
  return std::unique_ptr<ValueOperator>(std::make_unique<RecurrentOperator>(std::move(spec)));
}

}  // namespace lq
