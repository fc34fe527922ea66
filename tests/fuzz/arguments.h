// Random arguments of the C API: descriptors that mostly fit each other, and now and then do not. Whatever they say,
// the memory behind a tensor is `bytes` long, so that the address sanitizer sees every byte too many.
#ifndef LANEQUANT_TESTS_FUZZ_ARGUMENTS_H_
#define LANEQUANT_TESTS_FUZZ_ARGUMENTS_H_

#include <fuzzer/FuzzedDataProvider.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <vector>

#include "lanequant/lanequant.h"

namespace lq::fuzz {

using Dims = std::vector<int64_t>;

// A tensor with memory of its own.
struct Array {
  lq_tensor tensor{};
  std::unique_ptr<unsigned char[]> memory;

  bool IsFilledWith(unsigned char byte) const;
};

class Arguments {
 public:
  Arguments(const uint8_t* data, size_t size) : data_(data, size) {}

  int64_t Int(int64_t low, int64_t high) { return data_.ConsumeIntegralInRange<int64_t>(low, high); }
  // A value of low..high, or once in 32 any other.
  int32_t Enum(int32_t low, int32_t high);
  bool OneIn(int n) { return Int(1, n) == n; }
  float Float();

  Dims Shape();               // of at most some thousand elements; once in 32 of any numbers
  Dims Divisor(const Dims&);  // a scale's shape for a tensor's
  Dims Blocks(const Dims& shape, const Dims& scale);

  // Contents from the input, or `fill` everywhere. Now and then another type or a few bytes less.
  Array Input(const Dims& shape, std::initializer_list<lq_dtype> dtypes);
  Array Output(const Dims& shape, std::initializer_list<lq_dtype> dtypes, unsigned char fill);
  // Mostly positive numbers, as scales are.
  Array Scales(const Dims& shape, std::initializer_list<lq_dtype> dtypes);

  template <class T>
  size_t StructSize() {
    return OneIn(32) ? static_cast<size_t>(Int(0, sizeof(T))) : sizeof(T);
  }

 private:
  Array Make(const Dims& shape, std::initializer_list<lq_dtype> dtypes);

  FuzzedDataProvider data_;
};

inline lq_sizes ToC(const Dims& dims) { return {dims.data(), dims.size()}; }

}  // namespace lq::fuzz

#endif  // LANEQUANT_TESTS_FUZZ_ARGUMENTS_H_
