// Linear layers of AMD Quark's torch exports from C. Formats, and what is refused: lanequant/quark.h.
//
//   lq_quark_open -> for each layer lq_quark_load -> lq_quark_linear_look
#ifndef LANEQUANT_C_QUARK_H_
#define LANEQUANT_C_QUARK_H_

#include <stddef.h>
#include <stdint.h>

#include "lanequant/c_types.h"
#include "lanequant/export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lq_quark_model lq_quark_model;    // what config.json and the headers say; immutable
typedef struct lq_quark_linear lq_quark_linear;  // one layer's numbers; immutable

// folder: with config.json and *.safetensors. Errors name the file, and the tensor with its numbers.
LQ_EXPORT lq_status lq_quark_open(const char* folder, lq_quark_model** model, lq_message* message);
LQ_EXPORT void lq_quark_free(lq_quark_model* model);
LQ_EXPORT size_t lq_quark_layer_count(const lq_quark_model* model);  // 0 for null

// Strings live as long as the model.
typedef struct lq_quark_layer_info {
  size_t struct_size;
  const char* name;
  size_t in_features, out_features;
  const char* weight;  // the format in Quark's words: "int4, per group of 32"
  const char* input;   // of the activations; "": they stay floats
  const char* output;  // likewise
} lq_quark_layer_info;

// Errors: an index beyond the layers.
LQ_EXPORT lq_status lq_quark_layer(const lq_quark_model* model, size_t index, lq_quark_layer_info* info,
                                   lq_message* message);

// Reads and unpacks one layer, which outlives the model. Errors: an index beyond the layers, a file that was changed,
// numbers that no encoding can hold.
LQ_EXPORT lq_status lq_quark_load(const lq_quark_model* model, size_t index, lq_quark_linear** linear,
                                  lq_message* message);
LQ_EXPORT void lq_quark_linear_free(lq_quark_linear* linear);

// What a layer holds; the memory is the layer's.
typedef struct lq_quark_view {
  size_t struct_size;
  size_t in_features, out_features;
  const float* weight;  // [out_features][in_features], the values that Quark's simulation multiplies with
  const float* bias;    // [out_features]; null: none
  // weight = (q + offset) * scale, q of `bitwidth` bits; 0 for formats that lie on no grid of up to 8 bits (fp8,
  // fp6_e3m2, bfloat16, float16), without scales here.
  int32_t bitwidth;
  int32_t is_signed;          // 0 or 1
  size_t scale_count;         // 1, or that of [out_features][in_features / block_size]
  int64_t block_size;         // input features that share a scale: in_features but for groups
  const float* scale;         // [scale_count]
  const int32_t* offset;      // [scale_count], -zero_point
  lq_encoding input, output;  // of int8 and uint8 activations, calibrated
} lq_quark_view;

LQ_EXPORT lq_status lq_quark_linear_look(const lq_quark_linear* linear, lq_quark_view* view, lq_message* message);

#ifdef __cplusplus
}
#endif

#endif  // LANEQUANT_C_QUARK_H_
