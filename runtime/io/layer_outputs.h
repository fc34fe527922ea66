// Folders that AIMET's LayerOutputUtil writes (ONNX naming):
//   inputs/input_<i>.raw                     the i-th input of the network
//   outputs/layer_outputs_<i>/<tensor>.raw   every tensor of its run, '\W+' in names replaced by '_'
// Raw float32 without shapes.
#ifndef LANEQUANT_RUNTIME_IO_LAYER_OUTPUTS_H_
#define LANEQUANT_RUNTIME_IO_LAYER_OUTPUTS_H_

#include <string>
#include <vector>

#include "lanequant/status.h"
#include "runtime/graph.h"
#include "runtime/io/npz.h"

namespace lq {

struct LayerOutputs {
  // Stacked over the runs. Tensors whose shape the graph declares (inputs, outputs) get it, the others (runs,
  // elements).
  std::vector<NamedArray> inputs;      // before quantization; named as the graph's input
  std::vector<NamedArray> outputs;     // by ONNX tensor name, in the order of graph.values
  std::vector<std::string> unmatched;  // files of outputs/ whose name is that of no tensor, or of several
};

// Errors: no such folder, runs that lack a file or whose files differ in size, a graph with several inputs.
Result<LayerOutputs> ReadLayerOutputs(const std::string& folder, const Graph& graph);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_LAYER_OUTPUTS_H_
