// LayerDump: the encoded activations of a run, for --dump-layers.
#ifndef LANEQUANT_RUNTIME_CLI_LAYER_DUMP_H_
#define LANEQUANT_RUNTIME_CLI_LAYER_DUMP_H_

#include <vector>

#include "runtime/graph.h"
#include "runtime/io/npz.h"
#include "runtime/observer.h"

namespace lq::cli {

// The encoded activations of all rows: codes:<name> (int32) and values:<name> (f32).
class LayerDump {
 public:
  explicit LayerDump(const Graph& graph) : graph_(graph) {}

  void Add(const ObservedTensor& tensor);
  std::vector<NamedArray> TakeArrays();

 private:
  struct Layer {
    ValueId id;
    NamedArray codes, values;
  };
  const Graph& graph_;
  std::vector<Layer> layers_;  // in execution order
};

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_LAYER_DUMP_H_
