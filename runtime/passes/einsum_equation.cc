#include "runtime/passes/einsum_equation.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr std::string_view kEllipsis = "...", kArrow = "->";

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsOfEllipsis(char label) { return !IsLetter(label); }

// '2', '1', '0' for three dimensions.
std::string EllipsisLabels(size_t count) {
  std::string labels;
  for (size_t i = count; i > 0; --i) labels += static_cast<char>('0' + i - 1);
  return labels;
}

// The labels of one operand or of the result, of which an ellipsis stands for the dimensions that `ellipsis` names.
Result<std::string> ParseTerm(const std::string& owner, std::string_view text, const std::string& ellipsis) {
  std::string labels;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsLetter(text[i])) {
      labels += text[i];
    } else if (text.substr(i, kEllipsis.size()) == kEllipsis) {
      labels += ellipsis;
      i += kEllipsis.size() - 1;
    } else {
      return InvalidArgument(fmt::format("{}: '{}' is no term of an equation: letters and one '...'", owner, text));
    }
  }
  if (std::set<char>(labels.begin(), labels.end()).size() == labels.size()) return labels;
  return Unsupported(
      fmt::format("{}: term '{}' has a label twice; supported: each label once (no diagonals)", owner, text));
}

Result<std::string> ParseOperand(const std::string& owner, std::string_view text, std::optional<size_t> rank) {
  const bool has_ellipsis = text.find(kEllipsis) != std::string_view::npos;
  if (has_ellipsis && text.find(kEllipsis) != text.rfind(kEllipsis)) {
    return InvalidArgument(fmt::format("{}: term '{}' has more than one '...'", owner, text));
  }
  const size_t own = text.size() - (has_ellipsis ? kEllipsis.size() : 0);
  if (rank.has_value() && (has_ellipsis ? *rank < own : *rank != own)) {
    return InvalidArgument(fmt::format("{}: term '{}' for an operand of {} dimensions", owner, text, *rank));
  }
  if (has_ellipsis && !rank.has_value()) {
    return Unsupported(
        fmt::format("{}: term '{}' for an operand of unknown shape; supported: without '...'", owner, text));
  }
  return ParseTerm(owner, text, has_ellipsis ? EllipsisLabels(*rank - own) : "");
}

std::string ImplicitOutput(const std::vector<std::string>& operands, const std::string& ellipsis) {
  std::map<char, int> counts;
  for (const std::string& labels : operands) {
    for (char label : labels) ++counts[label];
  }
  std::string output = ellipsis;
  for (const auto& [label, count] : counts) {
    if (count == 1 && IsLetter(label)) output += label;
  }
  return output;
}

}  // namespace

Result<EinsumEquation> ParseEinsum(const std::string& owner, const std::string& text,
                                   std::span<const std::optional<size_t>> ranks) {
  std::string packed;
  std::copy_if(text.begin(), text.end(), std::back_inserter(packed), [](char c) { return c != ' '; });
  const size_t arrow = packed.find(kArrow);
  const std::string_view left = std::string_view(packed).substr(0, arrow);
  const auto terms = static_cast<size_t>(std::count(left.begin(), left.end(), ',')) + 1;
  if (terms != ranks.size()) {
    return InvalidArgument(
        fmt::format("{}: equation '{}' is of {} operands, not of {}", owner, text.substr(0, 64), terms, ranks.size()));
  }
  EinsumEquation equation;
  std::string ellipsis;
  size_t begin = 0;
  for (const std::optional<size_t>& rank : ranks) {
    const std::string_view term = left.substr(begin, left.find(',', begin) - begin);
    LQ_ASSIGN_OR_RETURN(std::string labels, ParseOperand(owner, term, rank));
    const auto own = static_cast<size_t>(std::count_if(labels.begin(), labels.end(), IsOfEllipsis));
    ellipsis = EllipsisLabels(std::max(own, ellipsis.size()));
    equation.operands.push_back(std::move(labels));
    begin += term.size() + 1;
  }
  if (arrow == std::string::npos) {
    equation.output = ImplicitOutput(equation.operands, ellipsis);
    return equation;
  }
  const std::string_view right = std::string_view(packed).substr(arrow + kArrow.size());
  LQ_ASSIGN_OR_RETURN(equation.output, ParseTerm(owner, right, ellipsis));
  const auto is_known = [&equation](char label) {
    return std::any_of(equation.operands.begin(), equation.operands.end(),
                       [label](const std::string& labels) { return labels.find(label) != std::string::npos; });
  };
  const auto has = [&equation](char label) { return equation.output.find(label) != std::string::npos; };
  if (std::all_of(equation.output.begin(), equation.output.end(), is_known) &&
      std::all_of(ellipsis.begin(), ellipsis.end(), has)) {
    return equation;
  }
  return InvalidArgument(
      fmt::format("{}: the result '{}' of equation '{}' has labels of no operand, or lacks the '...'", owner, right,
                  text.substr(0, 64)));
}

Dims EinsumDims(const EinsumEquation& equation, std::span<const Dims> operands) {
  Dims out;
  for (char label : equation.output) {
    Dim dim{1};
    for (size_t i = 0; i < operands.size(); ++i) {
      const size_t at = equation.operands[i].find(label);
      if (at != std::string::npos && dim == Dim{1}) dim = operands[i][at];
    }
    out.push_back(dim);
  }
  return out;
}

}  // namespace lq
