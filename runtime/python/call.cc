#include "runtime/python/call.h"

#include <map>
#include <mutex>
#include <string>

namespace lq::python {

std::string WithPythonsNames(std::string message) {
  for (const char* after : {":", " of shape", " of type", " has ", "'s type"}) {
    const std::string in = std::string("in") + after;
    for (size_t i = message.find(in); i != std::string::npos; i = message.find(in, i + 1)) {
      if (i == 0 || message[i - 1] == ' ') message.replace(i, 2, "x");
    }
  }
  if (message.ends_with(" of in")) message.replace(message.size() - 2, 2, "x");
  return message;
}

lq_executor* ExecutorFor(size_t threads) {
  static std::mutex& mutex = *new std::mutex;
  static auto& executors = *new std::map<size_t, lq_executor*>;
  if (threads == 1) return nullptr;
  lq_executor* executor = nullptr;
  Call([&](lq_message* message) -> lq_status {
    const std::lock_guard lock(mutex);
    lq_executor*& kept = executors[threads];
    const lq_status status = kept != nullptr ? LQ_OK : lq_executor_create(threads, &kept, message);
    executor = kept;
    return status;
  });
  return executor;
}

}  // namespace lq::python
