#include "runtime/python/call.h"

#include <map>
#include <mutex>

namespace lq::python {

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
