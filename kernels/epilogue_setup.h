// Prepares the fast ways to a code: Epilogue::fast_mul, fast_add, window and fast; real_mul and real_add. Runs once,
// when a layer is prepared.
#ifndef LANEQUANT_KERNELS_EPILOGUE_SETUP_H_
#define LANEQUANT_KERNELS_EPILOGUE_SETUP_H_

#include <cstddef>

#include "kernels/contracts.h"

namespace lq::kernels {

// Reads scale, bias, the bn arrays and `to` of *epilogue for `channels` channels; fills fast_mul and fast_add, which
// have room for the next multiple of 64 channels, and makes *epilogue point to them.
void SetUpFastEpilogue(size_t channels, float* fast_mul, float* fast_add, Epilogue* epilogue);

// The same for real_mul and real_add.
void SetUpRealEpilogue(size_t channels, double* real_mul, double* real_add, Epilogue* epilogue);

}  // namespace lq::kernels

#endif  // LANEQUANT_KERNELS_EPILOGUE_SETUP_H_
