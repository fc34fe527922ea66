// What tests of the C API share: a message buffer, tensors, and the check of an error's code and sentence.
#ifndef LANEQUANT_TESTS_SUPPORT_C_API_H_
#define LANEQUANT_TESTS_SUPPORT_C_API_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <type_traits>

#include "lanequant/lanequant.h"

namespace lq::testing {

// Memory for a message, filled with a text that no function writes.
class Message {
 public:
  Message() { std::strcpy(text_, "untouched"); }
  operator lq_message*() { return &message_; }  // NOLINT(google-explicit-constructor)
  std::string text() const { return text_; }

 private:
  char text_[512];
  lq_message message_{text_, sizeof(text_)};
};

template <class T, size_t kExtent>
lq_tensor Tensor(lq_dtype dtype, std::initializer_list<int64_t> dims, std::span<T, kExtent> values) {
  using Bare = std::remove_const_t<T>;
  lq_tensor tensor{const_cast<Bare*>(values.data()), values.size_bytes(), dtype, static_cast<int32_t>(dims.size()), {}};
  std::copy(dims.begin(), dims.end(), tensor.dims);
  return tensor;
}

// call(message) is one call of the API.
template <class F>
void ExpectOk(const F& call) {
  Message message;
  EXPECT_EQ(call(message), LQ_OK) << message.text();
  EXPECT_EQ(message.text(), "");
}

template <class F>
void ExpectFails(const F& call, lq_status code, std::initializer_list<const char*> parts) {
  Message message;
  EXPECT_EQ(call(message), code) << message.text();
  for (const char* part : parts) {
    EXPECT_NE(message.text().find(part), std::string::npos) << "'" << part << "' is not in: " << message.text();
  }
  EXPECT_EQ(call(static_cast<lq_message*>(nullptr)), code);
}

struct Free {
  void operator()(lq_executor* p) const { lq_executor_free(p); }
  void operator()(lq_model* p) const { lq_model_free(p); }
  void operator()(lq_quark_model* p) const { lq_quark_free(p); }
  void operator()(lq_quark_linear* p) const { lq_quark_linear_free(p); }
  void operator()(lq_session* p) const { lq_session_free(p); }
  void operator()(lq_workspace* p) const { lq_workspace_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_C_API_H_
