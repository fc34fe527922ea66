// Random chains of functions, arithmetic, rows, reductions and data movement, with encodings between some of them:
// planner and kernels against the exact simulator.
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>
#include <string>

#include "runtime/passes/passes.h"
#include "runtime/session_impl.h"
#include "runtime/simulator/simulator.h"
#include "tests/support/executors.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random.h"
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"

namespace lq {
namespace {

using testing::GraphBuilder;
using testing::Random;

class OperatorChain {
 public:
  explicit OperatorChain(Random& random) : random_(random) {
    const size_t rank = random.Size(2, 5);
    std::vector<int64_t> dims;
    for (size_t d = 0; d < rank; ++d) dims.push_back(random.Int(1, d == 0 ? 2 : 6));
    input_shape_ = shape_ = Shape(dims);
    encoded_ = random.Chance(0.8);
    last_ = builder_.Input(shape_, encoded_ ? std::optional<Encoding>(Activation()) : std::nullopt);
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

  // A node behind the last one, which may be encoded.
  void Emit(const std::string& op, std::vector<ValueId> more, GraphBuilder::Attributes attributes, const Shape& shape) {
    more.insert(more.begin(), last_);
    encoded_ = random_.Chance(0.6);
    last_ = builder_.Node(op, std::move(more), std::move(attributes),
                          encoded_ ? std::optional<Encoding>(Activation()) : std::nullopt);
    shape_ = shape;
  }

  void Append() {
    switch (random_.Int(0, 7)) {
      case 7:
        return Pool();
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
    const bool coded = random_.Chance(0.3);
    const ValueId other = builder_.Floats(constant, Floats(constant.NumElements(), -2, 2),
                                          coded ? std::optional<Encoding>(Activation()) : std::nullopt);
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
        encoded_ = random_.Chance(0.2);
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
    const bool encoded = random_.Chance(0.6);
    last_ = builder_.Node("Where", {where, last_, other}, {},
                          encoded ? std::optional<Encoding>(Activation()) : std::nullopt);
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
    switch (random_.Int(0, 3)) {
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
    switch (random_.Int(0, 9)) {
      case 0: {
        std::vector<int64_t> perm;
        for (size_t d = 0; d < rank; ++d) perm.push_back(static_cast<int64_t>((d + axis) % rank));
        for (size_t d = 0; d < rank; ++d) out[d] = shape_[(d + axis) % rank];
        return Emit("Transpose", {}, {{"perm", perm}}, out);
      }
      case 1:
        out[axis] = (shape_[axis] + 1) / 2;
        return Emit(
            "Slice",
            {builder_.Ints({0}), builder_.Ints({100}), builder_.Ints({static_cast<int64_t>(axis)}), builder_.Ints({2})},
            {}, out);
      case 2:
        out[axis] = 3;
        return Emit("Gather", {builder_.Ints({shape_[axis] - 1, 0, -1})}, {{"axis", static_cast<int64_t>(axis)}}, out);
      case 3: {
        if (shape_.NumElements() > 2000) return;
        std::vector<int64_t> repeats(rank, 1);
        repeats[axis] = 2;
        out[axis] *= 2;
        return Emit("Tile", {builder_.Ints(repeats)}, {}, out);
      }
      case 4: {
        std::vector<int64_t> pads(2 * rank, 0);
        pads[axis] = 1;
        pads[rank + axis] = 2;
        out[axis] += 3;
        return Emit("Pad", {builder_.Ints(pads)}, {{"mode", std::string(random_.Chance(0.5) ? "edge" : "constant")}},
                    out);
      }
      case 5: {
        if (shape_.NumElements() > 2000) return;
        std::vector<float> scales(rank, 1.0f);
        scales[axis] = 2.0f;
        out[axis] *= 2;
        return Emit(
            "Resize", {kAbsent, builder_.Floats({static_cast<int64_t>(rank)}, scales)},
            {{"coordinate_transformation_mode", std::string("asymmetric")}, {"nearest_mode", std::string("floor")}},
            out);
      }
      case 6:
        return Split(axis);
      case 7: {
        if (shape_.NumElements() > 2000) return;
        constexpr const char* kCoordinates[] = {"asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners"};
        std::vector<int64_t> sizes(shape_.dims().begin(), shape_.dims().end());
        out[axis] = sizes[axis] = random_.Int(1, 2 * shape_[axis]);
        if (random_.Chance(0.5)) out[rank - 1] = sizes[rank - 1] = random_.Int(1, 2 * shape_[rank - 1]);
        return Emit("Resize", {kAbsent, kAbsent, builder_.Ints(sizes)},
                    {{"mode", std::string("linear")},
                     {"coordinate_transformation_mode", std::string(kCoordinates[random_.Size(0, 3)])}},
                    out);
      }
      case 8:
        if (shape_.NumElements() > 2000) return;
        out[axis] *= 2;
        return Emit("Concat", {last_}, {{"axis", static_cast<int64_t>(axis)}}, out);
      default:
        return Emit("Reshape", {builder_.Ints({shape_[0], -1})}, {}, {shape_[0], shape_.NumElements() / shape_[0]});
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
  bool encoded_ = false;
};

bool SameBits(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

struct Counts {
  size_t refused = 0, tensors = 0;
};

void CompareOnce(Random& random, Counts& counts) {
  OperatorChain chain(random);
  Graph drawn = *chain.Draw(random.Size(1, 6)).Share();
  const Status expanded = ExpandOperators(drawn);
  ASSERT_TRUE(expanded.ok()) << expanded.message();
  const auto graph = std::make_shared<const Graph>(std::move(drawn));
  testing::InputTensor input{chain.input_shape(), {}};
  for (int64_t i = 0; i < input.shape.NumElements(); ++i) input.values.push_back(random.Float(-3, 4));
  SessionOptions options;
  options.keep_encoded_tensors = random.Chance(0.5);
  const std::vector<TargetInfo> targets = CompiledTargets();
  options.max_isa = targets[random.Size(0, targets.size() - 1)].name;
  options.profile = static_cast<RoundingProfile>(random.Int(0, 2));
  const Result<Session> session = Session::Prepare(Model(graph), options);
  if (!session.ok()) {
    EXPECT_EQ(session.status().code(), StatusCode::kUnsupported) << session.status().message();
    ++counts.refused;
    return;
  }
  const testing::Simulated expected = testing::Simulate(graph, {input}, {options.profile, options.bias, false});
  ASSERT_TRUE(expected.status.ok()) << expected.status.message();
  testing::ThreadExecutor threads(2);
  Executor& executor = random.Chance(0.1) ? static_cast<Executor&>(threads) : SerialExecutor();
  const ConstTensorView view{DType::kF32, input.shape, std::as_bytes(std::span<const float>(input.values))};
  const testing::SessionRun run = testing::RunSession(*session, {&view, 1}, executor);
  ASSERT_TRUE(run.status.ok()) << run.status.message();
  for (const auto& [id, tensor] : run.observed) {
    const auto found = expected.observed.find(id);
    if (found == expected.observed.end()) continue;  // it keeps its input's codes
    EXPECT_EQ(tensor.codes, found->second.codes) << graph->value(id).name;
    ++counts.tensors;
  }
  ASSERT_EQ(run.outputs[0].size(), expected.outputs[0].values.size());
  for (size_t i = 0; i < run.outputs[0].size(); ++i) {
    EXPECT_TRUE(SameBits(run.outputs[0][i], expected.outputs[0].values[i]))
        << graph->Describe(graph->nodes.back()) << " element " << i << ": " << run.outputs[0][i] << ", not "
        << expected.outputs[0].values[i];
  }
}

TEST(OperatorsRandom, EqualSimulator) {
  Counts counts;
  const size_t cases = testing::Cases(400);
  for (size_t i = 0; i < cases; ++i) {
    SCOPED_TRACE("graph " + std::to_string(i) + " seed " + std::to_string(testing::Seed()));
    Random random(300000 + i);
    CompareOnce(random, counts);
    if (HasFailure()) return;
  }
  std::cout << cases - counts.refused << " graphs, " << counts.tensors << " tensors compared, " << counts.refused
            << " refused\n";
  EXPECT_LT(counts.refused, cases / 10);
  EXPECT_GT(counts.tensors, cases);
}

}  // namespace
}  // namespace lq
