// MakeTbbExecutor of a library that was built without oneTBB.
#include "lanequant/executor.h"
#include "runtime/serial_executor.h"

namespace lq {

std::unique_ptr<Executor> MakeTbbExecutor(size_t) { return std::make_unique<Serial>(); }

}  // namespace lq
