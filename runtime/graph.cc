#include "runtime/graph.h"

#include <fmt/format.h>

#include <utility>

namespace lq {
namespace {

template <class T>
T Get(const Node& node, const std::string& key, T fallback) {
  const auto found = node.attributes.find(key);
  if (found == node.attributes.end()) return fallback;
  const T* value = std::get_if<T>(&found->second);
  return value != nullptr ? *value : std::move(fallback);
}

}  // namespace

int64_t Node::Int(const std::string& key, int64_t fallback) const { return Get(*this, key, fallback); }

float Node::Float(const std::string& key, float fallback) const { return Get(*this, key, fallback); }

std::string Node::String(const std::string& key, const std::string& fallback) const {
  return Get(*this, key, fallback);
}

std::vector<int64_t> Node::Ints(const std::string& key, std::vector<int64_t> fallback) const {
  return Get(*this, key, std::move(fallback));
}

std::string Graph::Describe(const Node& node) const {
  const std::string op = node.domain.empty() ? node.op : node.domain + "." + node.op;
  if (node.outputs.empty() || node.outputs[0] == kAbsent) return fmt::format("{} '{}'", op, node.name);
  return fmt::format("{} '{}' of tensor '{}'", op, node.name, value(node.outputs[0]).name);
}

}  // namespace lq
