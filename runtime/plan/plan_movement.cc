// Planning of data movement: codes, or values that nothing encodes, keep what they are; behind them may stand another
// encoding.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "runtime/output_arrays.h"
#include "runtime/plan/layout.h"
#include "runtime/plan/planner.h"
#include "runtime/plan/value_codec.h"
#include "runtime/status_macros.h"
#include "runtime/views.h"

namespace lq {
namespace {

template <class Bits, class T>
Bits BitsOf(T value) {
  static_assert(sizeof(Bits) == sizeof(T));
  Bits bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

}  // namespace

Result<std::unique_ptr<Step>> Planner::MakeMaximum(const Node& node, size_t tensor) const {
  const PlanTensor& in = plan_.tensors[tensor];
  const ValueKind kinds[] = {in.encoding ? ValueKind::kCoded : in.is_real ? ValueKind::kReal : ValueKind::kF32};
  ValueStepSpec spec;
  LQ_ASSIGN_OR_RETURN(spec.op, MakePooling({graph_, node, constants_, options_, kinds}));
  spec.operands.emplace_back();
  spec.operands.back().encoding = spec.encoding = in.encoding;
  spec.why = in.encoding ? "its windows are no images" : "its input has no encoding";
  return MakeValueStep(std::move(spec), options_);
}

Result<std::unique_ptr<Step>> Planner::MakeMovement(const Node& node, size_t tensor) const {
  const std::string name = graph_.Describe(node);
  const std::optional<PerTensor>& encoding = plan_.tensors[tensor].encoding;
  if (node.op == "MaxPool") {
    if (!PoolsCodes(node, tensor)) return MakeMaximum(node, tensor);
    LQ_ASSIGN_OR_RETURN(PoolSpec spec, MakePoolSpec(node, tensor));
    return MakeMaxPoolStep(std::move(spec), options_);
  }
  Movement movement{name, std::nullopt, {}, false};
  if (node.op == "Flatten") {
    movement.flatten_axis = node.Int("axis", 1);
    return MakeMovementStep(std::move(movement));
  }
  if (node.op == "Squeeze" || node.op == "Unsqueeze") {
    LQ_ASSIGN_OR_RETURN((node.op == "Squeeze" ? movement.squeeze : movement.unsqueeze),
                        IntegersOf(graph_, node, constants_, 1, "axes"));
    return MakeMovementStep(std::move(movement));
  }
  if (node.op == "Reshape") {
    LQ_ASSIGN_OR_RETURN(movement.dims, IntegersOf(graph_, node, constants_, 1, ""));
    movement.allow_zero = node.Int("allowzero", 0) != 0;
    return MakeMovementStep(std::move(movement));
  }
  LQ_ASSIGN_OR_RETURN(auto rearrangement, MakeRearrangement({graph_, node, constants_}));
  if (rearrangement == nullptr) return Unsupported(fmt::format("{}: not run", name));
  if (!encoding && node.op == "Pad") {
    LQ_ASSIGN_OR_RETURN(const float value, PadValueOf({graph_, node, constants_}));
    const uint64_t bits = plan_.tensors[tensor].is_real ? BitsOf<uint64_t>(double{value}) : BitsOf<uint32_t>(value);
    return MakeRearrangeStep(std::move(rearrangement), bits);
  }
  if (node.op != "Pad") return MakeRearrangeStep(std::move(rearrangement), 0);  // it has no padding
  const PerTensor codes = ToUnsigned(*encoding);
  if (HasZero(codes)) return MakeRearrangeStep(std::move(rearrangement), static_cast<uint64_t>(-codes.offset));
  return Unsupported(fmt::format("{}: 0 is not on the grid of its input, {}", name, Describe(Encoding(*encoding))));
}

Result<size_t> Planner::Requantized(const Node& node, size_t tensor, const PerTensor& encoding) {
  const PlanTensor in = plan_.tensors[tensor];
  if (in.encoding) {
    Chain identity;
    return Emit(MakeTableStep(*in.encoding, identity, encoding), node.op + "+Requantize", node, {tensor},
                NewTensor(encoding, false));
  }
  ValueStepSpec spec;
  spec.op = MakePassing(in.is_real ? ValueKind::kReal : ValueKind::kF32);
  spec.operands.emplace_back();
  spec.encoding = encoding;
  spec.why = "its input has no encoding";
  return Emit(MakeValueStep(std::move(spec), options_), node.op + "+Quantize", node, {tensor},
              NewTensor(encoding, false));
}

Result<size_t> Planner::WithIndexShape(const Node& node, size_t in, size_t gathered) {
  const Constant* indices = node.op == "Gather" ? constants_.Find(node.inputs[1]) : nullptr;
  if (indices == nullptr || indices->shape.rank() < 2) return gathered;
  const size_t rank = plan_.shapes[in].rank();
  Movement movement{graph_.Describe(node), std::nullopt, {indices->shape.dims().begin(), indices->shape.dims().end()}};
  LQ_ASSIGN_OR_RETURN(movement.split_axis, AxisOf(movement.name, node.Int("axis", 0), rank));
  const PlanTensor tensor = NewTensor(plan_.tensors[gathered].encoding, plan_.tensors[gathered].is_real);
  return Emit(MakeMovementStep(std::move(movement)), node.op, node, {gathered}, tensor);
}

bool Planner::IsReadTurned(const Node& node) const {
  if (node.op != "Transpose" || options_.keep_encoded_tensors || !IsCoded(node.inputs[0])) return false;
  const ptrdiff_t reader = consumers_.Only(node.outputs[0]);
  const std::vector<int64_t> order = node.Ints("perm", {});
  const size_t input = tensor_of_.at(node.inputs[0]);
  if (reader < 0 || order.size() < 2 || order.size() != plan_.shapes[input].rank()) return false;
  for (size_t d = 0; d < order.size(); ++d) {
    const size_t from = d + 2 < order.size() ? d : 2 * order.size() - 3 - d;
    if (order[d] != static_cast<int64_t>(from)) return false;
  }
  const Node& product = graph_.nodes[static_cast<size_t>(reader)];
  const std::optional<Encoding>& encoding = graph_.value(node.outputs[0]).encoding;
  return product.op == "MatMul" && product.inputs[1] == node.outputs[0] &&
         (!encoding || *encoding == Encoding(EncodingOf(input)));
}

Result<size_t> Planner::AsValues(const Node& node, size_t tensor, ValueKind kind) {
  const PlanTensor in = plan_.tensors[tensor];
  if (!in.encoding && in.is_real == (kind == ValueKind::kReal)) return tensor;
  ValueStepSpec spec;
  spec.op = MakePassing(kind);
  spec.operands.emplace_back();
  spec.operands.back().encoding = in.encoding;
  spec.why = node.op + " makes values of its own";
  return Emit(MakeValueStep(std::move(spec), options_), node.op + "+Values", node, {tensor},
              NewTensor(std::nullopt, kind == ValueKind::kReal));
}

Status Planner::PlanMovement(const Node& node) {
  if (!IsReadTurned(node)) return EmitMovement(node);
  turned_[node.outputs[0]] = &node;
  return OkStatus();
}

Status Planner::EmitMovement(const Node& node) {
  LQ_ASSIGN_OR_RETURN(size_t tensor, TensorOf(node, node.inputs[0]));
  if (node.op == "Pad" && plan_.tensors[tensor].encoding) {
    LQ_ASSIGN_OR_RETURN(const float value, PadValueOf({graph_, node, constants_}));
    const bool fills = node.String("mode", "constant") == "constant" && value != 0;
    if (fills) {  // no code of the grid, or not for sure
      LQ_ASSIGN_OR_RETURN(tensor, AsValues(node, tensor, ValueKind::kReal));
    }
  }
  const PlanTensor in = plan_.tensors[tensor];
  const bool moves = !MovesNothing(node.op);
  if (moves) {
    LQ_ASSIGN_OR_RETURN(auto step, MakeMovement(node, tensor));
    LQ_ASSIGN_OR_RETURN(const size_t moved,
                        Emit(std::move(step), node.op, node, {tensor}, NewTensor(in.encoding, in.is_real)));
    LQ_ASSIGN_OR_RETURN(tensor, WithIndexShape(node, tensor, moved));
  }
  const ValueId result = node.outputs[0];
  LQ_ASSIGN_OR_RETURN(const std::optional<PerTensor> out, EncodingOfValue(result));
  if (out && in.encoding && SameCodes(*in.encoding, *out) && moves) {
    plan_.tensors[tensor].value = result;
    plan_.tensors[tensor].encoding = out;
  } else if (out) {
    LQ_ASSIGN_OR_RETURN(tensor, Requantized(node, tensor, *out));
    plan_.tensors[tensor].value = result;
  }  // else it keeps its input's codes
  tensor_of_[result] = tensor;
  return OkStatus();
}

Result<std::vector<std::byte>> Planner::ElementsOf(const Node& node, ValueId value, PlanTensor& tensor) const {
  const Constant& constant = *constants_.Find(value);
  const std::optional<Encoding>& encoding = constants_.EncodingOf(value);
  std::optional<PerTensor> codes;
  if (encoding) {
    const auto* one = std::get_if<PerTensor>(&*encoding);
    if (one == nullptr) {
      return Unsupported(fmt::format("{}: '{}' is encoded {}; supported: per tensor", graph_.Describe(node),
                                     graph_.value(value).name, Describe(*encoding)));
    }
    codes = *one;
  }
  tensor = NewTensor(codes, constants_.IsReal(value));
  const auto count = static_cast<size_t>(constant.shape.NumElements());
  if (count != (tensor.is_real ? constant.f64.size() : constant.f32.size())) {
    return InvalidArgument(fmt::format("{}: '{}' is {}, not floats", graph_.Describe(node), graph_.value(value).name,
                                       NameOf(constant.dtype)));
  }
  std::vector<std::byte> elements(count * SizeOf(tensor.dtype()));
  if (codes) {
    ValueEncoder(*codes, options_)
        .Encode(reinterpret_cast<const std::byte*>(constant.f32.data()), false, count, elements.data());
  } else {
    const void* values = tensor.is_real ? static_cast<const void*>(constant.f64.data()) : constant.f32.data();
    if (count > 0) std::memcpy(elements.data(), values, elements.size());
  }
  return elements;
}

Status Planner::PlanSelection(const Node& node) {
  LQ_ASSIGN_OR_RETURN(const size_t data, TensorOf(node, node.inputs[0]));
  LQ_ASSIGN_OR_RETURN(const size_t indices, TensorOf(node, node.inputs[1]));
  Selection selection{graph_.Describe(node), node.Int("axis", 0), node.op == "GatherElements",
                      plan_.tensors[indices].encoding};
  const PlanTensor same = NewTensor(plan_.tensors[data].encoding, plan_.tensors[data].is_real);
  LQ_ASSIGN_OR_RETURN(const size_t tensor,
                      Emit(MakeSelectionStep(std::move(selection), options_), node.op, node, {data, indices}, same));
  return EmitMoved(node, tensor);
}

Status Planner::PlanGather(const Node& node) {
  const Constant* constant = constants_.Find(node.inputs[0]);
  if (constant == nullptr) return PlanSelection(node);
  LQ_ASSIGN_OR_RETURN(const size_t indices, TensorOf(node, node.inputs[1]));
  const std::optional<Encoding>& encoding = constants_.EncodingOf(node.inputs[0]);
  const bool is_embedding = constant->dtype == DType::kF32 && constant->shape.rank() == 2 && node.Int("axis", 0) == 0;
  if (encoding && !std::holds_alternative<PerTensor>(*encoding) && is_embedding) {
    return PlanEmbedding(node, {graph_.Describe(node), constant, *encoding, plan_.tensors[indices].encoding}, indices);
  }
  PlanTensor rows;
  LQ_ASSIGN_OR_RETURN(std::vector<std::byte> elements, ElementsOf(node, node.inputs[0], rows));
  GatherTable table{graph_.Describe(node), node.Int("axis", 0), constant->shape,
                    rows.dtype(),          std::move(elements), plan_.tensors[indices].encoding};
  LQ_ASSIGN_OR_RETURN(const size_t tensor,
                      Emit(MakeGatherStep(std::move(table), options_), node.op, node, {indices}, std::move(rows)));
  return EmitMoved(node, tensor);
}

Status Planner::EmitMoved(const Node& node, size_t tensor) {
  const std::optional<PerTensor> codes = plan_.tensors[tensor].encoding;
  LQ_ASSIGN_OR_RETURN(const std::optional<PerTensor> out, EncodingOfValue(node.outputs[0]));
  if (out && !(codes && SameCodes(*codes, *out))) {
    LQ_ASSIGN_OR_RETURN(tensor, Requantized(node, tensor, *out));
  }
  if (out) plan_.tensors[tensor].value = node.outputs[0];
  if (out) plan_.tensors[tensor].encoding = out;
  tensor_of_[node.outputs[0]] = tensor;
  return OkStatus();
}

Status Planner::PlanEmbedding(const Node& node, const EmbeddingSpec& spec, size_t indices) {
  LQ_ASSIGN_OR_RETURN(auto step, MakeEmbeddingStep(spec, options_));
  LQ_ASSIGN_OR_RETURN(size_t tensor, Emit(std::move(step), node.op, node, {indices}, NewTensor(std::nullopt, true)));
  LQ_ASSIGN_OR_RETURN(const std::optional<PerTensor> out, EncodingOfValue(node.outputs[0]));
  if (out) {
    LQ_ASSIGN_OR_RETURN(tensor, Requantized(node, tensor, *out));
    plan_.tensors[tensor].value = node.outputs[0];
  }
  tensor_of_[node.outputs[0]] = tensor;
  return OkStatus();
}

Status Planner::ToOneKind(const Node& node, const std::optional<PerTensor>& out, std::vector<size_t>& parts) {
  const PlanTensor first = plan_.tensors[parts[0]];
  bool coded = true, same = true, real = false;
  for (size_t part : parts) {
    const PlanTensor& tensor = plan_.tensors[part];
    coded = coded && tensor.encoding;
    same = coded && same && SameCodes(*tensor.encoding, *first.encoding);
    real = real || tensor.is_real;
  }
  for (size_t& part : parts) {
    // Codes among floats stay codes for a quantizer behind them: it sees the floats that they are.
    const bool keeps = plan_.tensors[part].encoding && !real && (out || same);
    if (!keeps) {
      LQ_ASSIGN_OR_RETURN(part, AsValues(node, part, real ? ValueKind::kReal : ValueKind::kF32));
    }
    if (!out || (plan_.tensors[part].encoding && SameCodes(*plan_.tensors[part].encoding, *out))) continue;
    LQ_ASSIGN_OR_RETURN(part, Requantized(node, part, *out));
  }
  return OkStatus();
}

Status Planner::PlanConcat(const Node& node) {
  LQ_ASSIGN_OR_RETURN(const std::optional<PerTensor> out, EncodingOfValue(node.outputs[0]));
  const auto is_constant = [&](ValueId id) { return id != kAbsent && constants_.Find(id) != nullptr; };
  // An activation, of which there is one: PlanNode sees to that.
  const ValueId like = *std::find_if_not(node.inputs.begin(), node.inputs.end(), is_constant);
  LQ_ASSIGN_OR_RETURN(const size_t reference, TensorOf(node, like));
  const int64_t axis = node.Int("axis", 0);
  std::vector<size_t> parts;
  for (ValueId input : node.inputs) {
    if (input == kAbsent) return InvalidArgument(fmt::format("{}: a part is left out", graph_.Describe(node)));
    parts.push_back(reference);
    if (is_constant(input)) {
      PlanTensor tensor;
      LQ_ASSIGN_OR_RETURN(std::vector<std::byte> elements, ElementsOf(node, input, tensor));
      ConstantPart part{graph_.Describe(node),         axis,
                        constants_.Find(input)->shape, tensor.dtype(),
                        std::move(elements),           node.Int("repeats", 0) != 0};
      LQ_ASSIGN_OR_RETURN(parts.back(), Emit(MakeConstantStep(std::move(part)), "Constant", node, {reference}, tensor));
    } else {
      LQ_ASSIGN_OR_RETURN(parts.back(), TensorOf(node, input));
    }
  }
  LQ_RETURN_IF_ERROR(ToOneKind(node, out, parts));
  PlanTensor joined = NewTensor(plan_.tensors[parts[0]].encoding, plan_.tensors[parts[0]].is_real);
  if (out) joined.encoding = out;
  joined.value = out ? node.outputs[0] : kAbsent;
  LQ_ASSIGN_OR_RETURN(tensor_of_[node.outputs[0]],
                      Emit(MakeConcatStep(graph_.Describe(node), axis), node.op, node, std::move(parts), joined));
  return OkStatus();
}

}  // namespace lq
