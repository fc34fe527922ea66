// A folder with an AIMET export and what AIMET's own simulation of it gave (tests/golden/README.md), and its comparison
// with our simulator.
#ifndef LANEQUANT_TESTS_SUPPORT_GOLDEN_BUNDLE_H_
#define LANEQUANT_TESTS_SUPPORT_GOLDEN_BUNDLE_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "lanequant/model.h"
#include "lanequant/status.h"
#include "runtime/io/npz.h"
#include "runtime/simulator/simulator.h"

namespace lq::testing {

using Arrays = std::map<std::string, NamedArray>;  // by tensor name

Result<Arrays> ReadArrays(const std::string& path);

struct Bundle {
  std::string path;
  Model model;
  Arrays data;  // "input", "label", "output"
};
Result<Bundle> LoadBundle(const std::string& path);

// The codes that stand for reference values (float or double): rint(value / scale) - offset.
std::vector<int32_t> CodesOf(const NamedArray& values, const PerTensor& encoding);

struct Comparison {
  Status status;
  size_t tensors = 0, codes = 0;
  size_t differing = 0;
  size_t unexplained = 0;             // differing by more than 1, or farther from a tie than near_tie (record only)
  std::string where;                  // the tensors that differ, with counts
  std::vector<std::string> not_seen;  // reference tensors that the simulator did not show
};

enum class Feed {
  kCumulative,  // every layer takes what the simulator computed
  kIsolated,    // every layer takes the reference's own codes
};

// Runs the first inputs of the bundle, as many as `layers` holds, and compares every tensor of `layers` code by code.
Comparison Compare(const Bundle& bundle, const Arrays& layers, Feed feed, const SimulatorOptions& options);

// How many labelled inputs have their largest output (the first of equal ones) at the label.
Result<size_t> CountCorrect(const Bundle& bundle, const SimulatorOptions& options);

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_GOLDEN_BUNDLE_H_
