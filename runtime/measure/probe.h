// What the machine can do, measured in the same run as the kernels: the limits that their figures are divided by.
#ifndef LANEQUANT_RUNTIME_MEASURE_PROBE_H_
#define LANEQUANT_RUNTIME_MEASURE_PROBE_H_

#include <cstddef>

#include "lanequant/executor.h"

namespace lq {

// Rates are those of all workers of the executor together, the best of a few passes.

// Bytes per second read from a buffer, each worker a part of it.
double ReadBandwidth(const void* data, size_t bytes, Executor& executor = SerialExecutor());

// One pass over memory that moves what a kernel moves and computes nothing: reads in_bytes, writes out_bytes in step,
// around the caches where `nontemporal`, each worker a part. Of the two sizes one divides the other; both are multiples
// of 64 bytes, the buffers 64-byte aligned. Without AVX-512 it stands in with memcpy of the smaller size.
void Stream(const void* in, size_t in_bytes, void* out, size_t out_bytes, bool nontemporal,
            Executor& executor = SerialExecutor());

// Operations per second (a multiplication and an addition are two) of independent integer dot products in registers.
// 8-bit operands in matrix tiles (AMX). 0 where the CPU has none or the system does not let us.
double TilePeak(Executor& executor = SerialExecutor());
// 8-bit operands: the widest vpdpbusd that the CPU has. 0 where it has none.
double DotPeak(Executor& executor = SerialExecutor());
// 16-bit operands: vpmaddwd of 256 bits, 128 without AVX2. Away from x86 a plain loop.
double MultiplyAddPeak(Executor& executor = SerialExecutor());
// binary32, multiply and add in one instruction: the widest vfmadd231ps that the CPU has. 0 where it has none.
double FloatPeak(Executor& executor = SerialExecutor());

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_MEASURE_PROBE_H_
