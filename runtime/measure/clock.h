// Times of repeated runs by the steady clock.
#ifndef LANEQUANT_RUNTIME_MEASURE_CLOCK_H_
#define LANEQUANT_RUNTIME_MEASURE_CLOCK_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace lq::measure {

inline double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// What body() takes, in seconds.
template <class Body>
double Seconds(const Body& body) {
  const double start = Now();
  body();
  return Now() - start;
}

// Seconds of one of `passes` runs that follow one another.
template <class Body>
double Average(size_t passes, const Body& body) {
  const double start = Now();
  for (size_t i = 0; i < passes; ++i) body();
  return (Now() - start) / static_cast<double>(passes);
}

// After one run that does not count: the seconds of as many as `seconds` hold, at least 11, the fastest first.
template <class Body>
std::vector<double> TimeRuns(double seconds, const Body& body) {
  constexpr size_t kLeastRuns = 11;
  body();
  std::vector<double> times;
  for (const double end = Now() + seconds; times.size() < kLeastRuns || Now() < end;) times.push_back(Seconds(body));
  std::sort(times.begin(), times.end());
  return times;
}

}  // namespace lq::measure

#endif  // LANEQUANT_RUNTIME_MEASURE_CLOCK_H_
