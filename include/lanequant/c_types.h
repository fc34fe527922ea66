// What all functions of the C API share: status codes, messages, tensors, threads. C11 and C++.
//
// Every function that can fail returns an lq_status and takes an lq_message last (null: only the code is wanted).
// Nothing is kept between calls, so any number of threads may call at once. A function that fails has written nothing
// but its message. Nothing throws, aborts or prints.
//
// Structs of options begin with struct_size, which the caller sets to sizeof. A program that was compiled with a newer
// header may pass a larger struct: it is accepted while what this library does not know is 0. Structs that a function
// fills in, and that may grow, do the same.
#ifndef LANEQUANT_C_TYPES_H_
#define LANEQUANT_C_TYPES_H_

#include <stddef.h>
#include <stdint.h>

#include "lanequant/export.h"

#ifdef __cplusplus
extern "C" {
#endif

// As lq::StatusCode.
typedef int32_t lq_status;
enum {
  LQ_OK = 0,
  LQ_INVALID_ARGUMENT = 1,  // the caller's or the file's numbers contradict each other; also: no memory
  LQ_UNSUPPORTED = 2,       // legal input that this version does not run; the message says what is supported
  LQ_NOT_FOUND = 3,         // a file, tensor or target that does not exist
  LQ_IO = 4                 // the operating system refused a read or a write
};

// The caller's buffer for one sentence that names the argument and the numbers; "" after success. It is cut to what
// fits and ends with a NUL. 512 bytes hold nearly every message.
typedef struct lq_message {
  char* text;
  size_t bytes;
} lq_message;

// As lq::DType. The 6-, 4- and 2-bit types are packed over the whole row-major tensor, first element in the low bits.
typedef int32_t lq_dtype;
enum {
  LQ_F32 = 0,
  LQ_F64 = 1,
  LQ_U8 = 2,
  LQ_S8 = 3,
  LQ_U16 = 4,
  LQ_S16 = 5,
  LQ_S32 = 6,
  LQ_S64 = 7,
  LQ_F16 = 8,
  LQ_BF16 = 9,
  LQ_U4 = 10,
  LQ_S4 = 11,
  LQ_U2 = 12,
  LQ_S2 = 13,
  LQ_U6 = 14
};

#define LQ_MAX_RANK 8

// The caller's memory with a type and a shape: dense, row-major. `data` is aligned to its elements. Through a
// `const lq_tensor*` named as an input it is only read.
typedef struct lq_tensor {
  void* data;
  size_t bytes;  // at `data`; at least what dtype and dims need
  lq_dtype dtype;
  int32_t rank;  // 0 (a scalar) to LQ_MAX_RANK
  int64_t dims[LQ_MAX_RANK];
} lq_tensor;

// One scale for a whole tensor: real = (q + offset) * scale, where q has `bitwidth` bits and offset is -zero_point.
typedef struct lq_encoding {
  int32_t bitwidth;   // 0: the tensor has no encoding
  int32_t is_signed;  // 0 or 1
  float scale;
  int32_t offset;
} lq_encoding;

// A list of whole numbers.
typedef struct lq_sizes {
  const int64_t* values;
  size_t count;
} lq_sizes;

// Bytes that a tensor of this type and shape needs; 0 where the type, the rank or a dimension is none or the product
// overflows, and for a shape without elements.
LQ_EXPORT size_t lq_tensor_bytes(lq_dtype dtype, int32_t rank, const int64_t* dims);

// "0.1.0"
LQ_EXPORT const char* lq_version(void);

// Threads that functions may use; null wherever one is taken: the caller's thread alone. Results never depend on it.
// Several threads may use one executor at once.
typedef struct lq_executor lq_executor;

// threads 0: as many as the process may use (CPU affinity, cgroup quota); at most 1024.
LQ_EXPORT lq_status lq_executor_create(size_t threads, lq_executor** executor, lq_message* message);
LQ_EXPORT size_t lq_executor_threads(const lq_executor* executor);  // 1 for null
LQ_EXPORT void lq_executor_free(lq_executor* executor);             // null is allowed, as in every _free

#ifdef __cplusplus
}
#endif

#endif  // LANEQUANT_C_TYPES_H_
