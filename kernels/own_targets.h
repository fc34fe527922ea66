// Units that Highway 1.2 has no target for, and our names for them.
//
// AMX: matrix tiles (Sapphire Rapids and later); what is no tile is Highway's AVX3_DL. AVX2_VNNI: AVX2 with the 8-bit
// dot product (client CPUs since Alder Lake, which have no AVX-512).
#ifndef LANEQUANT_KERNELS_OWN_TARGETS_H_
#define LANEQUANT_KERNELS_OWN_TARGETS_H_

#include <cstdint>
#include <string>

namespace lq::kernels {

// Among Highway's bits, of which a smaller one is better.
constexpr int64_t kAmx = 0, kAvx2Vnni = (int64_t{1} << 9) - 1;

struct AmxState {
  bool cpu = false;      // has AMX-INT8
  bool enabled = false;  // the operating system saves the tiles
  int refusal = 0;       // errno of the request for permission; 0 where it was granted
};

// The first call asks the kernel for the permission to use tiles, for all threads of the process.
const AmxState& Amx();

// Why AMX cannot be used, "refused by the kernel (arch_prctl: ...)"; empty if it can.
std::string WhyNotAmx(const AmxState& state);

// The CPU has AVX-VNNI; whether it has AVX2 is not asked here.
bool HasAvxVnni();

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_OWN_TARGETS_H_
