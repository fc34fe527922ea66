// Planning of Add, Relu, Clip and batch normalization of codes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/epilogue.h"
#include "runtime/output_arrays.h"
#include "runtime/plan/planner.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"
#include "runtime/views.h"

namespace lq {
namespace {

constexpr size_t kTable = 256;

}  // namespace

Status Planner::PlanAdd(const Node& node) {
  const bool on_codes = std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
    return IsCoded(id) || (constants_.Find(id) != nullptr && !constants_.IsReal(id));
  });
  if (!on_codes) return PlanElementwise(node);
  AddSpec spec;
  spec.name = graph_.Describe(node);
  std::vector<size_t> inputs;
  for (size_t i = 0; i < 2; ++i) {
    if (const Constant* constant = constants_.Find(node.inputs[i])) {
      LQ_ASSIGN_OR_RETURN(spec.operands[i].values, constants_.Floats(node.inputs[i], options_));
      spec.operands[i].shape = constant->shape;
    } else {
      const size_t input = tensor_of_.at(node.inputs[i]);
      inputs.push_back(input);
      spec.operands[i].encoding = EncodingOf(input);
    }
  }
  LQ_ASSIGN_OR_RETURN(const Chain chain, TakeChain(node, {}));
  LQ_ASSIGN_OR_RETURN(spec.encoding, ResultEncoding(chain));
  spec.clip_min = chain.clip_min;
  spec.clip_max = chain.clip_max;
  const PlanTensor output = NewTensor(spec.encoding, false);
  auto step = MakeAddStep(std::move(spec), options_);
  LQ_ASSIGN_OR_RETURN(const size_t tensor, Emit(std::move(step), chain.ops, node, std::move(inputs), output));
  return EmitMovements(chain, tensor);
}

// A function of codes is a table. Without batch normalization its values are f32 tensors (exact_simulator.md 5), with
// it real.
std::vector<uint16_t> Planner::Table(const PerTensor& in, const Chain& clip, const PerTensor& out) const {
  const PerTensor from = ToUnsigned(in), to = ToUnsigned(out);
  const size_t size = CodeBytes(from.grid) == 1 ? kTable : 65536;
  std::vector<uint16_t> codes(size);
  std::iota(codes.begin(), codes.end(), uint16_t{0});
  std::vector<float> values(size);
  Choose(kernels::DequantizeAffineVariants(), options_.max_isa)
      .run({.in = codes.data(),
            .type = kernels::CodeType::kU16,
            .n = size,
            .layout = {&from.scale, &from.offset, 1, size},
            .out = values.data()});
  for (float& v : values) v = std::min(std::max(v, clip.clip_min), clip.clip_max);
  Choose(kernels::QuantizeAffineVariants(), options_.max_isa)
      .run({.in = values.data(),
            .n = size,
            .layout = {&to.scale, &to.offset, 1, size},
            .qmin = 0,
            .qmax = to.grid.qmax(),
            .profile = options_.profile,
            .type = kernels::CodeType::kU16,
            .out = codes.data()});
  return codes;
}

std::unique_ptr<Step> Planner::MakeTableStep(const PerTensor& in, const Chain& clip, const PerTensor& out) const {
  std::vector<uint16_t> table = Table(in, clip, out);
  if (CodeBytes(in.grid) == 2 || CodeBytes(out.grid) == 2) return MakeWideLookupStep(std::move(table));
  std::vector<uint8_t> bytes(table.size());
  std::transform(table.begin(), table.end(), bytes.begin(), [](uint16_t code) { return static_cast<uint8_t>(code); });
  return MakeLookupStep(std::move(bytes), options_);
}

Result<std::vector<uint8_t>> Planner::ChannelTables(const PerTensor& in, const Node& batch_norm, const Chain& clip,
                                                    const PerTensor& out) const {
  const PerTensor from = ToUnsigned(in);
  const kernels::QuantizeTo to = MakeQuantizeTo(out, options_.profile, -__builtin_inff(), __builtin_inff());
  const Constant* gamma = batch_norm.inputs.size() > 1 ? constants_.Find(batch_norm.inputs[1]) : nullptr;
  const size_t channels = gamma != nullptr ? gamma->f32.size() : 0;
  OutputStage stage;
  StageArrays arrays;
  LQ_RETURN_IF_ERROR(SetBatchNorm(batch_norm, channels, stage, arrays));
  std::vector<uint8_t> tables;
  for (size_t c = 0; c < channels; ++c) {
    const double gain =
        double{arrays.gamma[c]} / std::sqrt(double{arrays.variance[c]} + double{stage.batch_norm->epsilon});
    for (int32_t q = 0; q < static_cast<int32_t>(kTable); ++q) {
      const double x = double(q + from.offset) * double(from.scale);
      const double y = (x - double{arrays.mean[c]}) * gain + double{arrays.beta[c]};
      const double clipped = std::min(std::max(y, double{clip.clip_min}), double{clip.clip_max});
      tables.push_back(static_cast<uint8_t>(kernels::CodeOf(clipped, to)));
    }
  }
  return tables;
}

Result<bool> Planner::HasChannelTables(const Node& node, const Chain& chain) const {
  const size_t input = tensor_of_.at(node.inputs[0]), rank = plan_.shapes[input].rank();
  LQ_ASSIGN_OR_RETURN(const std::optional<PerTensor> out, ResultEncoding(chain));
  const bool narrow = CodeBytes(EncodingOf(input).grid) == 1 && out && CodeBytes(out->grid) == 1;
  return narrow && (rank == 4 || rank == 2);
}

Status Planner::PlanUnary(const Node& node) {
  LQ_ASSIGN_OR_RETURN(const Chain ahead, FollowChain(context(), node, {}));
  const bool normalizes = node.op == "BatchNormalization";
  if (!IsCoded(node.inputs[0]) || !graph_.value(ahead.result).encoding) {
    return normalizes ? PlanValues(node) : PlanElementwise(node);
  }
  if (normalizes) {
    LQ_ASSIGN_OR_RETURN(const bool fits, HasChannelTables(node, ahead));
    if (!fits) return PlanValues(node);
  }
  const size_t input = tensor_of_.at(node.inputs[0]);
  LQ_ASSIGN_OR_RETURN(const Chain chain, TakeChain(node, {}));
  LQ_ASSIGN_OR_RETURN(const std::optional<PerTensor> out, ResultEncoding(chain));  // that of `ahead`
  Chain clip;
  std::unique_ptr<Step> step;
  if (node.op == "BatchNormalization") {
    const Shape& shape = plan_.shapes[input];
    ComposeClip(chain.clip_min, chain.clip_max, clip);
    LQ_ASSIGN_OR_RETURN(std::vector<uint8_t> tables, ChannelTables(EncodingOf(input), node, clip, *out));
    if (tables.size() != kTable * static_cast<size_t>(shape[shape.rank() - 1])) {
      return InvalidArgument(fmt::format("{}: {} channels do not fit its input of shape {}", graph_.Describe(node),
                                         tables.size() / kTable, shape.ToString()));
    }
    step = MakeLookupStep(std::move(tables), options_);
  } else {
    LQ_ASSIGN_OR_RETURN(const ClipBounds bounds, BoundsOf(graph_, node, constants_, options_));
    ComposeClip(bounds.low, bounds.high, clip);
    ComposeClip(chain.clip_min, chain.clip_max, clip);
    step = MakeTableStep(EncodingOf(input), clip, *out);
  }
  LQ_ASSIGN_OR_RETURN(const size_t tensor, Emit(std::move(step), chain.ops, node, {input}, {kAbsent, out}));
  return EmitMovements(chain, tensor);
}

// T = the table of a Relu or Clip that alone reads an encoded tensor. Where T(clamp(q, lo, hi)) is the clamp that the
// layer's own quantizer makes of both clips, the layer may apply it: no lemma needed, all codes are compared.
Status Planner::FuseClampBehind(Chain& chain) {
  const ptrdiff_t next = consumers_.Only(chain.result);
  if (options_.keep_encoded_tensors || next < 0 || !graph_.value(chain.result).encoding) return OkStatus();
  const Node& node = graph_.nodes[static_cast<size_t>(next)];
  const auto& encoding = graph_.value(node.outputs[0]).encoding;
  const auto* out = encoding ? std::get_if<PerTensor>(&*encoding) : nullptr;
  LQ_ASSIGN_OR_RETURN(const std::optional<PerTensor> in, ResultEncoding(chain));
  if ((node.op != "Relu" && node.op != "Clip") || out == nullptr || !SameCodes(*in, *out)) return OkStatus();
  LQ_ASSIGN_OR_RETURN(const ClipBounds bounds, BoundsOf(graph_, node, constants_, options_));
  Chain behind, both = chain;
  ComposeClip(bounds.low, bounds.high, behind);
  ComposeClip(bounds.low, bounds.high, both);
  const std::vector<uint16_t> table = Table(*in, behind, *out);
  const kernels::QuantizeTo before = MakeQuantizeTo(*in, options_.profile, chain.clip_min, chain.clip_max);
  const kernels::QuantizeTo after = MakeQuantizeTo(*out, options_.profile, both.clip_min, both.clip_max);
  for (int32_t q = before.qmin; q <= before.qmax; ++q) {
    const int32_t apart = table[static_cast<size_t>(std::clamp(q, before.lo, before.hi))];
    if (apart != std::clamp(q, after.lo, after.hi)) return OkStatus();
  }
  chain.clip_min = both.clip_min;
  chain.clip_max = both.clip_max;
  chain.ops += "+" + node.op;
  chain.result = node.outputs[0];
  absorbed_[static_cast<size_t>(next)] = true;
  return OkStatus();
}

}  // namespace lq
