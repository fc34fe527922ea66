#include "lanequant/c_types.h"
#include "lanequant/executor.h"
#include "lanequant/tensor.h"
#include "runtime/c_api/arguments.h"
#include "runtime/c_api/call.h"
#include "runtime/status_macros.h"

using namespace lq;         // NOLINT(google-build-using-namespace): these functions are lq's, in C's only namespace
using namespace lq::c_api;  // NOLINT(google-build-using-namespace)

const char* lq_version(void) { return LQ_VERSION; }

size_t lq_tensor_bytes(lq_dtype dtype, int32_t rank, const int64_t* dims) {
  if (dtype < LQ_F32 || dtype > LQ_U6 || rank < 0 || rank > LQ_MAX_RANK || (rank > 0 && dims == nullptr)) return 0;
  const int64_t elements = Shape(std::span<const int64_t>(dims, static_cast<size_t>(rank))).NumElements();
  if (elements < 0 || elements > INT64_MAX / 8) return 0;
  return BytesOf(static_cast<DType>(dtype), elements);
}

lq_status lq_executor_create(size_t threads, lq_executor** executor, lq_message* message) {
  return Call(message, [&]() -> Status {
    LQ_RETURN_IF_ERROR(CheckPointer("executor", executor));
    *executor = new lq_executor{MakeTbbExecutor(threads)};
    return OkStatus();
  });
}

size_t lq_executor_threads(const lq_executor* executor) {
  return executor != nullptr ? executor->executor->workers() : 1;
}

void lq_executor_free(lq_executor* executor) { delete executor; }
