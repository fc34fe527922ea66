/* The C API from C11, as a user writes it: c_api_program MODEL.onnx MODEL.encodings prints one row's outputs. Compiled
 * with -std=c11 -pedantic -Werror. */
#include <stdio.h>
#include <stdlib.h>

#include "lanequant/lanequant.h"

static char text[512];
static lq_message message = {text, sizeof text};

static lq_tensor f32_tensor(const lq_tensor_info* info) {
  lq_tensor tensor = {NULL, 0, LQ_F32, info->rank, {0}};
  for (int32_t i = 0; i < info->rank; ++i) tensor.dims[i] = info->dims[i];
  tensor.bytes = lq_tensor_bytes(tensor.dtype, tensor.rank, tensor.dims);
  tensor.data = calloc(1, tensor.bytes);
  return tensor;
}

/* One row of zeros. */
static lq_status run(const lq_session* session, lq_workspace* workspace) {
  lq_tensor_info in = {.struct_size = sizeof in}, out = {.struct_size = sizeof out};
  lq_status status = lq_session_input(session, 0, 1, &in, &message);
  if (status == LQ_OK) status = lq_session_output(session, 0, 1, &out, &message);
  if (status != LQ_OK) return status;
  lq_tensor x = f32_tensor(&in), y = f32_tensor(&out);
  const lq_run what = {.struct_size = sizeof what,
                       .inputs = &x,
                       .input_count = 1,
                       .outputs = &y,
                       .output_count = 1,
                       .workspace = workspace};
  status = lq_session_run(session, &what, &message);
  const float* values = y.data;
  for (size_t i = 0; status == LQ_OK && i < y.bytes / sizeof *values; ++i) printf("%g\n", values[i]);
  free(x.data);
  free(y.data);
  return status;
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  lq_model* model = NULL;
  lq_session* session = NULL;
  lq_workspace* workspace = NULL;
  lq_status status = lq_model_load(argv[1], argv[2], &model, &message);
  if (status == LQ_OK) status = lq_session_prepare(model, NULL, &session, &message);
  if (status == LQ_OK) status = lq_workspace_create(session, 1, 1, &workspace, &message);
  if (status == LQ_OK) status = run(session, workspace);
  if (status != LQ_OK) fprintf(stderr, "%s\n", text);
  lq_workspace_free(workspace);
  lq_session_free(session);
  lq_model_free(model);
  return status;
}
