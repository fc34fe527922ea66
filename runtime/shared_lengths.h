// Dynamic dimensions of graph inputs to which the file gives one name: they are one length.
#ifndef LANEQUANT_RUNTIME_SHARED_LENGTHS_H_
#define LANEQUANT_RUNTIME_SHARED_LENGTHS_H_

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "lanequant/status.h"
#include "runtime/graph.h"

namespace lq {

// False for what some tools call all dimensions.
bool IsLengthName(const std::string& symbol);

// A dimension, and the first one of the same name.
struct SharedLength {
  struct Place {
    size_t input, axis;
    std::string input_name;
  };
  std::string name;
  Place place, first;
};

std::vector<SharedLength> SharedLengthsOf(const Graph& graph);

// Error: lengths of one name that differ. `inputs` have the ranks that the file declares.
Status CheckSharedLengths(std::span<const SharedLength> lengths, std::span<const Shape> inputs);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_SHARED_LENGTHS_H_
