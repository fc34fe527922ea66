#include "runtime/compare/code_difference.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace lq {
namespace {

int64_t Distance(int32_t a, int32_t b) { return std::abs(int64_t{a} - int64_t{b}); }

// How far t lies from what rounds to `code`, which is not the code that t was rounded to. A tie may have gone either
// way.
double DistanceTo(int32_t code, double t, int32_t rounded) {
  const double above = t - std::nearbyint(t);  // -0.5 to 0.5
  const double off = std::abs(above);
  const bool is_toward = off == 0.5 || (code > rounded) == (above > 0);
  return static_cast<double>(Distance(code, rounded)) - 0.5 - (is_toward ? off : -off);
}

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
    const double from_tie = DistanceTo(reference[i], simulated.t[i], simulated.codes[i]);
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

uint64_t CountBeyond(const ObservedTensor& simulated, std::span<const int32_t> codes, double error) {
  uint64_t beyond = 0;
  for (size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] == simulated.codes[i]) continue;
    const double to_code = DistanceTo(codes[i], simulated.t[i], simulated.codes[i]);
    // near_tie is what 8 * 2^-24 of the magnitude makes, in codes. Written so that NaN counts.
    if (error == 0 || !(to_code <= simulated.near_tie[i] * (error / 0x1p-21))) ++beyond;
  }
  return beyond;
}

}  // namespace lq
