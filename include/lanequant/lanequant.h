// The whole C API, for C11 and C++.
#ifndef LANEQUANT_LANEQUANT_H_
#define LANEQUANT_LANEQUANT_H_

#include "lanequant/c_calibrate.h"
#include "lanequant/c_float_quantize.h"
#include "lanequant/c_lpbq.h"
#include "lanequant/c_model.h"
#include "lanequant/c_quantize.h"
#include "lanequant/c_quark.h"
#include "lanequant/c_types.h"

#endif  // LANEQUANT_LANEQUANT_H_
