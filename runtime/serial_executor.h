// The executor without threads: behind SerialExecutor(), and behind MakeTbbExecutor where there is nothing to share.
#ifndef LANEQUANT_RUNTIME_SERIAL_EXECUTOR_H_
#define LANEQUANT_RUNTIME_SERIAL_EXECUTOR_H_

#include <cstddef>

#include "lanequant/executor.h"

namespace lq {

class Serial final : public Executor {
 public:
  size_t workers() const override { return 1; }
  void ForEach(size_t n, TaskRef task) override {
    for (size_t i = 0; i < n; ++i) task(i, 0);
  }
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_SERIAL_EXECUTOR_H_
