// From C's status codes to Python's ValueError, and threads for the bulk functions.
#ifndef LANEQUANT_RUNTIME_PYTHON_CALL_H_
#define LANEQUANT_RUNTIME_PYTHON_CALL_H_

#include <nanobind/nanobind.h>

#include <cstddef>
#include <string>

#include "lanequant/lanequant.h"

namespace lq::python {

// Becomes a ValueError.
inline nanobind::builtin_exception Error(const std::string& message) { return nanobind::value_error(message.c_str()); }

// C's `in` is Python's x: messages that speak of it as an argument name it so.
std::string WithPythonsNames(std::string message);

// call(lq_message*) runs without the GIL; a code other than LQ_OK throws its message.
template <class F>
void Call(const F& call) {
  char text[2048] = "";
  lq_message message{text, sizeof(text)};
  lq_status status;
  {
    const nanobind::gil_scoped_release release;
    status = call(&message);
  }
  if (status != LQ_OK) throw Error(WithPythonsNames(text));
}

// Executors are made once for each number of threads and never freed: threads may outlive the interpreter's modules.
// `threads` 0: as many as the process may use.
lq_executor* ExecutorFor(size_t threads);

inline lq_bulk_options BulkOptions(size_t threads) { return {sizeof(lq_bulk_options), ExecutorFor(threads), nullptr}; }

}  // namespace lq::python

#endif  // LANEQUANT_RUNTIME_PYTHON_CALL_H_
