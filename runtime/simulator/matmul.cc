// Gemm and MatMul (exact_simulator.md 4). Sums run over the last axis of both operands: weights are transposed to
// [n][k].
#include <fmt/format.h>

#include <utility>

#include "kernels/reference/reference.h"
#include "runtime/simulator/broadcast.h"
#include "runtime/simulator/operators.h"
#include "runtime/simulator/real_sums.h"
#include "runtime/simulator/weighted.h"
#include "runtime/status_macros.h"

namespace lq::simulator {
namespace {

// Swaps the last two dimensions.
Shape Transposed(const Shape& shape) {
  Shape out = shape;
  std::swap(out[out.rank() - 1], out[out.rank() - 2]);
  return out;
}

template <class T>
std::vector<T> Transposed(const std::vector<T>& in, const Shape& shape) {
  const auto rows = static_cast<size_t>(shape[shape.rank() - 2]),
             columns = static_cast<size_t>(shape[shape.rank() - 1]);
  std::vector<T> out(in.size());
  for (size_t i = 0; i < in.size(); ++i) {
    const size_t matrix = i / (rows * columns), row = i / columns % rows, column = i % columns;
    out[(matrix * columns + column) * rows + row] = in[i];
  }
  return out;
}

SimTensor Transposed(const SimTensor& x) {
  SimTensor out = x;
  out.shape = Transposed(x.shape);
  out.f32 = Transposed(x.f32, x.shape);
  out.w = Transposed(x.w, x.shape);
  out.real = Transposed(x.real, x.shape);
  out.magnitude = Transposed(x.magnitude, x.shape);
  return out;
}

Weights Transposed(const Weights& weights) {
  return {.shape = Transposed(weights.shape),
          .per_channel = static_cast<size_t>(weights.shape[weights.shape.rank() - 2]),
          .w_int = Transposed(weights.w_int, weights.shape),
          .scale = weights.scale,
          .real = Transposed(weights.real, weights.shape),
          .magnitude = Transposed(weights.magnitude, weights.shape)};
}

// An activation [.., k, n] as the second operand: one scale for all its columns.
Weights FromTensor(const SimTensor& x) {
  Weights weights;
  weights.shape = x.shape;
  if (x.kind == Kind::kCoded) {
    weights.w_int = x.w;
    weights.scale.assign(static_cast<size_t>(x.shape[x.shape.rank() - 1]), x.encoding.scale);
  } else {
    weights.real = Reals(x);
  }
  return Transposed(weights);
}

struct MatMul {
  std::string name;
  Weights weights;  // [.., n][k]; without a shape: the second operand is an activation
  Bias bias;
  bool record = false;
  double alpha = 1;
};

// One product of matrices for each element of the broadcast batch dimensions.
struct BatchedProduct {
  size_t m, n, k;
  std::vector<size_t> x_matrix, w_matrix;

  template <class T, class Sum, class Matmul>
  void ForEach(std::span<const T> x, std::span<const T> w, std::span<Sum> y, Matmul matmul) const {
    for (size_t b = 0; b < x_matrix.size(); ++b) {
      matmul(x.subspan(x_matrix[b] * m * k, m * k), w.subspan(w_matrix[b] * n * k, n * k), m, n, k,
             y.subspan(b * m * n, m * n));
    }
  }
};

Shape WithoutMatrix(const Shape& shape) { return Shape(shape.dims().first(shape.rank() - 2)); }

// Shape of the product of a [.., m, k] and w [.., n, k]; fills `product`.
Result<Shape> ProductShape(const std::string& name, const Shape& x, const Shape& w, BatchedProduct& product) {
  const int64_t m = x[x.rank() - 2], k = x[x.rank() - 1], n = w[w.rank() - 2];
  if (w[w.rank() - 1] != k) {
    return InvalidArgument(fmt::format("{}: {} times {}: {} and {} rows to sum over", name, x.ToString(),
                                       Transposed(w).ToString(), k, w[w.rank() - 1]));
  }
  LQ_ASSIGN_OR_RETURN(const Shape batch, BroadcastShape(name, WithoutMatrix(x), WithoutMatrix(w)));
  std::vector<int64_t> dims(batch.dims().begin(), batch.dims().end());
  dims.insert(dims.end(), {m, n});
  const Shape out(dims);
  LQ_RETURN_IF_ERROR(CheckSize(name, out));
  product = {static_cast<size_t>(m), static_cast<size_t>(n), static_cast<size_t>(k),
             BroadcastIndices(WithoutMatrix(x), batch), BroadcastIndices(WithoutMatrix(w), batch)};
  return out;
}

Result<SimTensor> Multiply(const MatMul& node, const SimTensor& x, const Weights& weights) {
  BatchedProduct product;
  LQ_ASSIGN_OR_RETURN(const Shape out, ProductShape(node.name, x.shape, weights.shape, product));
  const WeightedLayer layer{.x = x,
                            .weights = weights,
                            .bias = node.bias,
                            .out = out,
                            .channels = product.n,
                            .inner = 1,
                            .alpha = node.alpha,
                            .record = node.record};
  return RunLayer(layer, {.exact = [&](auto a, auto w, auto acc) { product.ForEach(a, w, acc, reference::MatmulAcc); },
                          .real = [&](auto a, auto w, auto y) { product.ForEach(a, w, y, MatmulReal); }});
}

Status CheckMatrix(const std::string& name, const Shape& shape) {
  if (shape.rank() >= 2) return OkStatus();
  return Unsupported(fmt::format("{}: operand of shape {}, but matrices are needed", name, shape.ToString()));
}

Result<SimTensor> RunMatMul(const MatMul& node, Inputs in) {
  const SimTensor& x = *in[0];
  LQ_RETURN_IF_ERROR(CheckMatrix(node.name, x.shape));
  if (in[1] != nullptr) {
    LQ_RETURN_IF_ERROR(CheckMatrix(node.name, in[1]->shape));
    return Multiply(node, x, FromTensor(*in[1]));
  }
  LQ_ASSIGN_OR_RETURN(SimTensor out, Multiply(node, x, node.weights));
  if (x.kind == Kind::kCoded && node.weights.is_integer()) {
    for (double scale : node.weights.scale) out.bias_scale.push_back(x.encoding.scale * scale);
  }
  return out;
}

}  // namespace

Result<RunNode> PrepareMatMul(const NodeContext& context) {
  MatMul node;
  node.name = context.Name();
  node.record = context.options.record;
  if (const GraphConstant* constant = context.ConstantInput(1)) {
    LQ_RETURN_IF_ERROR(CheckMatrix(node.name, constant->data->shape));
    LQ_ASSIGN_OR_RETURN(const Weights weights, ReadWeights(context, 1, constant->data->shape.rank() - 1));
    node.weights = Transposed(weights);
  }
  return RunNode([node = std::move(node)](Inputs in) { return RunMatMul(node, in); });
}

Result<RunNode> PrepareGemm(const NodeContext& context) {
  const bool transpose_a = context.node.Int("transA", 0) != 0, transpose_b = context.node.Int("transB", 0) != 0;
  LQ_ASSIGN_OR_RETURN(Weights weights, ReadWeights(context, 1, transpose_b ? 0 : 1));
  if (weights.shape.rank() != 2) {
    return InvalidArgument(fmt::format("{}: weight '{}' of shape {} is not a matrix", context.Name(),
                                       context.InputName(1), weights.shape.ToString()));
  }
  if (!transpose_b) weights = Transposed(weights);
  LQ_ASSIGN_OR_RETURN(Bias bias,
                      ReadBias(context, static_cast<size_t>(weights.shape[0]), context.node.Float("beta", 1.0f)));
  MatMul node{context.Name(), std::move(weights), std::move(bias), context.options.record,
              context.node.Float("alpha", 1.0f)};
  return RunNode([node = std::move(node), transpose_a](Inputs in) -> Result<SimTensor> {
    if (in[0]->shape.rank() != 2) {
      return InvalidArgument(fmt::format("{}: input of shape {} is not a matrix", node.name, in[0]->shape.ToString()));
    }
    return transpose_a ? Multiply(node, Transposed(*in[0]), node.weights) : Multiply(node, *in[0], node.weights);
  });
}

}  // namespace lq::simulator
