// One output of a weighted layer exactly as exact_simulator.md 4 and 2 write it. The kernels call this for the few
// lanes that their fast way cannot decide, and where speed does not matter.
#ifndef LANEQUANT_KERNELS_EPILOGUE_H_
#define LANEQUANT_KERNELS_EPILOGUE_H_

#include <cstddef>
#include <cstdint>

#include "kernels/contracts.h"

namespace lq::kernels {

// double(dot + start), rounded once, and what its row's scale multiplies the channel's by.
struct Accumulator {
  double acc;
  double row_scale = 1.0;
};

// The real value before the clip.
double RealOutput(Accumulator sum, size_t channel, const Epilogue& epilogue);

// The code of a real value, lo..hi.
int32_t CodeOf(double y, const QuantizeTo& to);

// Writes element `index` of `out`.
void StoreOutput(Accumulator sum, size_t channel, const Epilogue& epilogue, OutputType type, void* out, size_t index);

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_EPILOGUE_H_
