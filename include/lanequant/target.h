// Targets: the instruction sets that kernels are compiled for, named as Highway names them ("AVX3_DL", "AVX2", ...).
#ifndef LANEQUANT_TARGET_H_
#define LANEQUANT_TARGET_H_

#include <string>
#include <vector>

#include "lanequant/export.h"
#include "lanequant/status.h"

namespace lq {

struct TargetInfo {
  std::string name;
  bool supported = false;  // by this CPU
};

// All compiled targets, best first.
LQ_EXPORT std::vector<TargetInfo> CompiledTargets();

// Checks a name (any case) for PrepareOptions::max_isa; an unknown one gets a message that lists the known ones.
LQ_EXPORT Status ValidateTarget(const std::string& name);

// The environment variable LQ_MAX_ISA, else "": the default of PrepareOptions::max_isa.
LQ_EXPORT std::string DefaultMaxIsa();

}  // namespace lq

#endif  // LANEQUANT_TARGET_H_
