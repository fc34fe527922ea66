// From the structs of the C API to the types of the C++ one, with the checks that only C needs: null pointers, enum
// values, ranks, alignment, sizes of structs. Everything else is checked by the function that is called.
#ifndef LANEQUANT_RUNTIME_C_API_ARGUMENTS_H_
#define LANEQUANT_RUNTIME_C_API_ARGUMENTS_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include "lanequant/c_quantize.h"
#include "lanequant/c_types.h"
#include "lanequant/encoding.h"
#include "lanequant/executor.h"
#include "lanequant/quantize.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"

struct lq_executor {
  std::unique_ptr<lq::Executor> executor;
};

namespace lq::c_api {

Status CheckPointer(const char* name, const void* pointer);

// `known`: bytes of the struct in this version. Errors: smaller; larger with bytes that are not 0.
Status CheckStructSize(const char* name, const void* given, size_t known);

// The options, or the defaults (all 0) for null. T begins with struct_size.
template <class T>
Result<T> ReadOptions(const char* name, const T* given) {
  T options{};
  if (given == nullptr) return options;
  if (Status status = CheckStructSize(name, given, sizeof(T)); !status.ok()) return status;
  std::memcpy(&options, given, sizeof(T));
  return options;
}

// As above, for structs that must be there.
template <class T>
Result<T> ReadStruct(const char* name, const T* given) {
  if (Status status = CheckPointer(name, given); !status.ok()) return status;
  return ReadOptions(name, given);
}

// Error messages call the tensor `name`.
Result<TensorView> ReadTensor(const char* name, const lq_tensor* tensor);

// The same, but null is a view without bytes, which a tensor may not be.
Result<TensorView> ReadOptionalTensor(const char* name, const lq_tensor* tensor);

// At most LQ_MAX_RANK of them: there is one for each dimension.
Result<std::span<const int64_t>> ReadSizes(const char* name, const lq_sizes& sizes);

// `count` names: 0..count-1. A value outside is an error that says so.
Status CheckEnum(const char* name, int32_t value, int32_t count);

Result<RoundingProfile> ReadProfile(int32_t profile);

Result<BulkOptions> ReadBulkOptions(const lq_bulk_options* options);

// Null: the environment's, as in C++.
std::string ReadMaxIsa(const char* max_isa);

inline lq_encoding ToC(const PerTensor& encoding) {
  return {encoding.grid.bitwidth, encoding.grid.is_signed ? 1 : 0, encoding.scale, encoding.offset};
}

inline Executor& ReadExecutor(lq_executor* executor) {
  return executor != nullptr ? *executor->executor : SerialExecutor();
}

}  // namespace lq::c_api

#endif  // LANEQUANT_RUNTIME_C_API_ARGUMENTS_H_
