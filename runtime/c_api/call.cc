#include "runtime/c_api/call.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace lq::c_api {
namespace {

lq_status Write(StatusCode code, std::string_view text, lq_message* message) {
  if (message != nullptr && message->text != nullptr && message->bytes != 0) {
    const size_t length = std::min(text.size(), message->bytes - 1);
    std::memcpy(message->text, text.data(), length);
    message->text[length] = '\0';
  }
  return static_cast<lq_status>(code);
}

}  // namespace

lq_status Report(const Status& status, lq_message* message) { return Write(status.code(), status.message(), message); }

lq_status ReportNoMemory(lq_message* message) {
  return Write(StatusCode::kInvalidArgument, "there is not enough memory, or there are no threads, for these arguments",
               message);
}

}  // namespace lq::c_api
