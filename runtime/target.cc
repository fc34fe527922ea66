#include "lanequant/target.h"

#include <fmt/format.h>

#include <cctype>
#include <cstdlib>

#include "kernels/own_targets.h"
#include "kernels/targets.h"
#include "runtime/variants.h"

namespace lq {
namespace {

bool SameTargetName(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::toupper(static_cast<unsigned char>(a[i])) != std::toupper(static_cast<unsigned char>(b[i]))) return false;
  }
  return true;
}

}  // namespace

std::vector<TargetInfo> CompiledTargets() {
  std::vector<TargetInfo> targets;
  for (const kernels::Target& target : kernels::Targets()) {
    if (!target.is_cap) targets.push_back({target.name, target.supported});
  }
  return targets;
}

std::optional<int64_t> TargetBit(std::string_view name) {
  if (name.empty() || SameTargetName(name, "AMX")) return 0;
  for (const kernels::Target& target : kernels::Targets()) {
    if (SameTargetName(name, target.name)) return target.bit;
  }
  return std::nullopt;
}

Status ValidateTarget(const std::string& name) {
  if (TargetBit(name).has_value()) return OkStatus();
  std::string known = "AMX";
  for (const kernels::Target& target : kernels::Targets()) {
    if (target.bit != kernels::kAmx) known += std::string(", ") + target.name;
  }
  return NotFound(fmt::format("target '{}' is not compiled in; there are {}", name, known));
}

std::string DefaultMaxIsa() {
  const char* isa = std::getenv("LQ_MAX_ISA");
  return isa != nullptr ? isa : "";
}

}  // namespace lq
