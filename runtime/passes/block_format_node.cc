#include "runtime/passes/block_format_node.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "runtime/axis.h"

namespace lq {
namespace {

constexpr TieRounding kRoundings[] = {TieRounding::kAway, TieRounding::kUp, TieRounding::kEven};  // rounding_mode

constexpr std::pair<const char*, BlockElement> kElements[] = {
    {"fp4_e2m1", BlockElement::kE2M1}, {"fp6_e2m3", BlockElement::kE2M3}, {"fp6_e3m2", BlockElement::kE3M2},
    {"fp8_e4m3", BlockElement::kE4M3}, {"fp8_e5m2", BlockElement::kE5M2}, {"int8", BlockElement::kInteger}};

Result<BlockFormat> ReadMx(const std::string& owner, const Node& node, TieRounding ties) {
  const std::string type = node.String("element_dtype", "int8");
  for (const auto& [name, element] : kElements) {
    if (type != name) continue;
    BlockFormat format = OnnxMx(element, ties);
    format.block_size = node.Int("block_size", 32);
    return format;
  }
  return Unsupported(
      fmt::format("{}: element_dtype '{}'; supported: fp4_e2m1, fp6_e2m3, fp6_e3m2, fp8_e4m3, fp8_e5m2, "
                  "int8",
                  owner, type));
}

Result<BlockFormat> ReadBfp(const std::string& owner, const Node& node, TieRounding ties) {
  const std::string method = node.String("bfp_method", "to_bfp");
  const int64_t bits = node.Int("bit_width", 16);
  const bool compiler = node.Int("use_compiler_version_cpu_kernel", 0) != 0;
  if ((method != "to_bfp" && method != "to_bfp_prime") || bits < 10 || bits > 23 ||
      (compiler && (method != "to_bfp" || bits != 16))) {
    return Unsupported(
        fmt::format("{}: bfp_method '{}' of bit_width {}{}; supported: to_bfp, to_bfp_prime of 10 to 23 "
                    "bits, the compiler's version of to_bfp with 16",
                    owner, method, bits, compiler ? ", the compiler's version" : ""));
  }
  const int width = static_cast<int>(bits);
  const bool prime = method == "to_bfp_prime";
  BlockFormat format = prime ? OnnxBfpPrime(width, ties) : compiler ? OnnxCompilerBfp(ties) : OnnxBfp(width, ties);
  format.block_size = node.Int("block_size", 8);
  if (prime) {
    format.sub_block_size = node.Int("sub_block_size", 2);
    format.sub_block_shift_bits = static_cast<int>(node.Int("sub_block_shift_bits", 1));
  }
  format.rounds_to_bfloat16_first = node.Int("convert_to_bfloat_before_bfp", 0) != 0;
  return format;
}

}  // namespace

bool IsBlockFormat(const Node& node) {
  const bool known = node.domain.empty() || node.domain == "com.amd.quark";
  return known && (node.op == "BFPQuantizeDequantize" || node.op == "MXQuantizeDequantize");
}

Result<BlockFormat> ReadBlockFormat(const Graph& graph, const Node& node) {
  const std::string owner = graph.Describe(node);
  const int64_t rounding = node.Int("rounding_mode", 0), size = node.Int("block_size", 8);
  const int64_t shift = node.Int("sub_block_shift_bits", 1);
  if (rounding < 0 || rounding >= static_cast<int64_t>(std::size(kRoundings)) || size < 1 || shift < 0 || shift > 4) {
    return Unsupported(
        fmt::format("{}: rounding_mode {}, block_size {}, sub_block_shift_bits {}; supported: 0 to 2, 1 "
                    "on, 0 to 4",
                    owner, rounding, size, shift));
  }
  const TieRounding ties = kRoundings[rounding];
  return node.op == "MXQuantizeDequantize" ? ReadMx(owner, node, ties) : ReadBfp(owner, node, ties);
}

Result<size_t> BlockAxis(const Graph& graph, const Node& node, size_t rank) {
  if (rank <= 1) return size_t{0};
  const int64_t axis = node.Int("axis", 1);
  if (const std::optional<size_t> at = FindAxis(axis, rank)) return *at;
  return InvalidArgument(fmt::format("{}: axis {}, but there are {} dimensions", graph.Describe(node), axis, rank));
}

}  // namespace lq
