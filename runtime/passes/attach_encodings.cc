#include <fmt/format.h>

#include <string_view>
#include <unordered_map>
#include <utility>

#include "runtime/passes/block_order.h"
#include "runtime/passes/constant_uses.h"
#include "runtime/passes/entry_encoding.h"
#include "runtime/passes/passes.h"
#include "runtime/passes/weight_axes.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr int kMinBits = 2, kMaxActivationBits = 16, kMaxBiasBits = 8;

class Attacher {
 public:
  Attacher(const EncodingsFile& file, Graph& graph) : file_(file), graph_(graph), uses_(graph) {
    for (size_t i = 0; i < graph.values.size(); ++i) ids_.emplace(graph.values[i].name, static_cast<ValueId>(i));
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
    LQ_ASSIGN_OR_RETURN(Encoding encoding,
                        constant != nullptr ? OfConstant(entry, found->second, *constant) : OfActivation(entry));
    // An activation's encoding is per tensor: its shape does not matter.
    const Shape shape = constant != nullptr ? constant->shape : Shape();
    LQ_RETURN_IF_ERROR(ValidateEncoding(fmt::format("tensor '{}'", entry.name), encoding, shape));
    value.encoding = std::move(encoding);
    return OkStatus();
  }

 private:
  // What no tensor may have yet.
  static Status CheckKind(const EncodingEntry& entry) {
    if (entry.is_float) {
      return Unsupported(fmt::format("tensor '{}': a float encoding of {} bits; supported: integer encodings",
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
    return ToEncoding(entry, {});
  }

  Result<Encoding> OfConstant(const EncodingEntry& entry, ValueId id, const Constant& constant) const {
    if (constant.dtype != DType::kF32) {
      return InvalidArgument(fmt::format("tensor '{}': an encoding of {} bits on integers of shape {}", entry.name,
                                         entry.bitwidth, constant.shape.ToString()));
    }
    LQ_ASSIGN_OR_RETURN(const ConstantRole role, FindConstantRole(graph_, uses_, id, constant.shape));
    if (role.is_bias && entry.bitwidth > kMaxBiasBits) {
      return Unsupported(fmt::format("tensor '{}': a bias of {} bits; supported: 2 to {}, or no encoding (float)",
                                     entry.name, entry.bitwidth, kMaxBiasBits));
    }
    LQ_ASSIGN_OR_RETURN(Encoding encoding, ToEncoding(entry, role));
    LQ_RETURN_IF_ERROR(OrderBlocks(entry.name, constant, file_.producer, encoding));
    return encoding;
  }

  const EncodingsFile& file_;
  Graph& graph_;
  const ConstantUses uses_;
  std::unordered_map<std::string_view, ValueId> ids_;
};

}  // namespace

Status AttachEncodings(const EncodingsFile& file, Graph& graph) {
  graph.encodings_producer = file.producer;
  Attacher attacher(file, graph);
  for (const EncodingEntry& entry : file.activations) LQ_RETURN_IF_ERROR(attacher.Attach(entry));
  for (const EncodingEntry& entry : file.params) LQ_RETURN_IF_ERROR(attacher.Attach(entry));
  return OkStatus();
}

}  // namespace lq
