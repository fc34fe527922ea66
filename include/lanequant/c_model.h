// Networks from C: load, prepare, run. The C++ side, with more words: lanequant/model.h.
//
//   lq_model_load -> lq_session_prepare -> lq_workspace_create -> lq_session_run, as often as wanted
#ifndef LANEQUANT_C_MODEL_H_
#define LANEQUANT_C_MODEL_H_

#include <stddef.h>
#include <stdint.h>

#include "lanequant/c_types.h"
#include "lanequant/export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lq_model lq_model;          // what the files say; immutable
typedef struct lq_session lq_session;      // packed weights, chosen kernels; immutable, any number of threads at once
typedef struct lq_workspace lq_workspace;  // the memory of one run at a time

// A network exported by AIMET: the ONNX file and its encodings. encodings_path: null or "" for a file that holds them
// itself (QuantizeLinear and DequantizeLinear of AIMET, ONNX Runtime or Quark, and what lq::Model::Load names besides).
// Errors name the file, and the node or tensor with its numbers.
LQ_EXPORT lq_status lq_model_load(const char* onnx_path, const char* encodings_path, lq_model** model,
                                  lq_message* message);
LQ_EXPORT void lq_model_free(lq_model* model);

// As lq::BiasMode.
enum {
  LQ_BIAS_FLOAT = 0,  // what AIMET simulates
  LQ_BIAS_INT32 = 1   // what most devices compute
};

typedef struct lq_session_options {
  size_t struct_size;
  const char* max_isa;       // best target that may be used, "AVX2"; null: the environment's LQ_MAX_ISA, else any
  int32_t rounding_profile;  // LQ_AIMET_DIV, ...: lanequant/c_quantize.h
  int32_t bias;              // LQ_BIAS_FLOAT, LQ_BIAS_INT32
} lq_session_options;

// options: null for all fields 0. The model may be freed afterwards.
LQ_EXPORT lq_status lq_session_prepare(const lq_model* model, const lq_session_options* options, lq_session** session,
                                       lq_message* message);
LQ_EXPORT void lq_session_free(lq_session* session);

// An input or output of the network in the ONNX layout (NCHW). The name lives as long as the session.
typedef struct lq_tensor_info {
  size_t struct_size;
  const char* name;
  int32_t rank;
  int64_t dims[LQ_MAX_RANK];
  lq_encoding encoding;  // with one it may cross as codes: u8 or s8 up to 8 bits, u16 or s16 above
} lq_tensor_info;

LQ_EXPORT size_t lq_session_input_count(const lq_session* session);
LQ_EXPORT size_t lq_session_output_count(const lq_session* session);

// `batch` replaces a dynamic batch in dims. With batch -1 it stays negative: -n is n times the batch (n is 1 but for
// networks that fold other dimensions into it). Errors: an index beyond the count; a batch of 0 or below -1.
LQ_EXPORT lq_status lq_session_input(const lq_session* session, size_t index, int64_t batch, lq_tensor_info* info,
                                     lq_message* message);
LQ_EXPORT lq_status lq_session_output(const lq_session* session, size_t index, int64_t batch, lq_tensor_info* info,
                                      lq_message* message);

// For runs with this batch, on executors of up to `threads` threads. Errors: a batch that the network does not take;
// one that needs more than half of the machine's memory.
LQ_EXPORT lq_status lq_workspace_create(const lq_session* session, int64_t batch, size_t threads,
                                        lq_workspace** workspace, lq_message* message);

typedef struct lq_shape {
  int32_t rank;  // 0 (a scalar) to LQ_MAX_RANK
  int64_t dims[LQ_MAX_RANK];
} lq_shape;

// The same for inputs of these shapes, `count` of them in the order of lq_session_input: where other dimensions than
// the batch are dynamic, as the lengths of a sequence and of its cache. Errors: shapes that do not fit.
LQ_EXPORT lq_status lq_workspace_create_shaped(const lq_session* session, const lq_shape* input_shapes, size_t count,
                                               size_t threads, lq_workspace** workspace, lq_message* message);
// The shape of output `index` of its runs. Errors: an index beyond the outputs.
LQ_EXPORT lq_status lq_workspace_output_shape(const lq_workspace* workspace, size_t index, lq_shape* shape,
                                              lq_message* message);
LQ_EXPORT size_t lq_workspace_bytes(const lq_workspace* workspace);
LQ_EXPORT void lq_workspace_free(lq_workspace* workspace);

typedef struct lq_run {
  size_t struct_size;
  const lq_tensor* inputs;  // in the order of lq_session_input, each f32, or codes of its encoding if it has one
  size_t input_count;
  const lq_tensor* outputs;  // in the order of lq_session_output, likewise; their data is written
  size_t output_count;
  lq_workspace* workspace;  // of this session, used by no other run now
  lq_executor* executor;    // null: the caller's thread
} lq_run;

// Allocates nothing. Errors: number of tensors, shapes, types, sizes; a workspace of another session or fewer threads.
LQ_EXPORT lq_status lq_session_run(const lq_session* session, const lq_run* run, lq_message* message);

#ifdef __cplusplus
}
#endif

#endif  // LANEQUANT_C_MODEL_H_
