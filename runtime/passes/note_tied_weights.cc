// Tied embeddings of which an export lost the floats. See passes.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "kernels/reference/reference.h"
#include "runtime/passes/passes.h"

namespace lq {
namespace {

constexpr int64_t kMostRows = 64;  // looked at: an embedding may have 300 million elements

// The first words of a vocabulary: [words][features], with the encoding that a reader rounds them by.
struct Words {
  ValueId id;
  Shape shape;
  std::vector<float> values;
  std::optional<Encoding> encoding;
};

// The encoding of the first `words` channels of `axis`, as that of a matrix with channels in front; none where it has
// other channels.
std::optional<Encoding> OfFirst(int64_t words, size_t axis, int64_t features, Encoding encoding) {
  const auto count = static_cast<size_t>(words);
  if (auto* channels = std::get_if<PerChannel>(&encoding)) {
    if (channels->axis != axis) return std::nullopt;
    channels->axis = 0;
    channels->scale.resize(count);
    channels->offset.resize(count);
  } else if (auto* blocks = std::get_if<PerBlock>(&encoding)) {
    if (blocks->channel_axis != axis) return std::nullopt;
    std::tie(blocks->channel_axis, blocks->block_axis) = std::pair<size_t, size_t>(0, 1);
    blocks->scale.resize(count * static_cast<size_t>(features / blocks->block_size));
    blocks->offset.resize(blocks->scale.size());
  } else if (auto* grouped = std::get_if<Lpbq>(&encoding)) {
    if (grouped->channel_axis != axis) return std::nullopt;
    std::tie(grouped->channel_axis, grouped->block_axis) = std::pair<size_t, size_t>(0, 1);
    grouped->channel_scale.resize(count);
    grouped->per_block_int_scale.resize(count * static_cast<size_t>(features / grouped->block_size));
  }
  return encoding;
}

// `axis`: of the words, in a matrix of floats; none for another constant.
std::optional<Words> FirstWords(const Graph& graph, ValueId id, size_t axis) {
  if (id == kAbsent || !graph.value(id).constant.has_value()) return std::nullopt;
  const Constant& matrix = *graph.value(id).constant;
  if (matrix.dtype != DType::kF32 || matrix.shape.rank() != 2 || matrix.shape.NumElements() == 0) return std::nullopt;
  const std::optional<Encoding>& encoding = graph.value(id).encoding;
  if (encoding.has_value() && !ValidateEncoding("", *encoding, matrix.shape).ok()) return std::nullopt;
  const int64_t words = std::min(matrix.shape[axis], kMostRows), features = matrix.shape[1 - axis];
  Words result{id, Shape{words, features}, {}, std::nullopt};
  for (int64_t word = 0; word < words; ++word) {
    for (int64_t feature = 0; feature < features; ++feature) {
      const int64_t element = axis == 0 ? word * features + feature : feature * matrix.shape[1] + word;
      result.values.push_back(matrix.f32[static_cast<size_t>(element)]);
    }
  }
  if (!encoding.has_value()) return result;
  result.encoding = OfFirst(words, axis, features, *encoding);
  return result.encoding.has_value() ? std::optional(std::move(result)) : std::nullopt;
}

// Whether the quantizer leaves all of them as they are, but for a float32 rounding: it made them.
bool IsOnGrid(const Words& words) {
  constexpr double kRounding = 1e-6;
  if (!words.encoding.has_value()) return false;
  const std::vector<double> rounded =
      reference::RoundToGrid(words.values, words.shape, *words.encoding, RoundingProfile::kAimetDiv);
  return std::equal(rounded.begin(), rounded.end(), words.values.begin(),
                    [](double a, float b) { return std::abs(a - b) <= kRounding * std::abs(a); });
}

std::optional<Words> HeadOf(const Graph& graph, const Node& node) {
  const bool is_layer = node.domain.empty() && node.inputs.size() > 1 && (node.op == "MatMul" || node.op == "Gemm");
  if (!is_layer) return std::nullopt;
  return FirstWords(graph, node.inputs[1], node.op == "Gemm" && node.Int("transB", 0) != 0 ? 0 : 1);
}

}  // namespace

void NoteTiedWeights(Graph& graph) {
  std::vector<Words> embeddings;
  std::set<ValueId> tables, heads;
  for (const Node& node : graph.nodes) {
    if (node.op != "Gather" || !node.domain.empty() || node.inputs.empty() || node.Int("axis", 0) != 0) continue;
    if (!tables.insert(node.inputs[0]).second) continue;
    std::optional<Words> words = FirstWords(graph, node.inputs[0], 0);
    if (words.has_value()) embeddings.push_back(*std::move(words));
  }
  if (embeddings.empty()) return;
  for (const Node& node : graph.nodes) {
    if (node.inputs.size() < 2 || heads.count(node.inputs[1]) != 0) continue;
    const std::optional<Words> head = HeadOf(graph, node);
    if (!head.has_value()) continue;
    heads.insert(head->id);
    for (const Words& embedding : embeddings) {
      if (head->id == embedding.id || head->values != embedding.values) continue;
      const bool embedding_made_them = IsOnGrid(embedding), head_made_them = IsOnGrid(*head);
      if (embedding_made_them == head_made_them) continue;
      const std::string &lost = graph.value(embedding_made_them ? head->id : embedding.id).name,
                        &kept = graph.value(embedding_made_them ? embedding.id : head->id).name;
      graph.notes.push_back(
          fmt::format("'{}' and '{}' are one tied matrix, of which the export holds only what the quantizer of '{}' "
                      "made; AIMET rounds the matrix itself for '{}', so what reads that may differ from AIMET.",
                      lost, kept, kept, lost));
    }
  }
}

}  // namespace lq
