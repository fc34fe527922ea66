// How the codes of two runs differ, and whether float32 noise of one of them explains it (exact_simulator.md 8).
#ifndef LANEQUANT_RUNTIME_COMPARE_CODE_DIFFERENCE_H_
#define LANEQUANT_RUNTIME_COMPARE_CODE_DIFFERENCE_H_

#include <cstdint>
#include <span>

#include "runtime/observer.h"

namespace lq {

struct CodeDifference {
  uint64_t compared = 0, different = 0;
  int64_t largest = 0;  // |difference|

  void Add(std::span<const int32_t> a, std::span<const int32_t> b);
  void Add(const CodeDifference& other);
};

// The differing codes of an isolated comparison, seen from the exact simulator.
struct TieDistance {
  // |difference| > 1, or farther from the tie between the two than float32 may be off
  uint64_t unexplained = 0;
  // Of the differing code that used most of its allowance, in codes; 0 and 0 where none differs.
  double distance = 0, allowance = 0;

  // `simulated` was recorded (t, near_tie); `reference` holds as many codes.
  void Add(const ObservedTensor& simulated, std::span<const int32_t> reference);
};

// Of the codes that differ from the simulator's, those that no value within `error` * magnitude of its value rounds to.
// `simulated` was recorded.
uint64_t CountBeyond(const ObservedTensor& simulated, std::span<const int32_t> codes, double error);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_COMPARE_CODE_DIFFERENCE_H_
