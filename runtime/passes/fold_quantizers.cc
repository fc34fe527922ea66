// QDQ graphs: pairs of QuantizeLinear and DequantizeLinear become encodings of tensors, which is what an encodings file
// would have said. See passes.h.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "runtime/passes/aimet_quantizer.h"
#include "runtime/passes/constant_uses.h"
#include "runtime/passes/passes.h"
#include "runtime/passes/quantizer_node.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr size_t kNoIndex = static_cast<size_t>(-1);

class QuantizerFolder {
 public:
  explicit QuantizerFolder(Graph& graph)
      : graph_(graph),
        constants_(graph),
        uses_(graph.values.size()),
        producer_(graph.values.size(), kNoIndex),
        is_output_(graph.values.size()),
        alias_(graph.values.size()),
        entry_of_(graph.values.size(), kNoIndex) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      const Node& node = graph.nodes[i];
      for (size_t k = 0; k < node.inputs.size(); ++k) {
        if (node.inputs[k] != kAbsent) uses_[At(node.inputs[k])].push_back({i, k});
      }
      for (ValueId id : node.outputs) {
        if (id != kAbsent) producer_[At(id)] = i;
      }
    }
    for (ValueId id : graph.outputs) is_output_[At(id)] = true;
    for (size_t i = 0; i < alias_.size(); ++i) alias_[i] = static_cast<ValueId>(i);
  }

  Result<EncodingsFile> Fold() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      Node& node = graph_.nodes[i];
      if (IsQuantize(node)) {
        LQ_RETURN_IF_ERROR(CheckReaders(node));
      } else if (IsAimetQuantizer(node)) {
        LQ_RETURN_IF_ERROR(FoldPair(node, node));
      } else if (!IsDequantize(node)) {
        kept_.push_back(i);
      } else if (!MakesOnlyScales(node)) {
        LQ_RETURN_IF_ERROR(FoldDequantize(node));
      }
    }
    return Finish();
  }

 private:
  static size_t At(ValueId id) { return static_cast<size_t>(id); }

  const Node* Producer(ValueId id) const {
    const size_t node = id == kAbsent ? kNoIndex : producer_[At(id)];
    return node == kNoIndex ? nullptr : &graph_.nodes[node];
  }

  // A DequantizeLinear of which others take their scales. Its numbers are read there.
  bool MakesOnlyScales(const Node& node) const {
    if (node.outputs.empty() || node.outputs[0] == kAbsent) return false;
    const std::vector<Use>& uses = uses_[At(node.outputs[0])];
    return !uses.empty() && !is_output_[At(node.outputs[0])] && std::all_of(uses.begin(), uses.end(), [&](Use use) {
      const Node& reader = graph_.nodes[use.node];
      return use.input == 1 && (IsQuantize(reader) || IsDequantize(reader));
    });
  }

  Result<EncodingEntry> Read(const Node& node, DType codes) const {
    if (IsAimetQuantizer(node)) return ReadAimetQuantizer(graph_, node, constants_);
    const Node* maker = node.inputs.size() > 1 ? Producer(node.inputs[1]) : nullptr;
    return ReadQuantizer(graph_, node, maker != nullptr && IsDequantize(*maker) ? maker : nullptr, codes);
  }

  // Codes go nowhere but to DequantizeLinear.
  Status CheckReaders(const Node& node) const {
    if (node.outputs.size() != 1 || node.outputs[0] == kAbsent || node.inputs.empty() || node.inputs[0] == kAbsent) {
      return InvalidArgument(fmt::format("{}: {} inputs and {} outputs; it has 2 or 3 and 1", graph_.Describe(node),
                                         node.inputs.size(), node.outputs.size()));
    }
    if (is_output_[At(node.outputs[0])]) {
      return Unsupported(fmt::format("{}: its codes are a graph output; supported: DequantizeLinear behind it",
                                     graph_.Describe(node)));
    }
    for (const Use& use : uses_[At(node.outputs[0])]) {
      const Node& reader = graph_.nodes[use.node];
      if (use.input == 0 && IsDequantize(reader)) continue;
      return Unsupported(fmt::format("{}: its codes are read by {}; supported: DequantizeLinear", graph_.Describe(node),
                                     graph_.Describe(reader)));
    }
    return OkStatus();
  }

  Status FoldDequantize(const Node& node) {
    const ValueId codes = node.inputs.empty() ? kAbsent : node.inputs[0];
    if (codes == kAbsent || node.outputs.size() != 1 || node.outputs[0] == kAbsent) {
      return InvalidArgument(fmt::format("{}: {} inputs and {} outputs; it has 2 or 3 and 1", graph_.Describe(node),
                                         node.inputs.size(), node.outputs.size()));
    }
    if (graph_.value(codes).constant.has_value()) return FoldCodes(node);
    const Node* quantize = Producer(codes);
    if (quantize != nullptr && IsQuantize(*quantize)) return FoldPair(*quantize, node);
    return Unsupported(fmt::format("{}: its codes '{}' come from {}; supported: QuantizeLinear, constants",
                                   graph_.Describe(node), graph_.value(codes).name,
                                   quantize != nullptr ? graph_.Describe(*quantize) : "a graph input"));
  }

  // Integers of the file: the output becomes a constant that holds them.
  Status FoldCodes(const Node& node) {
    LQ_ASSIGN_OR_RETURN(EncodingEntry entry, Read(node, DType::kU8));
    std::optional<Constant>& codes = graph_.value(node.inputs[0]).constant;
    if (codes->dtype != DType::kS64) {
      return InvalidArgument(fmt::format("{}: its codes '{}' are {}, not integers", graph_.Describe(node),
                                         graph_.value(node.inputs[0]).name, NameOf(codes->dtype)));
    }
    const DType type = CodesOf(graph_, node).value_or(codes->file_type);
    if (codes->file_type != type) {  // they may lie beyond the grid
      return InvalidArgument(fmt::format("{}: its codes '{}' are {}, its zero points {}", graph_.Describe(node),
                                         graph_.value(node.inputs[0]).name, NameOf(codes->file_type), NameOf(type)));
    }
    entry.of_codes = true;
    Constant& out = graph_.value(node.outputs[0]).constant.emplace();
    if (uses_[At(node.inputs[0])].size() == 1 && !is_output_[At(node.inputs[0])]) {
      out = std::move(*codes);
      *codes = Constant{DType::kS64, Shape{0}, {}, {}};
    } else {
      out = *codes;
    }
    AddEntry(node.outputs[0], std::move(entry));
    return OkStatus();
  }

  Status FoldPair(const Node& quantize, const Node& dequantize) {
    LQ_ASSIGN_OR_RETURN(EncodingEntry entry, Read(quantize, DType::kU8));
    LQ_ASSIGN_OR_RETURN(const EncodingEntry back, Read(dequantize, CodesOf(graph_, quantize).value_or(DType::kU8)));
    if (entry != back) {
      return Unsupported(fmt::format("{} and {}: scales, zero points, axes or types differ; supported: equal ones",
                                     graph_.Describe(quantize), graph_.Describe(dequantize)));
    }
    const ValueId source = quantize.inputs[0], stands_for = alias_[At(source)], out = dequantize.outputs[0];
    if (stands_for == source && entry_of_[At(source)] == kNoIndex && HasOneQuantizer(source, entry)) {
      AddEntry(source, entry);
    }
    const bool encoded = entry_of_[At(stands_for)] != kNoIndex && entries_[entry_of_[At(stands_for)]].second == entry;
    if (encoded && (stands_for != source || HasOneQuantizer(source, entry))) {
      ReplaceBy(out, stands_for);
    } else {
      AddIdentity(stands_for, out, std::move(entry));
    }
    return OkStatus();
  }

  // Whether all that reads the value are quantizers that do the same: then it may be quantized where it is made.
  // `entry`: one of them.
  bool HasOneQuantizer(ValueId id, const EncodingEntry& entry) {
    if (is_output_[At(id)]) return false;
    const auto found = has_one_quantizer_.find(id);
    if (found != has_one_quantizer_.end()) return found->second;
    return has_one_quantizer_[id] = std::all_of(uses_[At(id)].begin(), uses_[At(id)].end(), [&](Use use) {
             const Node& reader = graph_.nodes[use.node];
             if (use.input != 0 || (!IsQuantize(reader) && !IsAimetQuantizer(reader))) return false;
             const Result<EncodingEntry> other = Read(reader, DType::kU8);
             return other.ok() && *other == entry;
           });
  }

  // Lets readers of `out` read `value`. A graph output keeps its name: an activation takes it over, where it can.
  void ReplaceBy(ValueId out, ValueId value) {
    if (!is_output_[At(out)]) {
      alias_[At(out)] = value;
      return;
    }
    const bool is_input = std::find(graph_.inputs.begin(), graph_.inputs.end(), value) != graph_.inputs.end();
    if (is_input || is_output_[At(value)] || graph_.value(value).constant.has_value()) {
      AddIdentity(value, out, std::nullopt);
      return;
    }
    graph_.value(value).name = graph_.value(out).name;
    graph_.value(value).shape = graph_.value(out).shape;
    graph_.value(out).name.clear();
    std::replace(graph_.outputs.begin(), graph_.outputs.end(), out, value);
    is_output_[At(value)] = true;
    alias_[At(out)] = value;
  }

  // One more quantizer of a value: a node of its own, whose output is encoded.
  void AddIdentity(ValueId in, ValueId out, std::optional<EncodingEntry> entry) {
    Node identity;
    identity.name = graph_.value(out).name;
    identity.op = "Identity";
    identity.inputs = {in};
    identity.outputs = {out};
    kept_.push_back(graph_.nodes.size() + added_.size());
    added_.push_back(std::move(identity));
    if (entry.has_value()) AddEntry(out, *std::move(entry));
  }

  void AddEntry(ValueId id, EncodingEntry entry) {
    entry_of_[At(id)] = entries_.size();
    entries_.emplace_back(id, std::move(entry));
  }

  EncodingsFile Finish() {
    std::vector<Node> nodes;
    for (size_t i : kept_) {
      nodes.push_back(std::move(i < graph_.nodes.size() ? graph_.nodes[i] : added_[i - graph_.nodes.size()]));
      for (ValueId& id : nodes.back().inputs) {
        if (id != kAbsent) id = alias_[At(id)];
      }
    }
    graph_.nodes = std::move(nodes);
    EncodingsFile file;
    for (auto& [id, entry] : entries_) {
      entry.name = graph_.value(id).name;
      file.entries.push_back(std::move(entry));
    }
    return file;
  }

  Graph& graph_;
  const ConstantUses constants_;
  std::vector<std::vector<Use>> uses_;  // by value, as the file has it
  std::vector<size_t> producer_;        // by value
  std::vector<bool> is_output_;         // by value
  std::vector<ValueId> alias_;          // by value: which one takes its place; itself if none does
  std::vector<size_t> entry_of_;        // by value: index in entries_
  std::vector<std::pair<ValueId, EncodingEntry>> entries_;
  std::vector<size_t> kept_;  // nodes of the new graph in order: of the old one, and beyond it those of added_
  std::vector<Node> added_;
  std::map<ValueId, bool> has_one_quantizer_;  // of values that were asked for
};

}  // namespace

Result<EncodingsFile> FoldQuantizers(Graph& graph) { return QuantizerFolder(graph).Fold(); }

}  // namespace lq
