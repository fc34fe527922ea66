// ReferenceLayers: the activations that another simulator (AIMET) computed, as codes of this network's encodings.
#ifndef LANEQUANT_RUNTIME_COMPARE_REFERENCE_LAYERS_H_
#define LANEQUANT_RUNTIME_COMPARE_REFERENCE_LAYERS_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "lanequant/status.h"
#include "runtime/compare/rows.h"
#include "runtime/graph.h"
#include "runtime/io/npz.h"

namespace lq {

class ReferenceLayers {
 public:
  // Arrays by ONNX tensor name; their leading dimension counts rows. Integers are codes, floats values. Arrays that are
  // no encoded activation become notes. An array with another leading dimension (recurrent networks have the steps of
  // time in front) is compared where all rows run at once. Errors: codes outside the grid, values off it ("the
  // encodings do not match the layers"), none that matches.
  static Result<ReferenceLayers> Make(const Graph& graph, std::span<const NamedArray> arrays);

  int64_t rows() const { return rows_; }
  size_t size() const { return layers_.size(); }
  std::vector<ValueId> Ids() const;
  bool Has(ValueId id) const { return layers_.count(id) != 0; }
  // Whether a layer that it has is compared only where all rows run at once.
  bool IsWhole(ValueId id) const { return layers_.at(id).rows != rows_; }
  const std::vector<std::string>& notes() const { return notes_; }

  // The codes of these rows; empty for a tensor that the file does not have.
  std::span<const int32_t> Codes(ValueId id, Rows rows) const;

 private:
  struct Layer {
    std::vector<int32_t> codes;
    int64_t rows;
  };

  Status Add(const Graph& graph, ValueId id, const NamedArray& array);
  void CountRows(const Graph& graph);

  std::map<ValueId, Layer> layers_;
  int64_t rows_ = 0;
  std::vector<std::string> notes_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_COMPARE_REFERENCE_LAYERS_H_
