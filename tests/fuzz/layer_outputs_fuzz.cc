// Random folders in the manner of AIMET's LayerOutputUtil: any number of runs, files that are missing, too short or
// too many, names that several tensors share.
//   build/fuzz/tests/fuzz/layer_outputs_fuzz -max_total_time=120
#include <fuzzer/FuzzedDataProvider.h>

#include "runtime/io/layer_outputs.h"
#include "tests/fuzz/input_file.h"

namespace lq::fuzz {
namespace {

Graph MakeGraph() {
  Graph graph;
  for (const char* name : {"x", "/a/Conv_output_0", "/b/Relu_output_0", "b.Relu.output.0", "y"}) {
    graph.values.push_back({});
    graph.values.back().name = name;
  }
  graph.values[0].shape = Shape{-1, 2};
  graph.values[4].shape = Shape{-1, 3};
  graph.inputs = {0};
  graph.outputs = {4};
  return graph;
}

// Files of a few bytes, most of one size, with names of which some are those of tensors.
void WriteFolder(FuzzedDataProvider& data, const testing::TempFolder& folder) {
  constexpr const char* kNames[] = {"_a_Conv_output_0", "_b_Relu_output_0", "y", "x", "other", ".", "\xff"};
  const auto contents = [&] {
    const bool odd = data.ConsumeIntegralInRange(0, 7) == 0;
    return data.ConsumeBytesAsString(odd ? data.ConsumeIntegralInRange<size_t>(0, 40) : 8);
  };
  const int inputs = data.ConsumeIntegralInRange(0, 3), runs = data.ConsumeIntegralInRange(0, 3);
  for (int i = 0; i < inputs; ++i) folder.Write("inputs/input_" + std::to_string(i) + ".raw", contents());
  for (int run = 0; run < runs; ++run) {
    for (const char* name : kNames) {
      if (data.ConsumeIntegralInRange(0, 3) == 0) continue;
      folder.Write("outputs/layer_outputs_" + std::to_string(run) + "/" + name + ".raw", contents());
    }
  }
}

// What was read holds all bytes of its shape.
void Check(const Result<LayerOutputs>& read) {
  CheckSentence(read.status());
  if (!read.ok()) return;
  for (const std::vector<NamedArray>* arrays : {&read->inputs, &read->outputs}) {
    for (const NamedArray& array : *arrays) {
      if (array.bytes.size() != BytesOf(array.dtype, array.shape.NumElements())) std::abort();
    }
  }
}

}  // namespace
}  // namespace lq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const lq::Graph graph = lq::fuzz::MakeGraph();
  FuzzedDataProvider data(bytes, size);
  const lq::testing::TempFolder folder;
  lq::fuzz::WriteFolder(data, folder);
  lq::fuzz::Check(lq::ReadLayerOutputs(folder.path(), graph));
  return 0;
}
