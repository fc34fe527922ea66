// Random chains of functions, arithmetic, rows, reductions, pools and data movement, with encodings between some of
// them.
#ifndef LANEQUANT_TESTS_SUPPORT_OPERATOR_CHAIN_H_
#define LANEQUANT_TESTS_SUPPORT_OPERATOR_CHAIN_H_

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/graph_builder.h"
#include "tests/support/random.h"

namespace lq::testing {

class OperatorChain {
 public:
  explicit OperatorChain(Random& random) : random_(random) {
    const size_t rank = random.Size(2, 5);
    std::vector<int64_t> dims;
    for (size_t d = 0; d < rank; ++d) dims.push_back(random.Int(1, d == 0 ? 2 : 6));
    input_shape_ = shape_ = Shape(dims);
    last_ = builder_.Input(shape_, MaybeEncoded(0.8));
  }

  const GraphBuilder& Draw(size_t length) {
    for (size_t i = 0; i < length; ++i) Append();
    builder_.Output(last_);
    builder_.graph().opset = 17;
    return builder_;
  }
  const Shape& input_shape() const { return input_shape_; }

 private:
  PerTensor Activation() {
    const int bits = random_.Chance(0.6) ? 8 : static_cast<int>(random_.Int(3, 16));
    const bool is_signed = random_.Chance(0.3);
    const auto half = static_cast<int32_t>(1 << (bits - 1));
    const float scale = 8.0f / static_cast<float>(1 << bits) * random_.Float(0.3f, 2.0f);
    const int32_t offset = is_signed ? static_cast<int32_t>(random_.Int(-half / 2, half / 2))
                                     : static_cast<int32_t>(random_.Int(-2 * half + 1, 0));
    return {{bits, is_signed}, scale, offset};
  }

  std::vector<float> Floats(int64_t count, float low, float high) {
    std::vector<float> values;
    for (int64_t i = 0; i < count; ++i) values.push_back(random_.Float(low, high));
    return values;
  }

  std::optional<Encoding> MaybeEncoded(double chance) {
    return random_.Chance(chance) ? std::optional<Encoding>(Activation()) : std::nullopt;
  }
  ValueId Operand(const Shape& shape, double encoded) {
    return builder_.Floats(shape, Floats(shape.NumElements(), -2, 2), MaybeEncoded(encoded));
  }

  // A node behind the last one, which may be encoded.
  void Emit(const std::string& op, std::vector<ValueId> more, GraphBuilder::Attributes attributes, const Shape& shape) {
    more.insert(more.begin(), last_);
    last_ = builder_.Node(op, std::move(more), std::move(attributes), MaybeEncoded(0.6));
    shape_ = shape;
  }

  void Append() {
    switch (random_.Int(0, 7)) {
      case 0:
        return Function();
      case 1:
        return Arithmetic();
      case 2:
        return Rows();
      case 3:
        return Reduce();
      case 4:
        return Move();
      case 5:
        return Choose();
      case 6:
        return Pool();
      default:
        return Multiply();
    }
  }

  void Function() {
    constexpr const char* kOps[] = {
        "Abs",       "Celu",      "Clip",     "Elu",  "Erf",  "Exp",        "Gelu", "HardSigmoid",
        "HardSwish", "LeakyRelu", "Log",      "Mish", "Neg",  "Reciprocal", "Relu", "Selu",
        "Sigmoid",   "Softplus",  "Softsign", "Sqrt", "Tanh", "Identity",   "Cast", "Dropout",
        "Ceil",      "Floor",     "Round",    "Sign", "Sin",  "Cos",        "Not",  "IsNaN"};
    const std::string op = kOps[random_.Size(0, std::size(kOps) - 1)];
    if (op == "Clip") return Emit(op, {builder_.Floats({}, {-0.7f}), builder_.Floats({}, {1.3f})}, {}, shape_);
    if (op == "Cast" && random_.Chance(0.7)) {  // to truths or integers
      return Emit(op, {}, {{"to", random_.Chance(0.5) ? kOnnxBool : kOnnxInt64}}, shape_);
    }
    Emit(op, {}, {}, shape_);
  }

  void Arithmetic() {
    constexpr const char* kOps[] = {"Add", "Sub", "Mul", "Div", "Min", "Max", "Pow", "PRelu"};
    const std::string op = kOps[random_.Size(0, std::size(kOps) - 1)];
    if (random_.Chance(0.3) && op != "PRelu") return Emit(op, {last_}, {}, shape_);
    if (random_.Chance(0.3)) return Where();
    Shape constant = shape_;
    for (size_t d = 0; d < constant.rank(); ++d) {
      if (random_.Chance(0.5)) constant[d] = 1;
    }
    if (random_.Chance(0.4)) constant = Shape{};
    const ValueId other = Operand(constant, 0.3);
    if (random_.Chance(0.2) && (op == "Min" || op == "Max" || op == "Add")) {
      return Emit(op == "Add" ? "Sum" : op, {other, last_}, {}, shape_);
    }
    Emit(op, {other}, {}, shape_);
  }

  // A truth for each element: a comparison with a constant or with the tensor's reverse.
  ValueId Truths() {
    constexpr const char* kOps[] = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor"};
    const std::string op = kOps[random_.Size(0, std::size(kOps) - 1)];
    const ValueId other =
        random_.Chance(0.5) ? builder_.Floats({}, {random_.Chance(0.3) ? 0.0f : random_.Float(-2, 2)}) : Reversed();
    return builder_.Node(op, {last_, other});
  }

  ValueId Reversed() {
    return builder_.Node(
        "Slice", {last_, builder_.Ints({-1}), builder_.Ints({-1000000}), builder_.Ints({-1}), builder_.Ints({-1})});
  }

  void Choose() {
    const size_t axis = random_.Size(0, shape_.rank() - 1);
    const auto at = static_cast<int64_t>(axis);
    Shape out = shape_;
    switch (random_.Int(0, 3)) {
      case 0:
        out[axis] = 1;
        return Emit(random_.Chance(0.5) ? "ArgMax" : "ArgMin", {},
                    {{"axis", at}, {"select_last_index", random_.Int(0, 1)}}, out);
      case 1: {
        out[axis] = random_.Int(1, shape_[axis]);
        Emit("TopK", {builder_.Ints({out[axis]})}, {{"axis", at}, {"largest", random_.Int(0, 1)}}, out);
        std::vector<ValueId>& outputs = builder_.graph().nodes.back().outputs;
        outputs.insert(random_.Chance(0.3) ? outputs.begin() : outputs.end(), kAbsent);
        return;
      }
      case 2:
        return Emit("CumSum", {builder_.Ints({at})}, {{"exclusive", random_.Int(0, 1)}, {"reverse", random_.Int(0, 1)}},
                    shape_);
      default:
        last_ = random_.Chance(0.5) ? Truths() : builder_.Node("Where", {Truths(), last_, Reversed()});
    }
  }

  // The last tensor here, a constant or the last tensor's reverse there.
  void Where() {
    std::vector<int64_t> condition;
    for (int64_t i = 0; i < shape_.NumElements(); ++i) condition.push_back(random_.Chance(0.5));
    const ValueId where = builder_.Ints(condition);
    builder_.graph().value(where).constant->shape = shape_;
    ValueId other = builder_.Floats({}, {random_.Float(-2, 2)});
    if (random_.Chance(0.5)) other = Reversed();
    last_ = builder_.Node("Where", {where, last_, other}, {}, MaybeEncoded(0.6));
  }

  void Split(size_t axis) {
    const int64_t first = random_.Int(0, shape_[axis] - 1);
    const Shape whole = shape_;
    Shape out = whole;
    out[axis] = whole[axis] - first;
    const ValueId lengths = builder_.Ints({first, out[axis]});
    Emit("Split", {lengths}, {{"axis", static_cast<int64_t>(axis)}}, out);
    Node& node = builder_.graph().nodes.back();
    node.outputs.insert(node.outputs.begin(), kAbsent);
  }

  void Rows() {
    const auto rank = static_cast<int64_t>(shape_.rank());
    const int64_t axis = random_.Int(-rank, rank - 1), last = shape_[shape_.rank() - 1];
    switch (random_.Int(0, 4)) {
      case 4: {
        const int64_t n = shape_[1];
        return Emit("BatchNormalization",
                    {builder_.Floats({n}, Floats(n, -1, 2)), builder_.Floats({n}, Floats(n, -1, 1)),
                     builder_.Floats({n}, Floats(n, -1, 1)), builder_.Floats({n}, Floats(n, 0.2f, 2))},
                    {}, shape_);
      }
      case 0:
        return Emit(random_.Chance(0.8) ? "Softmax" : "LogSoftmax", {}, {{"axis", axis}}, shape_);
      case 1:
        return Emit("LayerNormalization",
                    {builder_.Floats({last}, Floats(last, -1, 2)), builder_.Floats({last}, Floats(last, -1, 1))},
                    {{"axis", int64_t{-1}}}, shape_);
      case 2:
        return Emit("RMSNormalization", {builder_.Floats({last}, Floats(last, -1, 2))}, {}, shape_);
      default:
        if (rank < 3) return;
        Emit("InstanceNormalization",
             {builder_.Floats({shape_[1]}, Floats(shape_[1], -1, 2)),
              builder_.Floats({shape_[1]}, Floats(shape_[1], -1, 1))},
             {}, shape_);
    }
  }

  void Reduce() {
    constexpr const char* kOps[] = {"ReduceMean", "ReduceSum", "ReduceMax",  "ReduceMin",
                                    "ReduceL2",   "ReduceL1",  "ReduceProd", "ReduceSumSquare"};
    const size_t axis = random_.Size(0, shape_.rank() - 1);
    Shape out = shape_;
    out[axis] = 1;
    Emit(kOps[random_.Size(0, std::size(kOps) - 1)], {builder_.Ints({static_cast<int64_t>(axis)})},
         {{"keepdims", int64_t{1}}}, out);
  }

  void Pool() {
    constexpr const char* kOps[] = {"AveragePool", "LpPool", "MaxPool"};
    if (shape_.rank() < 3)
      return Emit("Trilu", {builder_.Ints({random_.Int(-2, 2)})}, {{"upper", random_.Int(0, 1)}}, shape_);
    const std::string op = kOps[random_.Size(0, std::size(kOps) - 1)];
    Shape out = shape_;
    if (random_.Chance(0.2)) {
      for (size_t d = 2; d < out.rank(); ++d) out[d] = 1;
      return Emit("Global" + op, {}, {}, out);
    }
    const size_t n = shape_.rank() - 2;
    std::vector<int64_t> kernel, strides, dilations, pads(2 * n);
    for (size_t a = 0; a < n; ++a) {
      const int64_t length = shape_[a + 2];
      kernel.push_back(random_.Int(1, std::min<int64_t>(length, 3)));
      dilations.push_back(kernel[a] == 1 ? 1 : random_.Int(1, std::max<int64_t>((length - 1) / (kernel[a] - 1), 1)));
      strides.push_back(random_.Int(1, 2));
      if (dilations[a] == 1) pads[a] = random_.Int(0, kernel[a] - 1);
      if (dilations[a] == 1) pads[a + n] = random_.Int(0, kernel[a] - 1);
      out[a + 2] = (length + pads[a] + pads[a + n] - (kernel[a] - 1) * dilations[a] - 1) / strides[a] + 1;
    }
    Emit(op, {},
         {{"kernel_shape", kernel},
          {"strides", strides},
          {"dilations", dilations},
          {"pads", pads},
          {"count_include_pad", random_.Int(0, 1)},
          {"p", random_.Int(1, 3)}},
         out);
  }

  void Move() {
    Shape out = shape_;
    const size_t axis = random_.Size(0, shape_.rank() - 1), rank = shape_.rank();
    const auto at = static_cast<int64_t>(axis);
    switch (random_.Int(0, 9)) {
      case 0: {
        std::vector<int64_t> perm;
        for (size_t d = 0; d < rank; ++d) perm.push_back(static_cast<int64_t>((d + axis) % rank));
        for (size_t d = 0; d < rank; ++d) out[d] = shape_[(d + axis) % rank];
        return Emit("Transpose", {}, {{"perm", perm}}, out);
      }
      case 1:
        out[axis] = (shape_[axis] + 1) / 2;
        return Emit("Slice", {builder_.Ints({0}), builder_.Ints({100}), builder_.Ints({at}), builder_.Ints({2})}, {},
                    out);
      case 2:
        out[axis] = 3;
        return Emit("Gather", {builder_.Ints({shape_[axis] - 1, 0, -1})}, {{"axis", at}}, out);
      case 3: {
        std::vector<int64_t> pads(2 * rank, 0);
        pads[axis] = 1;
        pads[rank + axis] = 2;
        out[axis] += 3;
        const ValueId value = builder_.Floats({}, {random_.Chance(0.5) ? 0.0f : 0.7f});
        return Emit("Pad", {builder_.Ints(pads), value},
                    {{"mode", std::string(random_.Chance(0.5) ? "edge" : "constant")}}, out);
      }
      case 4:
        return Split(axis);
      case 5:
        return Emit("Reshape", {builder_.Ints({shape_[0], -1})}, {}, {shape_[0], shape_.NumElements() / shape_[0]});
      default:
        if (shape_.NumElements() <= 2000) Grow(axis);
    }
  }

  // Twice as long along the axis, or of any length up to that.
  void Grow(size_t axis) {
    const size_t rank = shape_.rank();
    Shape out = shape_;
    out[axis] *= 2;
    switch (random_.Int(0, 3)) {
      case 0: {
        std::vector<int64_t> repeats(rank, 1);
        repeats[axis] = 2;
        return Emit("Tile", {builder_.Ints(repeats)}, {}, out);
      }
      case 1: {
        std::vector<float> scales(rank, 1.0f);
        scales[axis] = 2.0f;
        return Emit(
            "Resize", {kAbsent, builder_.Floats({static_cast<int64_t>(rank)}, scales)},
            {{"coordinate_transformation_mode", std::string("asymmetric")}, {"nearest_mode", std::string("floor")}},
            out);
      }
      case 2: {
        constexpr const char* kCoordinates[] = {"asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners"};
        std::vector<int64_t> sizes(shape_.dims().begin(), shape_.dims().end());
        out[axis] = sizes[axis] = random_.Int(1, 2 * shape_[axis]);
        if (random_.Chance(0.5)) out[rank - 1] = sizes[rank - 1] = random_.Int(1, 2 * shape_[rank - 1]);
        return Emit("Resize", {kAbsent, kAbsent, builder_.Ints(sizes)},
                    {{"mode", std::string(random_.Chance(0.5) ? "linear" : "cubic")},
                     {"cubic_coeff_a", random_.Chance(0.5) ? -0.75f : -0.6f},
                     {"coordinate_transformation_mode", std::string(kCoordinates[random_.Size(0, 3)])}},
                    out);
      }
      default:
        return Emit("Concat", {random_.Chance(0.5) ? last_ : Operand(shape_, 0.5)},
                    {{"axis", static_cast<int64_t>(axis)}}, out);
    }
  }

  // The product with its own transpose.
  void Multiply() {
    const size_t rank = shape_.rank();
    std::vector<int64_t> perm;
    for (size_t d = 0; d < rank; ++d) perm.push_back(static_cast<int64_t>(d));
    std::swap(perm[rank - 1], perm[rank - 2]);
    const ValueId turned = builder_.Node("Transpose", {last_}, {{"perm", perm}});
    Shape out = shape_;
    out[rank - 1] = shape_[rank - 2];
    Emit("MatMul", {turned}, {}, out);
  }

  Random& random_;
  GraphBuilder builder_;
  Shape input_shape_, shape_;
  ValueId last_ = kAbsent;
};

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_OPERATOR_CHAIN_H_
