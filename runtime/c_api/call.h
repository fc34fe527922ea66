// Call: the way out of every function of the C API. A Status becomes a code and a message; nothing is thrown further.
#ifndef LANEQUANT_RUNTIME_C_API_CALL_H_
#define LANEQUANT_RUNTIME_C_API_CALL_H_

#include "lanequant/c_types.h"
#include "lanequant/status.h"

namespace lq::c_api {

// Writes the sentence, cut to the caller's buffer, and returns the code.
lq_status Report(const Status& status, lq_message* message);
// As above, for a moment when there is no memory for a Status.
lq_status ReportNoMemory(lq_message* message);

// f() returns a Status. These files are compiled with exceptions for this catch: operator new throws, and so does
// oneTBB where the system gives it no thread; a C caller has nothing that could catch it.
template <class F>
lq_status Call(lq_message* message, const F& f) noexcept {
  try {
    return Report(f(), message);
  } catch (...) {
    return ReportNoMemory(message);
  }
}

}  // namespace lq::c_api

#endif  // LANEQUANT_RUNTIME_C_API_CALL_H_
