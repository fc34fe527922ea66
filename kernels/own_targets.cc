#include "kernels/own_targets.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#endif
#include <cstring>

namespace lq::kernels {
namespace {

#if defined(__x86_64__)
struct Cpuid {
  Cpuid(unsigned leaf, unsigned subleaf) {
    if (__get_cpuid_count(leaf, subleaf, &eax, &ebx, &ecx, &edx) == 0) eax = ebx = ecx = edx = 0;
  }
  unsigned eax, ebx, ecx, edx;
};

bool CpuHasAmxInt8() {
  const unsigned tile = 1u << 24, int8 = 1u << 25;
  if ((Cpuid(7, 0).edx & (tile | int8)) != (tile | int8) || Cpuid(0, 0).eax < 0x1D) return false;
  const Cpuid palette(0x1D, 1);  // of the one there is: 64 bytes a row, 8 registers, 16 rows
  return palette.ebx == (8u << 16 | 64) && (palette.ecx & 0xFFFF) == 16;
}

// Bits 17 and 18 of XCR0.
bool SystemSavesTiles() {
  if ((Cpuid(1, 0).ecx & 1u << 27) == 0) return false;  // OSXSAVE
  unsigned low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low >> 17 & 3) == 3;
}

// Fails in a thread group with an alternative signal stack too small for the tiles, and where a sandbox says so.
int RequestTiles() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0 ? 0 : errno;
}

AmxState ProbeAmx() {
  AmxState state = {CpuHasAmxInt8(), false, 0};
  state.enabled = state.cpu && SystemSavesTiles();
  if (state.enabled) state.refusal = RequestTiles();
  return state;
}

#else

AmxState ProbeAmx() { return {}; }

#endif

}  // namespace

const AmxState& Amx() {
  static const AmxState state = ProbeAmx();
  return state;
}

std::string WhyNotAmx(const AmxState& state) {
  if (!state.cpu) return "not supported by this CPU";
  if (!state.enabled) return "not enabled by the operating system";
  if (state.refusal != 0)
    return std::string("refused by the kernel (arch_prctl: ") + std::strerror(state.refusal) + ")";
  return "";
}

bool HasAvxVnni() {
#if defined(__x86_64__)
  return Cpuid(7, 0).eax >= 1 && (Cpuid(7, 1).eax & 1u << 4) != 0;
#else
  return false;
#endif
}

}  // namespace lq::kernels
