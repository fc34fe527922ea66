// One call of a bulk affine quantizer, checked and ready to run.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_AFFINE_SETUP_H_
#define LANEQUANT_RUNTIME_QUANTIZE_AFFINE_SETUP_H_

#include <cstdint>
#include <vector>

#include "kernels/contracts_quantize.h"
#include "lanequant/executor.h"
#include "lanequant/quantize.h"
#include "lanequant/status.h"
#include "runtime/quantize/affine_table.h"
#include "runtime/quantize/scale_map.h"

namespace lq {

enum class AffineOp { kQuantize, kDequantize, kQuantizeDequantize };

// The two tensors of a call; one is called "codes" in Quantize and Dequantize.
struct AffineTensors {
  AffineOp op;
  ConstTensorView in, out;
};

// The profile whose formula the tool uses: kAimetFakequant becomes kAimetDiv where AIMET divides.
RoundingProfile FormulaOf(const AffineQuantizer& quantizer);

struct AffineSetup {
  RoundingProfile profile;  // FormulaOf the quantizer
  kernels::Arithmetic arithmetic;
  ScaleMap map;
  AffineTable table;
  std::vector<int32_t> zeros;  // offsets of a piece where the table has none
  bool stream;                 // kernel argument

  kernels::AffineLayout Layout(const ScalePiece& piece) const {
    const int32_t* offset = table.offset() != nullptr ? table.offset() + piece.first : zeros.data();
    return {table.scale() + piece.first, offset, piece.count, piece.run};
  }
};

// Checks every argument, scales and offsets on the executor's workers. No output has been touched when it returns.
Result<AffineSetup> MakeAffineSetup(const AffineTensors& tensors, const AffineQuantizer& quantizer, Executor& executor);

// Of checked types.
kernels::FloatType FloatTypeOf(DType dtype);
kernels::CodeType CodeTypeOf(DType dtype);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_AFFINE_SETUP_H_
