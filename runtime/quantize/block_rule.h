// Block formats as numbers, for the kernel that rounds to them.
#ifndef LANEQUANT_RUNTIME_QUANTIZE_BLOCK_RULE_H_
#define LANEQUANT_RUNTIME_QUANTIZE_BLOCK_RULE_H_

#include "kernels/contracts_float.h"
#include "lanequant/block_quantize.h"
#include "lanequant/float_quantize.h"
#include "lanequant/status.h"

namespace lq {

// Of elements that are floats.
FloatFormat FormatOf(BlockElement element);

// Error: a field outside its range; names it and the number.
Status CheckBlockFormat(const BlockFormat& format);

// Of a checked format. It points to tables that live as long as the program.
kernels::BlockRule BlockRuleOf(const BlockFormat& format);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUANTIZE_BLOCK_RULE_H_
