// Planning of operators that run on values: as tables where they are functions of the codes of one tensor.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "runtime/output_arrays.h"
#include "runtime/plan/layout.h"
#include "runtime/plan/planner.h"
#include "runtime/plan/value_codec.h"
#include "runtime/status_macros.h"
#include "runtime/views.h"

namespace lq {

Result<ValueKind> Planner::KindOf(const Node& node, ValueId value) const {
  if (value == kAbsent) return ValueKind::kF32;  // no operand: what a Resize leaves out
  if (constants_.Find(value) != nullptr) return constants_.IsReal(value) ? ValueKind::kReal : ValueKind::kF32;
  if (const auto it = functions_.find(value); it != functions_.end()) {
    return it->second.is_real() ? ValueKind::kReal : ValueKind::kF32;
  }
  const auto it = tensor_of_.find(value);
  if (it == tensor_of_.end()) {
    return Unsupported(
        fmt::format("{}: its input '{}' is no activation", graph_.Describe(node), graph_.value(value).name));
  }
  const PlanTensor& tensor = plan_.tensors[it->second];
  if (tensor.encoding) return ValueKind::kCoded;
  return tensor.is_real ? ValueKind::kReal : ValueKind::kF32;
}

Result<std::vector<ValueKind>> Planner::KindsOf(const Node& node, std::span<const ValueId> operands) const {
  std::vector<ValueKind> kinds;
  for (ValueId id : operands) {
    LQ_ASSIGN_OR_RETURN(const ValueKind kind, KindOf(node, id));
    kinds.push_back(kind);
  }
  return kinds;
}

std::optional<PerTensor> Planner::ChosenEncoding(const Node& node, std::span<const ValueId> operands) const {
  constexpr const char* kChoosing[] = {"GlobalMaxPool", "ReduceMax", "ReduceMin", "TopK", "Trilu", "Where"};
  if (std::find(std::begin(kChoosing), std::end(kChoosing), node.op) == std::end(kChoosing)) return std::nullopt;
  if (node.op == "Where") operands = operands.last(2);  // before them a computed condition
  std::optional<PerTensor> all;
  for (ValueId id : operands) {
    std::optional<PerTensor> own;
    if (constants_.Find(id) == nullptr) {
      own = plan_.tensors[tensor_of_.at(id)].encoding;
    } else if (const auto& encoding = constants_.EncodingOf(id); encoding && std::get_if<PerTensor>(&*encoding)) {
      own = std::get<PerTensor>(*encoding);
    }
    if (!own || (all && *all != *own)) return std::nullopt;
    all = own;
  }
  return all;
}

Result<size_t> Planner::TensorOf(const Node& node, ValueId value) {
  LQ_RETURN_IF_ERROR(KindOf(node, value).status());
  if (const auto it = tensor_of_.find(value); it != tensor_of_.end()) return it->second;
  const auto it = functions_.find(value);
  if (it == functions_.end()) {
    return Unsupported(
        fmt::format("{}: its input '{}' is a constant", graph_.Describe(node), graph_.value(value).name));
  }
  const Function& function = it->second;
  LQ_ASSIGN_OR_RETURN(tensor_of_[value], Emit(MakeValueLookupStep(function.table), "Table", node, {function.source},
                                              NewTensor(std::nullopt, function.is_real())));
  return tensor_of_[value];
}

std::optional<size_t> Planner::SourceOf(ValueId operand) const {
  if (const auto function = functions_.find(operand); function != functions_.end()) return function->second.source;
  const auto tensor = tensor_of_.find(operand);
  if (tensor == tensor_of_.end() || !plan_.tensors[tensor->second].encoding) return std::nullopt;
  return tensor->second;
}

size_t Planner::RootOf(size_t tensor) const {
  const auto lookup = lookups_.find(tensor);
  return lookup != lookups_.end() && !options_.keep_encoded_tensors ? lookup->second.source : tensor;
}

std::optional<size_t> Planner::CommonSource(std::span<const ValueId> operands) const {
  std::optional<size_t> source, root;
  bool one_source = true, one_root = true;
  size_t rank = 0;
  for (ValueId id : operands) {
    if (const Constant* constant = constants_.Find(id); constant != nullptr) {
      if (constant->shape.NumElements() != 1) return std::nullopt;
      rank = std::max(rank, constant->shape.rank());
      continue;
    }
    const std::optional<size_t> own = SourceOf(id);
    if (!own) return std::nullopt;
    one_source = one_source && (!source || *source == *own);
    one_root = one_root && (!root || *root == RootOf(*own));
    source = *own;
    root = RootOf(*own);
  }
  if (!one_source) source = one_root ? root : std::nullopt;
  if (source && rank > plan_.shapes[*source].rank()) return std::nullopt;  // the constant adds dimensions
  return source;
}

ValueOperandSpec Planner::OverRoot(const ValueOperandSpec& table, size_t from) const {
  const std::vector<uint16_t>& codes = lookups_.at(from).codes;
  ValueOperandSpec out;
  out.shape = {static_cast<int64_t>(codes.size())};
  for (uint16_t code : codes) {
    if (!table.f32.empty()) out.f32.push_back(table.f32[code]);
    if (!table.real.empty()) out.real.push_back(table.real[code]);
  }
  return out;
}

ValueOperandSpec Planner::AllCodes(size_t tensor) const {
  const PerTensor& encoding = EncodingOf(tensor);
  const bool wide = CodeBytes(encoding.grid) == 2;
  const size_t size = wide ? 65536 : 256;
  std::vector<uint16_t> codes(size);
  std::iota(codes.begin(), codes.end(), uint16_t{0});
  std::vector<uint8_t> bytes(size);
  std::transform(codes.begin(), codes.end(), bytes.begin(), [](uint16_t code) { return static_cast<uint8_t>(code); });
  const auto* in =
      wide ? reinterpret_cast<const std::byte*>(codes.data()) : reinterpret_cast<const std::byte*>(bytes.data());
  const DType type = wide ? DType::kU16 : DType::kU8;
  ValueOperandSpec values;
  values.f32.resize(size);
  values.real.resize(size);
  values.shape = {static_cast<int64_t>(size)};
  const ValueDecoder decoder(encoding, options_);
  decoder.Decode(in, type, size, ValueKind::kF32, reinterpret_cast<std::byte*>(values.f32.data()));
  decoder.Decode(in, type, size, ValueKind::kReal, reinterpret_cast<std::byte*>(values.real.data()));
  return values;
}

Result<ValueOperandSpec> Planner::ConstantOperand(ValueId value, ValueKind form) const {
  ValueOperandSpec operand;
  operand.is_constant = true;
  operand.shape = constants_.Find(value)->shape;
  if (form == ValueKind::kReal) {
    LQ_ASSIGN_OR_RETURN(operand.real, constants_.Reals(value, options_));
  } else {
    LQ_ASSIGN_OR_RETURN(operand.f32, constants_.Floats(value, options_));
  }
  return operand;
}

Result<Planner::Function> Planner::Evaluate(const ValueOperator& op, std::span<const ValueId> operands,
                                            size_t source) const {
  std::vector<ValueOperandSpec> values;
  for (ValueId id : operands) {
    if (constants_.Find(id) != nullptr) {
      LQ_ASSIGN_OR_RETURN(ValueOperandSpec operand, ConstantOperand(id, op.form()));
      operand.shape = {1};
      values.push_back(std::move(operand));
      continue;
    }
    const size_t own = *SourceOf(id);
    ValueOperandSpec operand;
    if (const auto function = functions_.find(id); function != functions_.end()) {
      const ValueTable& table = function->second.table;
      operand.f32 = table.f32;
      operand.real = table.real.empty() ? std::vector<double>(table.f32.begin(), table.f32.end()) : table.real;
      operand.shape = {static_cast<int64_t>(operand.real.size())};
    } else {
      operand = AllCodes(own);
    }
    values.push_back(own == source ? std::move(operand) : OverRoot(operand, own));
  }
  std::vector<ValueArray> arrays;
  for (const ValueOperandSpec& v : values) arrays.push_back({v.shape, nullptr, 0, v.f32.data(), v.real.data()});
  const size_t size = CodeBytes(EncodingOf(source).grid) == 2 ? 65536 : 256;
  Function result{source, {}};
  (op.is_real() ? result.table.real.resize(size) : result.table.f32.resize(size));
  const ValueResult values_out{{static_cast<int64_t>(size)}, result.table.f32.data(), result.table.real.data()};
  op.Run(arrays, values_out, {0, op.Pieces(arrays, values_out)});
  return result;
}

Status Planner::EmitFunction(const Node& node, Function function) {
  const ValueId result = node.outputs[0];
  LQ_ASSIGN_OR_RETURN(const std::optional<PerTensor> out, EncodingOfValue(result));
  if (!out) {
    functions_.insert_or_assign(result, std::move(function));
    return OkStatus();
  }
  const bool real = function.is_real();
  const size_t size = real ? function.table.real.size() : function.table.f32.size();
  const auto* values = real ? reinterpret_cast<const std::byte*>(function.table.real.data())
                            : reinterpret_cast<const std::byte*>(function.table.f32.data());
  const ValueEncoder encoder(*out, options_);
  const bool wide_in = CodeBytes(EncodingOf(function.source).grid) == 2, wide_out = CodeBytes(out->grid) == 2;
  const size_t source = function.source;
  std::unique_ptr<Step> step;
  std::vector<uint8_t> bytes(wide_out ? 0 : size);
  std::vector<uint16_t> words(wide_out ? size : 0);
  if (wide_out) {
    encoder.Encode(values, real, size, reinterpret_cast<std::byte*>(words.data()));
  } else {
    encoder.Encode(values, real, size, reinterpret_cast<std::byte*>(bytes.data()));
  }
  if (!wide_out) words.assign(bytes.begin(), bytes.end());
  Lookup lookup{source, words};
  if (!wide_in && !wide_out) {
    step = MakeLookupStep(std::move(bytes), options_);
  } else {
    step = MakeWideLookupStep(std::move(words));
  }
  PlanTensor output = NewTensor(out, false);
  output.value = result;
  LQ_ASSIGN_OR_RETURN(const size_t tensor, Emit(std::move(step), node.op, node, {source}, output));
  tensor_of_[result] = tensor;
  lookups_.emplace(tensor, std::move(lookup));
  return OkStatus();
}

Status Planner::PlanElementwise(const Node& node) {
  // The bounds of a Clip are constants that the operator takes itself.
  const std::span<const ValueId> operands =
      std::span<const ValueId>(node.inputs).first(node.op == "Clip" ? 1 : node.inputs.size());
  LQ_ASSIGN_OR_RETURN(const std::vector<ValueKind> kinds, KindsOf(node, operands));
  const ValueNode value_node{graph_, node, constants_, options_, kinds};
  LQ_ASSIGN_OR_RETURN(auto op, MakeElementwise(value_node));
  if (op == nullptr) {
    LQ_ASSIGN_OR_RETURN(op, MakeLogic(value_node));
  }
  if (op == nullptr) return PlanValues(node);
  const std::optional<size_t> source = CommonSource(operands);
  if (!source) return EmitValues(std::move(op), node, operands);
  LQ_ASSIGN_OR_RETURN(Function function, Evaluate(*op, operands, *source));
  return EmitFunction(node, std::move(function));
}

Status Planner::PlanProduct(const Node& node) {
  const auto turned = turned_.find(node.inputs[1]);
  const bool turns_b = turned != turned_.end();
  const ValueId right = turns_b ? turned->second->inputs[0] : node.inputs[1];
  const auto on_values = [&]() -> Status {
    if (turns_b) LQ_RETURN_IF_ERROR(EmitMovement(*turned->second));
    return PlanValues(node);
  };
  if (!IsCoded(node.inputs[0]) || !IsCoded(right)) return on_values();
  const size_t a = tensor_of_.at(node.inputs[0]), b = tensor_of_.at(right);
  LQ_ASSIGN_OR_RETURN(const Chain chain, ProductChain(node));
  LQ_ASSIGN_OR_RETURN(const std::optional<PerTensor> encoding, ResultEncoding(chain));
  MatmulSpec spec;
  spec.name = graph_.Describe(node);
  spec.a = ToUnsigned(EncodingOf(a));
  spec.b = ToUnsigned(EncodingOf(b));
  if (encoding) spec.output = ToUnsigned(*encoding);
  spec.b_is_transposed = turns_b;
  LQ_ASSIGN_OR_RETURN(Matmul matmul, Matmul::Prepare(spec, options_));
  const Shape shape = plan_.layout.OnnxShape(plan_.shapes[a]);
  if (shape.rank() > 0 && static_cast<size_t>(shape[shape.rank() - 1]) > matmul.LargestK()) return on_values();
  for (size_t index : chain.absorbed) absorbed_[index] = true;
  const PlanTensor output = NewTensor(encoding, true);
  const std::array<DType, 3> dtypes = {plan_.tensors[a].dtype(), plan_.tensors[b].dtype(), output.dtype()};
  LQ_ASSIGN_OR_RETURN(const size_t tensor, Emit(MakeMatmulStep(spec.name, std::move(matmul), dtypes, turns_b),
                                                chain.ops, node, {a, b}, output));
  return EmitMovements(chain, tensor);
}

// What moves the product's elements to an encoded tensor: it is quantized first.
Result<Chain> Planner::ProductChain(const Node& node) const {
  LQ_ASSIGN_OR_RETURN(Chain chain, FollowChain(context(), node, {}));
  const bool clips = chain.clip_min != -__builtin_inff() || chain.clip_max != __builtin_inff();
  if (!clips && graph_.value(chain.result).encoding) return chain;
  Chain alone;
  alone.ops = node.op;
  alone.result = node.outputs[0];
  return alone;
}

// Of most operators only the first input is an activation; what else they read are constants of their own.
std::vector<ValueId> Planner::ValueOperands(const Node& node) const {
  const std::vector<ValueId>& inputs = node.inputs;
  if (node.op == "LSTM" || node.op == "GRU") return RecurrentOperands(node);
  if (node.op == "Where") return {inputs.begin() + (constants_.Find(inputs[0]) != nullptr ? 1 : 0), inputs.end()};
  if (node.op == "MatMul") return inputs;
  if (node.op == "Positions" && inputs.back() != kAbsent) return inputs;
  return {inputs.front()};
}

Status Planner::PlanValues(const Node& node) {
  const std::vector<ValueId> operands = ValueOperands(node);
  LQ_ASSIGN_OR_RETURN(const std::vector<ValueKind> kinds, KindsOf(node, operands));
  const ValueNode value_node{graph_, node, constants_, options_, kinds};
  constexpr ValueOperatorResult (*kMakers[])(const ValueNode&) = {
      MakeSoftmax,  MakeNormalization, MakeBatchNorm, MakeReduction, MakePooling,
      MakeResizing, MakeSelection,     MakeProduct,   MakeChoice,    MakeCumSum,
      MakeTriangle, MakeRecurrence,    MakeDynamic,   MakeFormat,    MakePositions};
  for (const auto& make : kMakers) {
    LQ_ASSIGN_OR_RETURN(auto op, make(value_node));
    if (op != nullptr) return EmitValues(std::move(op), node, operands);
  }
  return Unsupported(
      fmt::format("{}: the kernels do not run it (the simulator does: --reference)", graph_.Describe(node)));
}

std::string Planner::WhyValues(const Node& node, std::span<const ValueId> operands) const {
  for (ValueId id : operands) {
    if (constants_.Find(id) == nullptr && !IsCoded(id)) {
      return fmt::format("'{}' has no encoding", graph_.value(id).name);
    }
  }
  return fmt::format("{} is defined on values", node.op);
}

Status Planner::EmitValues(std::unique_ptr<ValueOperator> op, const Node& node, std::span<const ValueId> operands) {
  ValueStepSpec spec;
  std::vector<size_t> inputs;
  spec.why = WhyValues(node, operands);
  for (ValueId id : operands) {
    if (constants_.Find(id) != nullptr) {
      LQ_ASSIGN_OR_RETURN(ValueOperandSpec operand, ConstantOperand(id, op->form()));
      spec.operands.push_back(std::move(operand));
      continue;
    }
    LQ_ASSIGN_OR_RETURN(const size_t tensor, TensorOf(node, id));
    inputs.push_back(tensor);
    spec.operands.emplace_back();
    spec.operands.back().encoding = plan_.tensors[tensor].encoding;
  }
  LQ_ASSIGN_OR_RETURN(spec.encoding, EncodingOfValue(node.outputs[0]));
  PlanTensor output = NewTensor(spec.encoding, op->is_real());
  if (spec.encoding) output.value = node.outputs[0];
  if (!spec.encoding) {  // it keeps its input's codes
    spec.encoding = ChosenEncoding(node, operands);
    if (node.op == "Trilu" && spec.encoding && !HasZero(ToUnsigned(*spec.encoding))) {
      return Unsupported(fmt::format("{}: 0 is not on the grid of its input, {}", graph_.Describe(node),
                                     Describe(Encoding(*spec.encoding))));
    }
    output.encoding = spec.encoding;
  }
  spec.op = std::move(op);
  LQ_ASSIGN_OR_RETURN(tensor_of_[node.outputs[0]],
                      Emit(MakeValueStep(std::move(spec), options_), node.op, node, std::move(inputs), output));
  return OkStatus();
}

}  // namespace lq
