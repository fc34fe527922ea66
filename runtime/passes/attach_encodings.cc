#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/passes/bias_codes.h"
#include "runtime/passes/block_order.h"
#include "runtime/passes/constant_uses.h"
#include "runtime/passes/dequantize.h"
#include "runtime/passes/entry_encoding.h"
#include "runtime/passes/passes.h"
#include "runtime/passes/weight_axes.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr int kMinBits = 2, kMaxActivationBits = 16, kMaxBiasBits = 8, kBiasBits = 32;

class Attacher {
 public:
  Attacher(const EncodingsFile& file, Graph& graph)
      : file_(file), graph_(graph), uses_(graph), has_alias_(graph.values.size()) {
    for (const Node& node : graph.nodes) {
      const bool reads = node.op == "Identity" && !node.inputs.empty() && node.inputs[0] != kAbsent;
      if (reads) has_alias_[static_cast<size_t>(node.inputs[0])] = true;
    }
    for (size_t i = 0; i < graph.values.size(); ++i) ids_.emplace(graph.values[i].name, static_cast<ValueId>(i));
  }

  // Another name of a bias, behind an Identity.
  bool IsBiasAlias(const EncodingEntry& entry) const {
    const auto found = ids_.find(entry.name);
    return found != ids_.end() && entry.bitwidth == kBiasBits && uses_.Source(found->second) != nullptr &&
           !graph_.value(found->second).constant.has_value();
  }

  Status Attach(const EncodingEntry& entry) {
    const auto found = ids_.find(entry.name);
    if (found == ids_.end()) {
      graph_.notes.push_back(fmt::format("The encoding of '{}' fits no tensor that an output depends on.", entry.name));
      return OkStatus();
    }
    LQ_RETURN_IF_ERROR(CheckKind(entry));
    Value& value = graph_.value(found->second);
    if (value.encoding.has_value()) {
      return InvalidArgument(
          fmt::format("tensor '{}': two encodings, {} and another", entry.name, Describe(*value.encoding)));
    }
    const Constant* constant = uses_.Source(found->second);
    if (constant != nullptr && entry.bitwidth == kBiasBits) return AttachBias(entry, found->second, *constant);
    LQ_ASSIGN_OR_RETURN(Encoding encoding,
                        constant != nullptr ? OfConstant(entry, found->second, *constant) : OfActivation(entry));
    // An activation's encoding is per tensor: its shape does not matter.
    const Shape shape = constant != nullptr ? constant->shape : Shape();
    LQ_RETURN_IF_ERROR(ValidateEncoding(fmt::format("tensor '{}'", entry.name), encoding, shape));
    if (entry.of_codes && IsOfLayers(found->second, *value.constant)) {
      value.constant->dtype = DType::kS8;
    } else if (entry.of_codes) {
      LQ_RETURN_IF_ERROR(Dequantize(entry.name, encoding, *value.constant));
    }
    value.encoding = std::move(encoding);
    return OkStatus();
  }

 private:
  // What no tensor may have yet.
  static Status CheckKind(const EncodingEntry& entry) {
    if (entry.is_float) {
      return Unsupported(
          fmt::format("tensor '{}': a float encoding of {} bits; supported: integers, floats of 16 and 32 bits",
                      entry.name, entry.bitwidth));
    }
    if (entry.zero_point_shift != 0) {
      return Unsupported(fmt::format("tensor '{}': zero_point_shift {} on {} bits; supported: 0", entry.name,
                                     entry.zero_point_shift, entry.bitwidth));
    }
    return OkStatus();
  }

  static Result<Encoding> OfActivation(const EncodingEntry& entry) {
    if (entry.bitwidth < kMinBits || entry.bitwidth > kMaxActivationBits) {
      return Unsupported(fmt::format("tensor '{}' is an activation of bitwidth {}; activations run in {} to {} bits",
                                     entry.name, entry.bitwidth, kMinBits, kMaxActivationBits));
    }
    if (entry.type != EncodingType::kPerTensor) {
      return Unsupported(fmt::format(
          "tensor '{}' is an activation with {} scales; activations have one for the whole tensor (PER_TENSOR)",
          entry.name, entry.scale.size()));
    }
    return ToEncoding(entry, {}, {});
  }

  Result<Encoding> OfConstant(const EncodingEntry& entry, ValueId id, const Constant& constant) const {
    if (constant.dtype != (entry.of_codes ? DType::kS64 : DType::kF32)) {
      return InvalidArgument(fmt::format("tensor '{}': an encoding of {} bits on integers of shape {}", entry.name,
                                         entry.bitwidth, constant.shape.ToString()));
    }
    LQ_ASSIGN_OR_RETURN(const ConstantRole role, FindConstantRole(graph_, uses_, id, constant.shape));
    if (role.is_bias && entry.bitwidth > kMaxBiasBits && !entry.of_codes) {
      return Unsupported(fmt::format("tensor '{}': a bias of {} bits; supported: 2 to {}, or no encoding (float)",
                                     entry.name, entry.bitwidth, kMaxBiasBits));
    }
    LQ_RETURN_IF_ERROR(CheckFlattenedBlocks(entry, constant.shape, role));
    LQ_ASSIGN_OR_RETURN(Encoding encoding, ToEncoding(entry, constant.shape, role));
    if (!entry.block_axis.has_value()) {
      LQ_RETURN_IF_ERROR(OrderBlocks(entry.name, constant, file_.producer, encoding));
    }
    return encoding;
  }

  // Whether these are codes that only layers read, as weights: they turn them into floats when they are packed.
  bool IsOfLayers(ValueId id, const Constant& codes) const {
    const std::vector<Use> uses = uses_.UsesOf(id);
    const bool bytes = codes.s64.type() == DType::kU8 || codes.s64.type() == DType::kS8;
    // Another name may be quantized again, which reads floats.
    return bytes && !has_alias_[static_cast<size_t>(id)] && !uses.empty() &&
           std::all_of(uses.begin(), uses.end(), [&](Use use) {
             const Node& node = graph_.nodes[use.node];
             const bool matrix = (node.op == "Gemm" || node.op == "MatMul") && codes.shape.rank() == 2;
             return use.input == 1 && node.domain.empty() &&
                    (matrix || node.op == "Conv" || node.op == "ConvTranspose");
           });
  }

  // Version 0.6.1 lists the scales of all blocks without saying that they are blocks.
  Status CheckFlattenedBlocks(const EncodingEntry& entry, const Shape& shape, const ConstantRole& role) const {
    if (file_.version != "0.6.1" || entry.type != EncodingType::kPerChannel || !role.axes.has_value())
      return OkStatus();
    const size_t channels = static_cast<size_t>(shape[role.axes->channel]);
    if (channels == 0 || entry.scale.size() == channels || entry.scale.size() % channels != 0) return OkStatus();
    return Unsupported(
        fmt::format("tensor '{}': {} scales for {} channels; version 0.6.1 does not say how blocks lie, "
                    "export the encodings as version 1.0.0 or later",
                    entry.name, entry.scale.size(), channels));
  }

  // A bias in 32-bit codes, as versions 2.x list it: from here on it is code * scale. A normalization's are floats.
  Status AttachBias(const EncodingEntry& entry, ValueId id, const Constant& bias) const {
    const auto read = entry.of_codes ? DequantizeBias : RoundBias;
    LQ_ASSIGN_OR_RETURN(Constant reals, read(entry, bias));
    const std::vector<Use> uses = uses_.UsesOf(id);
    if (std::any_of(uses.begin(), uses.end(),
                    [&](Use use) { return graph_.nodes[use.node].op.find("Normalization") != std::string::npos; })) {
      reals.dtype = DType::kF32;
      reals.f32.assign(reals.f64.begin(), reals.f64.end());
      reals.f64.clear();
      reals.step.clear();
    }
    graph_.value(id).constant = std::move(reals);
    return OkStatus();
  }

  const EncodingsFile& file_;
  Graph& graph_;
  const ConstantUses uses_;
  std::vector<bool> has_alias_;  // by value
  std::unordered_map<std::string_view, ValueId> ids_;
};

}  // namespace

Status AttachEncodings(const EncodingsFile& file, Graph& graph) {
  if (!file.producer.empty()) graph.encodings_producer = file.producer;
  Attacher attacher(file, graph);
  // Other names of a bias first: they round its floats, of which its own entry leaves none.
  std::vector<const EncodingEntry*> entries;
  for (const EncodingEntry& entry : file.entries) entries.push_back(&entry);
  std::stable_partition(entries.begin(), entries.end(),
                        [&](const EncodingEntry* entry) { return attacher.IsBiasAlias(*entry); });
  for (const EncodingEntry* entry : entries) LQ_RETURN_IF_ERROR(attacher.Attach(*entry));
  return OkStatus();
}

}  // namespace lq
