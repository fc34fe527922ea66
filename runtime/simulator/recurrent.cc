// LSTM and GRU (ONNX 7 to 22, default activations) in binary64: weights on the grids of their encodings, states not
// rounded. The sums of a gate: (sum x^ * W^ + sum h * R^) + (W bias + R bias), each sum from 0 in the order of its
// elements; class T (exact_simulator.md 8), as all that comes out of functions.
#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "runtime/simulator/operators.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

struct Recurrence {
  std::string name;
  bool lstm, backward, both, cells, linear_before_reset;
  size_t gates, hidden, features;
  std::vector<double> w, r, b;  // [direction][gate * hidden][features, hidden, -]; b: those of W, then those of R

  size_t directions() const { return both ? 2 : 1; }
};

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double Dot(const double* a, const double* b, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// One direction of the layer at one step: what the rows of its gates are made of.
struct Gate {
  const Recurrence& node;
  size_t direction, gate;

  size_t Row(size_t j) const { return (direction * node.gates + gate) * node.hidden + j; }
  double FromInput(size_t j, const std::vector<double>& x) const {
    return Dot(x.data(), &node.w[Row(j) * node.features], node.features);
  }
  double FromState(size_t j, const std::vector<double>& h) const {
    return Dot(h.data(), &node.r[Row(j) * node.hidden], node.hidden);
  }
  double InputBias(size_t j) const { return node.b[(2 * direction * node.gates + gate) * node.hidden + j]; }
  double StateBias(size_t j) const { return node.b[((2 * direction + 1) * node.gates + gate) * node.hidden + j]; }
  double Sum(size_t j, const std::vector<double>& x, const std::vector<double>& h) const {
    return (FromInput(j, x) + FromState(j, h)) + (InputBias(j) + StateBias(j));
  }
};

struct State {
  std::vector<double> h, c;
};

void StepLstm(const Recurrence& node, size_t direction, const std::vector<double>& x, State& state) {
  const Gate in{node, direction, 0}, out{node, direction, 1}, forget{node, direction, 2}, cell{node, direction, 3};
  const std::vector<double> h = state.h;
  for (size_t j = 0; j < node.hidden; ++j) {
    const double kept = Sigmoid(forget.Sum(j, x, h)) * state.c[j];
    state.c[j] = kept + Sigmoid(in.Sum(j, x, h)) * std::tanh(cell.Sum(j, x, h));
    state.h[j] = Sigmoid(out.Sum(j, x, h)) * std::tanh(state.c[j]);
  }
}

void StepGru(const Recurrence& node, size_t direction, const std::vector<double>& x, State& state) {
  const Gate update{node, direction, 0}, reset{node, direction, 1}, next{node, direction, 2};
  const std::vector<double> h = state.h;
  std::vector<double> gate, reset_h;
  for (size_t j = 0; j < node.hidden; ++j) {
    gate.push_back(Sigmoid(reset.Sum(j, x, h)));
    reset_h.push_back(gate[j] * h[j]);
  }
  for (size_t j = 0; j < node.hidden; ++j) {
    const double z = Sigmoid(update.Sum(j, x, h));
    const double linear = node.linear_before_reset ? (next.FromInput(j, x) + next.InputBias(j)) +
                                                         gate[j] * (next.FromState(j, h) + next.StateBias(j))
                                                   : next.Sum(j, x, reset_h);
    state.h[j] = (1 - z) * std::tanh(linear) + z * h[j];
  }
}

Status CheckShapes(const Recurrence& node, Inputs in) {
  const Shape& x = in[0]->shape;
  const auto hidden = static_cast<int64_t>(node.hidden), directions = static_cast<int64_t>(node.directions());
  bool fits = x.rank() == 3 && x[2] == static_cast<int64_t>(node.features);
  for (size_t i = 5; fits && i < in.size(); ++i) {
    fits = in[i] == nullptr || in[i]->shape == Shape{directions, x[1], hidden};
  }
  if (fits) return OkStatus();
  return InvalidArgument(fmt::format(
      "{}: input of shape {}, or a state that does not fit; it needs (length, batch, {}) and states ({}, batch, {})",
      node.name, x.ToString(), node.features, directions, hidden));
}

// [step][direction][batch][hidden], with the cells behind it as [2 * hidden].
Result<SimTensor> RunRecurrence(const Recurrence& node, Inputs in) {
  LQ_RETURN_IF_ERROR(CheckShapes(node, in));
  const auto length = static_cast<size_t>(in[0]->shape[0]), batch = static_cast<size_t>(in[0]->shape[1]);
  const size_t width = node.hidden * (node.cells ? 2 : 1), directions = node.directions();
  const Shape shape{in[0]->shape[0], static_cast<int64_t>(directions), in[0]->shape[1], static_cast<int64_t>(width)};
  LQ_RETURN_IF_ERROR(CheckSize(node.name, shape));
  std::vector<double> y(static_cast<size_t>(shape.NumElements()));
  const auto state_of = [&](size_t input, size_t line) {
    std::vector<double> values(node.hidden);
    if (in.size() <= input || in[input] == nullptr) return values;
    for (size_t j = 0; j < node.hidden; ++j) values[j] = in[input]->Real(line * node.hidden + j);
    return values;
  };
  for (size_t line = 0; line < directions * batch; ++line) {
    const size_t direction = line / batch, b = line % batch;
    State state{state_of(5, line), state_of(6, line)};
    for (size_t s = 0; s < length; ++s) {
      const size_t t = node.backward || direction == 1 ? length - 1 - s : s;
      std::vector<double> x;
      for (size_t k = 0; k < node.features; ++k) x.push_back(in[0]->Real((t * batch + b) * node.features + k));
      (node.lstm ? StepLstm : StepGru)(node, direction, x, state);
      double* to = &y[((t * directions + direction) * batch + b) * width];
      for (size_t j = 0; j < node.hidden; ++j) to[j] = state.h[j];
      for (size_t j = 0; j < node.hidden && node.cells; ++j) to[node.hidden + j] = state.c[j];
    }
  }
  SimTensor out = MakeReal(shape, std::move(y));
  out.of_function = true;
  return out;
}

Status CheckParameter(const NodeContext& context, size_t input, const Shape& shape) {
  const GraphConstant* constant = context.ConstantInput(input);
  if (constant != nullptr && constant->data->shape == shape) return OkStatus();
  return Unsupported(
      fmt::format("{}: '{}' is {}; supported: a constant of shape {}", context.Name(), context.InputName(input),
                  constant == nullptr ? "computed" : "of shape " + constant->data->shape.ToString(), shape.ToString()));
}

}  // namespace

Result<RunNode> PrepareRecurrence(const NodeContext& context) {
  const Node& node = context.node;
  const std::string direction = node.String("direction", "forward");
  const bool known = direction == "forward" || direction == "reverse" || direction == "bidirectional";
  const GraphConstant* weight = context.ConstantInput(1);
  const int64_t hidden = node.Int("hidden_size", 0), gates = node.op == "LSTM" ? 4 : 3;
  if (!known || weight == nullptr || weight->data->shape.rank() != 3 || context.Has(4) || context.Has(7) ||
      hidden < 1) {
    return Unsupported(
        fmt::format("{}: direction '{}', hidden_size {}, W '{}'; supported: forward, reverse, bidirectional, a "
                    "hidden_size, weights "
                    "that are constant with 3 dimensions, no sequence_lens, no peepholes",
                    context.Name(), direction, hidden, context.InputName(1)));
  }
  Recurrence r{.name = context.Name(),
               .lstm = node.op == "LSTM",
               .backward = direction == "reverse",
               .both = direction == "bidirectional",
               .cells = node.Int("with_cells", 0) != 0,
               .linear_before_reset = node.Int("linear_before_reset", 0) != 0,
               .gates = static_cast<size_t>(gates),
               .hidden = static_cast<size_t>(hidden),
               .features = static_cast<size_t>(weight->data->shape[2]),
               .w = {},
               .r = {},
               .b = {}};
  const auto directions = static_cast<int64_t>(r.directions());
  LQ_RETURN_IF_ERROR(CheckParameter(context, 1, {directions, gates * hidden, weight->data->shape[2]}));
  LQ_RETURN_IF_ERROR(CheckParameter(context, 2, {directions, gates * hidden, hidden}));
  LQ_ASSIGN_OR_RETURN(r.w, RealConstant(context, 1));
  LQ_ASSIGN_OR_RETURN(r.r, RealConstant(context, 2));
  r.b.resize(static_cast<size_t>(2 * directions * gates * hidden));
  if (context.Has(3)) {
    LQ_RETURN_IF_ERROR(CheckParameter(context, 3, {directions, 2 * gates * hidden}));
    LQ_ASSIGN_OR_RETURN(r.b, RealConstant(context, 3));
  }
  return RunNode([r = std::move(r)](Inputs in) { return RunRecurrence(r, in); });
}

}  // namespace lq::simulator
