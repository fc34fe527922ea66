// Weights in blocks with a float scale each: ONNX Runtime's MatMulNBits, and DequantizeLinear with block_size, in the
// one form that encodings have. See passes.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "runtime/passes/new_values.h"
#include "runtime/passes/node_inputs.h"
#include "runtime/passes/passes.h"
#include "runtime/passes/quantizer_node.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// Codes (k, n) and a scale and zero point for each block of `size` along k: arrays (blocks, n).
struct Blocks {
  int64_t k = 0, n = 0, size = 0;
  Integers codes;
  std::vector<int64_t> zero_points;
  std::vector<float> scales;
  DType type = DType::kU4;  // of the codes, which has the grid low .. high
  int64_t low = 0, high = 15;

  int64_t count() const { return (k + size - 1) / size; }
};

class BlockTranslator {
 public:
  explicit BlockTranslator(Graph& graph) : graph_(graph) {}

  Status Run() {
    std::vector<Node> old = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (Node& node : old) {
      if (node.op == "MatMulNBits" && node.domain == "com.microsoft") {
        LQ_RETURN_IF_ERROR(TranslateNBits(node));
      } else if (node.op == "GatherBlockQuantized" && node.domain == "com.microsoft") {
        LQ_RETURN_IF_ERROR(TranslateGather(node));
      } else if (IsDequantize(node) && node.Int("block_size", 0) > 0) {
        LQ_RETURN_IF_ERROR(TranslateDequantize(std::move(node)));
      } else {
        graph_.nodes.push_back(std::move(node));
      }
    }
    return OkStatus();
  }

 private:
  // Where the last block is shorter than the others, smaller blocks of which several have the same scale. Those of less
  // than 4 weights are no use: such a weight becomes floats.
  static void Align(Blocks& blocks) {
    const int64_t size = std::gcd(blocks.k, blocks.size), parts = blocks.size / size;
    if (size % 4 != 0 || parts == 1) return;
    const auto n = static_cast<size_t>(blocks.n);
    std::vector<float> scales;
    std::vector<int64_t> zero_points;
    for (size_t row = 0; row < static_cast<size_t>(blocks.k / size); ++row) {
      const auto from = static_cast<ptrdiff_t>(row / static_cast<size_t>(parts) * n), to = from + blocks.n;
      scales.insert(scales.end(), blocks.scales.begin() + from, blocks.scales.begin() + to);
      zero_points.insert(zero_points.end(), blocks.zero_points.begin() + from, blocks.zero_points.begin() + to);
    }
    blocks.size = size;
    blocks.scales = std::move(scales);
    blocks.zero_points = std::move(zero_points);
  }

  // The weight as a constant behind a DequantizeLinear, or as floats.
  void EmitWeight(Blocks blocks, const std::string& name, ValueId out) {
    if (blocks.k < blocks.size) blocks.size = blocks.k;
    Align(blocks);
    if (blocks.k % blocks.size != 0) {
      Constant floats{DType::kF32, Shape{blocks.k, blocks.n}, {}, {}};
      for (size_t i = 0; i < blocks.codes.size(); ++i) {
        const size_t at = BlockAt(blocks, i);
        floats.f32.push_back(static_cast<float>(blocks.codes[i] - blocks.zero_points[at]) * blocks.scales[at]);
      }
      graph_.value(out).constant = std::move(floats);
      return;
    }
    // Scales are negative where the largest weight is positive: it has the code -2^(bits - 1). Mirrored on the grid,
    // code and zero point, it keeps its bits.
    for (size_t i = 0; i < blocks.codes.size(); ++i) {
      const size_t at = BlockAt(blocks, i);
      if (blocks.scales[at] < 0) blocks.codes.Set(i, blocks.low + blocks.high - blocks.codes[i]);
      if (blocks.scales[at] == 0) blocks.codes.Set(i, blocks.zero_points[at]);  // a block of zeros
    }
    for (size_t i = 0; i < blocks.scales.size(); ++i) {
      if (blocks.scales[i] < 0) blocks.zero_points[i] = blocks.low + blocks.high - blocks.zero_points[i];
      blocks.scales[i] = blocks.scales[i] != 0 ? std::abs(blocks.scales[i]) : 1.0f;
    }
    const bool centred = Centre(blocks);
    const Shape scales{blocks.count(), blocks.n};
    Constant codes{DType::kS64, Shape{blocks.k, blocks.n}, {}, std::move(blocks.codes)};
    codes.file_type = blocks.type;
    const ValueId stored = AddConstant(graph_, name + " codes", std::move(codes));
    const ValueId scale =
        AddConstant(graph_, name + " scales", Constant{DType::kF32, scales, std::move(blocks.scales), {}});
    Node node = MakeNode("DequantizeLinear", name, {stored, scale}, out);
    if (!centred) {
      Constant zeros{DType::kS64, scales, {}, std::move(blocks.zero_points)};
      zeros.file_type = blocks.type;
      node.inputs.push_back(AddConstant(graph_, name + " zero points", std::move(zeros)));
    }
    node.attributes["axis"] = int64_t{0};
    node.attributes["block_size"] = blocks.size;
    graph_.nodes.push_back(std::move(node));
  }

  // Where all zero points are the middle of the grid, signed codes need none. Returns whether that is so.
  static bool Centre(Blocks& blocks) {
    const int64_t middle = (blocks.low + blocks.high + 1) / 2;
    if (!std::all_of(blocks.zero_points.begin(), blocks.zero_points.end(), [=](int64_t z) { return z == middle; })) {
      return false;
    }
    const std::pair<DType, DType> to_signed[] = {
        {DType::kU2, DType::kS2}, {DType::kU4, DType::kS4}, {DType::kU8, DType::kS8}, {DType::kU16, DType::kS16}};
    for (const auto& [from, to] : to_signed) {
      if (blocks.type == from) blocks.type = to;
    }
    Integers centred(BitsOf(blocks.type) > 8 ? DType::kS16 : DType::kS8, blocks.codes.size());
    for (size_t i = 0; i < centred.size(); ++i) centred.Set(i, blocks.codes[i] - middle);
    blocks.codes = std::move(centred);
    return true;
  }

  // The grid of a type of codes. False: it has none.
  static bool SetGrid(DType type, Blocks& blocks) {
    const bool is_signed = type == DType::kS2 || type == DType::kS4 || type == DType::kS8 || type == DType::kS16;
    if (!is_signed && type != DType::kU2 && type != DType::kU4 && type != DType::kU8 && type != DType::kU16)
      return false;
    const Grid grid{static_cast<int>(BitsOf(type)), is_signed};
    blocks.type = type;
    blocks.low = grid.qmin();
    blocks.high = grid.qmax();
    return true;
  }

  // Integers whose differences are far from overflow.
  static bool AreCodes(const Constant& codes) {
    return std::all_of(codes.s64.begin(), codes.s64.end(), [](int64_t q) { return q >= -65536 && q <= 65536; });
  }

  // Of element i of (k, n), in (blocks, n).
  static size_t BlockAt(const Blocks& blocks, size_t i) {
    const auto n = static_cast<size_t>(blocks.n), size = static_cast<size_t>(blocks.size);
    return i / n / size * n + i % n;
  }

  // The same for blocks along the rows of a table, in place.
  void MirrorRows(Node& node) {
    const ValueId inputs[] = {node.inputs[0], node.inputs[1], HasInput(node, 2) ? node.inputs[2] : kAbsent};
    const std::optional<Constant>&codes = graph_.value(inputs[0]).constant, &scales = graph_.value(inputs[1]).constant;
    Blocks grid;
    const auto negative = [](float s) { return s < 0; };
    const int64_t size = node.Int("block_size", 0), axis = node.Int("axis", 1);
    if (!codes.has_value() || !scales.has_value() || codes->dtype != DType::kS64 || scales->dtype != DType::kF32 ||
        codes->shape.rank() != 2 || (axis != 1 && axis != -1) || size < 1 || codes->shape[1] % size != 0 ||
        scales->shape != Shape{codes->shape[0], codes->shape[1] / size} || !SetGrid(codes->file_type, grid) ||
        std::none_of(scales->f32.begin(), scales->f32.end(), negative) ||
        (inputs[2] != kAbsent && (!graph_.value(inputs[2]).constant.has_value() ||
                                  graph_.value(inputs[2]).constant->s64.size() != scales->f32.size() ||
                                  !AreCodes(*graph_.value(inputs[2]).constant)))) {
      return;
    }
    Constant turned = *codes, positive = *scales, zeros = *codes;
    const bool has_zeros = inputs[2] != kAbsent;
    zeros.shape = scales->shape;
    zeros.s64 = Integers(codes->s64.type(), scales->f32.size());
    const auto mirrored = [&](int64_t code) { return grid.low + grid.high - code; };
    for (size_t i = 0; i < scales->f32.size(); ++i) {
      const int64_t zero = has_zeros ? graph_.value(inputs[2]).constant->s64[i] : 0;
      zeros.s64.Set(i, negative(scales->f32[i]) ? mirrored(zero) : zero);
      positive.f32[i] = std::abs(scales->f32[i]);
    }
    for (size_t i = 0; i < codes->s64.size(); ++i) {
      if (negative(scales->f32[i / static_cast<size_t>(size)])) turned.s64.Set(i, mirrored(codes->s64[i]));
    }
    const std::string name = graph_.value(node.outputs[0]).name;
    node.inputs = {AddConstant(graph_, name + " codes", std::move(turned)),
                   AddConstant(graph_, name + " scales", std::move(positive)),
                   AddConstant(graph_, name + " zero points", std::move(zeros))};
  }

  // Only weights (k, n) with blocks along k are rewritten; others, and what is no constant, FoldQuantizers judges.
  Status TranslateDequantize(Node node) {
    const Constant *codes = ConstantInput(graph_, node, 0), *scales = ConstantInput(graph_, node, 1),
                   *zeros = ConstantInput(graph_, node, 2);
    const int64_t size = node.Int("block_size", 0), axis = node.Int("axis", 1);
    const bool matrix = codes != nullptr && size <= Shape::kMaxDim && scales != nullptr &&
                        (zeros != nullptr || !HasInput(node, 2)) && codes->dtype == DType::kS64 &&
                        codes->shape.rank() == 2 && scales->dtype == DType::kF32 && (axis == 0 || axis == -2) &&
                        node.outputs.size() == 1;
    const bool regular = matrix && codes->shape[0] % size == 0 &&
                         std::all_of(scales->f32.begin(), scales->f32.end(), [](float s) { return s > 0; });
    Blocks weight;
    const int64_t blocks = matrix ? (codes->shape[0] + size - 1) / size : 0;
    if (!matrix || regular || !SetGrid(codes->file_type, weight) || scales->shape != Shape{blocks, codes->shape[1]} ||
        (zeros != nullptr && (zeros->s64.size() != scales->f32.size() || !AreCodes(*zeros))) || codes->s64.empty() ||
        !AreCodes(*codes)) {
      graph_.nodes.push_back(std::move(node));
      return OkStatus();
    }
    weight.k = codes->shape[0];
    weight.n = codes->shape[1];
    weight.size = size;
    weight.codes = codes->s64;
    weight.scales = scales->f32;
    weight.zero_points = zeros != nullptr ? zeros->s64.ToVector() : std::vector<int64_t>(weight.scales.size(), 0);
    const std::string name = graph_.value(node.outputs[0]).name;
    EmitWeight(std::move(weight), name, node.outputs[0]);
    return OkStatus();
  }

  // Field `index` of a row of `bits` wide ones, low bits first.
  static int64_t Field(const Integers& bytes, size_t row, size_t index, size_t bits) {
    const size_t bit = index * bits;
    return bytes[row + bit / 8] >> (bit % 8) & ((1 << bits) - 1);
  }

  // B: (n, blocks, bytes of a block); scales (n, blocks), flat or not; zero points packed in rows of whole bytes, or
  // floats, or 2^(bits - 1). Absent: g_idx.
  Result<Blocks> ReadNBits(const std::string& owner, const Node& node) const {
    Blocks out{node.Int("K", 0), node.Int("N", 0), node.Int("block_size", 0), {}, {}, {}};
    SetGrid(node.Int("bits", 4) == 2 ? DType::kU2 : node.Int("bits", 4) == 4 ? DType::kU4 : DType::kU8, out);
    const auto bits = static_cast<size_t>(node.Int("bits", 4));
    const Constant *codes = ConstantInput(graph_, node, 1), *scales = ConstantInput(graph_, node, 2),
                   *zeros = ConstantInput(graph_, node, 3);
    if (codes == nullptr || scales == nullptr || (zeros == nullptr && HasInput(node, 3)) || HasInput(node, 4)) {
      return Unsupported(fmt::format("{}: weights that are computed, or a g_idx; supported: constants", owner));
    }
    if ((bits != 2 && bits != 4 && bits != 8) || out.k < 1 || out.n < 1 || out.size < 16 || out.k > Shape::kMaxDim ||
        out.n > Shape::kMaxDim || (out.size & (out.size - 1)) != 0 || out.size > Shape::kMaxDim) {
      return Unsupported(
          fmt::format("{}: {} bits, K {}, N {}, block_size {}; supported: 2, 4 or 8 bits, blocks of a "
                      "power of two from 16 on",
                      owner, bits, out.k, out.n, out.size));
    }
    const auto k = static_cast<size_t>(out.k), n = static_cast<size_t>(out.n), count = static_cast<size_t>(out.count());
    const size_t block_bytes = static_cast<size_t>(out.size) * bits / 8, zero_bytes = (count * bits + 7) / 8;
    const bool float_zeros = zeros != nullptr && zeros->dtype == DType::kF32;
    const auto is = [n](size_t size, size_t each) { return size % n == 0 && size / n == each; };  // no overflow
    if (!is(codes->s64.size(), count * block_bytes) || !is(scales->f32.size(), count) || float_zeros ||
        (zeros != nullptr && !is(zeros->s64.size(), zero_bytes))) {
      return Unsupported(fmt::format(
          "{}: weights of shape {}, {} scales, zero points of shape {}; supported: {} bytes, "
          "{} scales, packed zero points of {} bytes",
          owner, codes->shape.ToString(), scales->f32.size(), zeros != nullptr ? zeros->shape.ToString() : "()",
          n * count * block_bytes, n * count, n * zero_bytes));
    }
    for (size_t b = 0; b < count; ++b) {
      for (size_t row = 0; row < n; ++row) {
        out.scales.push_back(scales->f32[row * count + b]);
        out.zero_points.push_back(zeros != nullptr ? Field(zeros->s64, row * zero_bytes, b, bits) : 1 << (bits - 1));
      }
    }
    out.codes = Integers(DType::kU8, k * n);
    for (size_t row = 0; row < n; ++row) {
      for (size_t l = 0; l < k; ++l) out.codes.Set(l * n + row, Field(codes->s64, row * count * block_bytes, l, bits));
    }
    return out;
  }

  // accuracy_level only says how ONNX Runtime may round the activations: it is not followed.
  Status TranslateNBits(const Node& node) {
    const std::string owner = graph_.Describe(node);
    if (node.inputs.size() < 3 || node.inputs[0] == kAbsent || node.outputs.size() != 1 || node.outputs[0] == kAbsent ||
        node.Int("weight_prepacked", 0) != 0) {
      return Unsupported(fmt::format("{}: {} inputs, {} outputs, weight_prepacked {}; supported: 3 to 6, 1 and 0",
                                     owner, node.inputs.size(), node.outputs.size(), node.Int("weight_prepacked", 0)));
    }
    LQ_ASSIGN_OR_RETURN(Blocks blocks, ReadNBits(owner, node));
    const std::string name = graph_.value(node.outputs[0]).name;
    const ValueId weight = AddValue(graph_, name + " weight");
    EmitWeight(std::move(blocks), name + " weight", weight);
    const bool biased = HasInput(node, 5);
    const ValueId product = biased ? AddValue(graph_, name + " before its bias") : node.outputs[0];
    graph_.nodes.push_back(MakeNode("MatMul", node.name, {node.inputs[0], weight}, product));
    if (biased) graph_.nodes.push_back(MakeNode("Add", node.name, {product, node.inputs[5]}, node.outputs[0]));
    return OkStatus();
  }

  // Inputs: codes, indices, scales, zero points.
  Status TranslateGather(const Node& node) {
    const std::string owner = graph_.Describe(node);
    const Constant *codes = ConstantInput(graph_, node, 0), *scales = ConstantInput(graph_, node, 2);
    const bool is_known =
        codes != nullptr && scales != nullptr && (!HasInput(node, 3) || ConstantInput(graph_, node, 3) != nullptr);
    if (!is_known || (codes->file_type != DType::kU4 && codes->file_type != DType::kS4) || node.outputs.size() != 1) {
      return Unsupported(fmt::format("{}: codes of type {}; supported: constants of type u4 or s4", owner,
                                     codes != nullptr ? NameOf(codes->file_type) : "(computed)"));
    }
    const ValueId table = AddValue(graph_, graph_.value(node.outputs[0]).name + " table");
    std::vector<ValueId> inputs{node.inputs[0], node.inputs[2]};
    if (HasInput(node, 3)) inputs.push_back(node.inputs[3]);
    Node dequantize = MakeNode("DequantizeLinear", node.name, std::move(inputs), table);
    dequantize.attributes["axis"] = node.Int("quantize_axis", 1);
    const int64_t axis = node.Int("quantize_axis", 1), rank = static_cast<int64_t>(codes->shape.rank());
    const int64_t at = axis < 0 ? axis + rank : axis;
    const int64_t length = at >= 0 && at < rank ? codes->shape[static_cast<size_t>(at)] : Shape::kMaxDim;
    dequantize.attributes["block_size"] = std::min(node.Int("block_size", 128), length);
    Node gather = MakeNode("Gather", node.name, {table, node.inputs[1]}, node.outputs[0]);
    gather.attributes["axis"] = node.Int("gather_axis", 0);
    MirrorRows(dequantize);
    graph_.nodes.push_back(std::move(dequantize));
    graph_.nodes.push_back(std::move(gather));
    return OkStatus();
  }

  Graph& graph_;
};

}  // namespace

Status TranslateBlocks(Graph& graph) { return BlockTranslator(graph).Run(); }

}  // namespace lq
