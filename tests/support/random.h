// Seeded random cases. LQ_SEED replaces the seed; a failing test prints it. LQ_SOAK multiplies the number of cases.
#ifndef LANEQUANT_TESTS_SUPPORT_RANDOM_H_
#define LANEQUANT_TESTS_SUPPORT_RANDOM_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>

namespace lq::testing {

inline uint64_t Seed() {
  const char* seed = std::getenv("LQ_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 10) : 20261121;
}

// `cases`, times the environment's LQ_SOAK (cmake/run soak sets it to 100).
inline size_t Cases(size_t cases) {
  const char* soak = std::getenv("LQ_SOAK");
  return cases * (soak != nullptr ? std::strtoull(soak, nullptr, 10) : 1);
}

class Random {
 public:
  explicit Random(uint64_t stream) : engine_(Seed() * 1000003 + stream) {}

  int64_t Int(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(engine_); }
  size_t Size(size_t low, size_t high) {
    return static_cast<size_t>(Int(static_cast<int64_t>(low), static_cast<int64_t>(high)));
  }
  // Log-uniform in low..high: small sizes and tails come up as often as large ones.
  size_t LogSize(size_t low, size_t high) {
    const double x = Real(std::log(static_cast<double>(low)), std::log(static_cast<double>(high) + 1));
    const size_t size = static_cast<size_t>(std::exp(x));
    return size < low ? low : size > high ? high : size;
  }
  double Real(double low, double high) { return std::uniform_real_distribution<double>(low, high)(engine_); }
  float Float(float low, float high) { return static_cast<float>(Real(low, high)); }
  bool Chance(double p) { return Real(0, 1) < p; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_RANDOM_H_
