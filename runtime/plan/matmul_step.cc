// The product of two activations on their codes.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "runtime/plan/layout.h"
#include "runtime/plan/pieces.h"
#include "runtime/plan/product.h"
#include "runtime/plan/steps.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// Matrices that one call multiplies, the first of each side at `a`, `b` and `out`, in matrices.
struct Call {
  size_t a, b, out;
  Matmul::Sizes sizes;
};

// Cuts the product into as few calls as broadcasting allows: matrices of b that follow one another are a batch, a
// matrix of b that is repeated takes all the rows of its matrices of a.
template <class F>
Status ForEachCall(const ProductPairs& pairs, const Matmul::Sizes& each, const F& run) {
  for (size_t i = 0; i < pairs.count();) {
    const ProductPairs::Pair first = pairs.At(i);
    const bool repeated = i + 1 < pairs.count() && pairs.At(i + 1).b == first.b;
    size_t count = 1;
    for (; i + count < pairs.count(); ++count) {
      const ProductPairs::Pair next = pairs.At(i + count);
      if (next.a != first.a + count || next.b != first.b + (repeated ? 0 : count)) break;
    }
    Matmul::Sizes sizes = each;
    (repeated ? sizes.m : sizes.batch) *= count;
    LQ_RETURN_IF_ERROR(run(Call{first.a, first.b, i, sizes}));
    i += count;
  }
  return OkStatus();
}

class MatmulStep final : public Step {
 public:
  MatmulStep(std::string name, Matmul matmul, const std::array<DType, 3>& dtypes, bool turns_b)
      : name_(std::move(name)), matmul_(std::move(matmul)), dtypes_(dtypes), turns_b_(turns_b) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    const Shape a = OnnxShape(in[0]), b = RightShape(in[1]);
    LQ_ASSIGN_OR_RETURN(const Shape out, ProductShape(name_, a, b));
    const auto k = static_cast<size_t>(a[a.rank() - 1]);
    if (k > matmul_.LargestK()) {
      return Unsupported(
          fmt::format("{}: sums over {} codes, but {} are the most that stay exact", name_, k, matmul_.LargestK()));
    }
    return PlanShape(out);
  }

  size_t ScratchBytes(std::span<const Shape> in, size_t workers) const override {
    const Result<Shape> out = OutputShape(in);
    if (!out.ok()) return 0;
    size_t most = 0;
    const Shape a = OnnxShape(in[0]), b = RightShape(in[1]), y = OnnxShape(*out);
    const Status status = ForEachCall(ProductPairs(a, b, y), EachSize(a, b), [&](const Call& call) {
      most = std::max(most, matmul_.WorkspaceBytes(call.sizes, workers));
      return OkStatus();
    });
    Pieces pieces(nullptr);
    TakeImage(in[0], SizeOf(dtypes_[0]), pieces);
    TakeImage(in[1], SizeOf(dtypes_[1]), pieces);
    TakeImage(*out, SizeOf(dtypes_[2]), pieces);
    return status.ok() ? pieces.used() + most : 0;
  }

  Status Run(const StepRun& run) const override {
    Pieces pieces(run.scratch.data());
    const Operand a = InOrder(run.in[0], pieces), b = InOrder(run.in[1], pieces);
    const Shape right = RightShape(run.in[1].shape);
    const Shape shape = OnnxShape(run.out.shape);
    const size_t element = SizeOf(run.out.dtype);
    std::byte* ordered = TakeImage(run.out.shape, element, pieces);
    std::byte* out = ordered != nullptr ? ordered : run.out.bytes.data();
    const std::span<std::byte> workspace = run.scratch.subspan(pieces.used());
    LQ_RETURN_IF_ERROR(
        ForEachCall(ProductPairs(a.shape, right, shape), EachSize(a.shape, right), [&](const Call& call) {
          const auto& [batch, m, n, k] = call.sizes;
          std::byte* y = out + call.out * SizeOfMatrix(shape) * element;
          return matmul_.Run(a.Part(call.a, batch, m, k), b.Part(call.b, batch, turns_b_ ? n : k, turns_b_ ? k : n),
                             {run.out.dtype, Dims(batch, m, n), {y, batch * m * n * element}}, workspace, run.executor);
        }));
    if (ordered != nullptr) FromOnnxOrder(ordered, run.out.shape, element, run.out.bytes.data());
    return OkStatus();
  }

  LayerInfo info() const override { return matmul_.info(); }
  double Microseconds(std::span<const Shape> in, const Shape& out) const override {
    const Shape a = OnnxShape(in[0]);
    return Step::Microseconds(in, out) +
           kProductMicroseconds * static_cast<double>(out.NumElements()) * static_cast<double>(a[a.rank() - 1]);
  }

 private:
  static Shape Dims(size_t batch, size_t rows, size_t columns) {
    return {static_cast<int64_t>(batch), static_cast<int64_t>(rows), static_cast<int64_t>(columns)};
  }
  static size_t SizeOfMatrix(const Shape& shape) {
    return static_cast<size_t>(shape[shape.rank() - 2] * shape[shape.rank() - 1]);
  }

  // Of the second input as a factor: (.., k, n).
  Shape RightShape(const Shape& plan) const {
    Shape b = OnnxShape(plan);
    if (turns_b_) std::swap(b[b.rank() - 2], b[b.rank() - 1]);
    return b;
  }

  // Codes in ONNX's order.
  struct Operand {
    DType dtype;
    Shape shape;
    const std::byte* codes;

    ConstTensorView Part(size_t first, size_t batch, size_t rows, size_t columns) const {
      const size_t element = SizeOf(dtype);
      return {dtype,
              Dims(batch, rows, columns),
              {codes + first * SizeOfMatrix(shape) * element, batch * rows * columns * element}};
    }
  };

  // Memory for a turned tensor in ONNX's order; null for others, which are in it.
  std::byte* TakeImage(const Shape& plan, size_t element, Pieces& pieces) const {
    return IsTurned(plan) ? pieces.Take(static_cast<size_t>(plan.NumElements()) * element) : nullptr;
  }
  Operand InOrder(const ConstTensorView& in, Pieces& pieces) const {
    std::byte* ordered = TakeImage(in.shape, SizeOf(in.dtype), pieces);
    if (ordered != nullptr) ToOnnxOrder(in.bytes.data(), in.shape, SizeOf(in.dtype), ordered);
    return {in.dtype, OnnxShape(in.shape), ordered != nullptr ? ordered : in.bytes.data()};
  }
  static Matmul::Sizes EachSize(const Shape& a, const Shape& b) {
    return {1, static_cast<size_t>(a[a.rank() - 2]), static_cast<size_t>(b[b.rank() - 1]),
            static_cast<size_t>(a[a.rank() - 1])};
  }

  std::string name_;
  Matmul matmul_;
  std::array<DType, 3> dtypes_;  // of a, b and the output
  bool turns_b_;
};

}  // namespace

std::unique_ptr<Step> MakeMatmulStep(std::string name, Matmul matmul, const std::array<DType, 3>& dtypes,
                                     bool turns_b) {
  return std::make_unique<MatmulStep>(std::move(name), std::move(matmul), dtypes, turns_b);
}

}  // namespace lq
