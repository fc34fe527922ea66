// What holds for every call of the C API, whatever its arguments.
#ifndef LANEQUANT_TESTS_FUZZ_CHECK_H_
#define LANEQUANT_TESTS_FUZZ_CHECK_H_

#include <cstdlib>
#include <cstring>

#include "tests/fuzz/arguments.h"

namespace lq::fuzz {

constexpr unsigned char kFill = 0xA5;  // of outputs before the call

// call(message): a message exactly where it fails, which ends within its buffer; what `out` holds is unchanged then.
template <class F>
bool Check(const F& call, const Array* out) {
  char text[300];
  std::strcpy(text, "untouched");
  lq_message message{text, sizeof(text)};
  const lq_status status = call(&message);
  if (status < LQ_OK || status > LQ_IO) std::abort();
  if (std::memchr(text, 0, sizeof(text)) == nullptr) std::abort();
  if ((status == LQ_OK) != (text[0] == '\0')) std::abort();
  if (status != LQ_OK && out != nullptr && !out->IsFilledWith(kFill)) std::abort();
  return status == LQ_OK;
}

}  // namespace lq::fuzz

#endif  // LANEQUANT_TESTS_FUZZ_CHECK_H_
