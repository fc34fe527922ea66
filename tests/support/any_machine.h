// AnyMachine: a target and an executor for each random case.
#ifndef LANEQUANT_TESTS_SUPPORT_ANY_MACHINE_H_
#define LANEQUANT_TESTS_SUPPORT_ANY_MACHINE_H_

#include <array>
#include <string>
#include <vector>

#include "lanequant/executor.h"
#include "lanequant/target.h"
#include "tests/support/executors.h"
#include "tests/support/random.h"

namespace lq::testing {

class AnyMachine {
 public:
  // A cap: any target that is compiled in, whether this CPU has it or not.
  std::string Target(Random& random) const { return targets_[random.Size(0, targets_.size() - 1)].name; }
  // 1, 2, 7 workers, or tasks in the wrong order.
  Executor& Workers(Random& random) { return *executors_[random.Size(0, executors_.size() - 1)]; }

 private:
  ThreadExecutor two_{2}, seven_{7};
  ReverseExecutor reversed_{3};
  const std::array<Executor*, 4> executors_{&SerialExecutor(), &two_, &seven_, &reversed_};
  const std::vector<TargetInfo> targets_ = CompiledTargets();
};

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_ANY_MACHINE_H_
