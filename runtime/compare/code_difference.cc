#include "runtime/compare/code_difference.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace lq {
namespace {

int64_t Distance(int32_t a, int32_t b) { return std::abs(int64_t{a} - int64_t{b}); }

}  // namespace

void CodeDifference::Add(std::span<const int32_t> a, std::span<const int32_t> b) {
  compared += a.size();
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    ++different;
    largest = std::max(largest, Distance(a[i], b[i]));
  }
}

void CodeDifference::Add(const CodeDifference& other) {
  compared += other.compared;
  different += other.different;
  largest = std::max(largest, other.largest);
}

void TieDistance::Add(const ObservedTensor& simulated, std::span<const int32_t> reference) {
  for (size_t i = 0; i < reference.size(); ++i) {
    const int64_t difference = Distance(simulated.codes[i], reference[i]);
    if (difference == 0) continue;
    const double from_tie = DistanceFromTie(simulated.t[i]);
    const double allowed = simulated.near_tie[i];
    // Written so that NaN counts as unexplained.
    if (difference > 1 || !(from_tie <= allowed)) ++unexplained;
    // Ratios compared by cross multiplication; the first one replaces the empty 0 / 0.
    if ((distance == 0 && allowance == 0) || from_tie * allowance > distance * allowed) {
      distance = from_tie;
      allowance = allowed;
    }
  }
}

double DistanceFromTie(double t) {
  const double magnitude = std::abs(t);
  return std::abs(magnitude - std::floor(magnitude) - 0.5);
}

}  // namespace lq
