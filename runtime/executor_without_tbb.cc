// MakeTbbExecutor of a library that was built without oneTBB.
#include "lanequant/executor.h"
#include "runtime/serial_executor.h"
#include "runtime/versions.h"

namespace lq {

std::unique_ptr<Executor> MakeTbbExecutor(size_t) { return std::make_unique<Serial>(); }

std::string TbbVersion() { return "none"; }

}  // namespace lq
