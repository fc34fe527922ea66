#include "tests/support/golden_bundle.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <utility>

#include "runtime/graph.h"
#include "runtime/status_macros.h"

namespace lq::testing {
namespace {

double ValueAt(const NamedArray& array, size_t i) {
  if (array.dtype == DType::kF64) return array.view().data<double>()[i];
  return array.view().data<float>()[i];
}

// Rows [first, first + count) of an array whose first dimension is the batch.
ConstTensorView Rows(const NamedArray& array, size_t first, size_t count) {
  Shape shape = array.shape;
  const size_t row = array.bytes.size() / static_cast<size_t>(shape[0]);
  shape[0] = static_cast<int64_t>(count);
  return {array.dtype, shape, std::span<const std::byte>(array.bytes).subspan(first * row, count * row)};
}

// Inputs that are run at once: one by one where the model's batch is fixed.
size_t BatchOf(const Graph& graph, size_t available) {
  const std::optional<Shape>& shape = graph.value(graph.inputs[0]).shape;
  const bool fixed = shape.has_value() && shape->rank() > 0 && (*shape)[0] > 0;
  return fixed ? static_cast<size_t>((*shape)[0]) : available;
}

class Comparer {
 public:
  Comparer(const Graph& graph, const Arrays& layers, Feed feed) : graph_(graph), feed_(feed) {
    for (const auto& [name, array] : layers) references_[name].array = &array;
  }

  // Rows from `first` of the batch are running.
  void Start(size_t first) { first_ = first; }

  void operator()(ObservedTensor& seen) {
    const std::string& name = graph_.value(seen.id).name;
    const auto found = references_.find(name);
    if (found == references_.end()) return;
    Reference& reference = found->second;
    if (reference.codes.empty()) reference.codes = CodesOf(*reference.array, seen.encoding);
    const size_t rows = static_cast<size_t>(seen.shape[0]), row = seen.codes.size() / std::max<size_t>(rows, 1);
    const size_t begin = first_ * row;
    if (begin + seen.codes.size() > reference.codes.size()) return;
    for (size_t i = 0; i < seen.codes.size(); ++i) CompareCode(seen, i, reference.codes[begin + i], reference);
    reference.compared += seen.codes.size();
    if (feed_ == Feed::kIsolated) {
      std::copy_n(reference.codes.begin() + static_cast<ptrdiff_t>(begin), seen.codes.size(), seen.codes.begin());
    }
  }

  void Summarize(Comparison& result) const {
    for (const auto& [name, reference] : references_) {
      if (reference.compared != reference.codes.size() || reference.compared == 0) {
        result.not_seen.push_back(name);
        continue;
      }
      ++result.tensors;
      result.codes += reference.compared;
      result.differing += reference.differing;
      result.unexplained += reference.unexplained;
      if (reference.differing > 0) result.where += name + ": " + std::to_string(reference.differing) + "; ";
    }
  }

 private:
  struct Reference {
    const NamedArray* array = nullptr;
    std::vector<int32_t> codes;
    size_t compared = 0, differing = 0, unexplained = 0;
  };

  static void CompareCode(const ObservedTensor& seen, size_t i, int32_t want, Reference& reference) {
    const int32_t difference = std::abs(seen.codes[i] - want);
    if (difference == 0) return;
    ++reference.differing;
    if (seen.t.empty()) return;
    const double to_tie = std::abs(std::abs(seen.t[i] - std::rint(seen.t[i])) - 0.5);
    reference.unexplained += difference > 1 || to_tie > seen.near_tie[i];
  }

  const Graph& graph_;
  Feed feed_;
  size_t first_ = 0;
  std::map<std::string, Reference> references_;
};

}  // namespace

Result<Arrays> ReadArrays(const std::string& path) {
  LQ_ASSIGN_OR_RETURN(std::vector<NamedArray> list, ReadNpz(path));
  Arrays arrays;
  for (NamedArray& array : list) arrays.emplace(array.name, std::move(array));
  return arrays;
}

Result<Bundle> LoadBundle(const std::string& path) {
  LQ_ASSIGN_OR_RETURN(Model model, Model::Load(path + "/model.onnx", path + "/model.encodings"));
  LQ_ASSIGN_OR_RETURN(Arrays data, ReadArrays(path + "/data.npz"));
  return Bundle{path, std::move(model), std::move(data)};
}

std::vector<int32_t> CodesOf(const NamedArray& values, const PerTensor& encoding) {
  std::vector<int32_t> codes(static_cast<size_t>(values.shape.NumElements()));
  for (size_t i = 0; i < codes.size(); ++i) {
    codes[i] =
        static_cast<int32_t>(std::rint(ValueAt(values, i) / static_cast<double>(encoding.scale))) - encoding.offset;
  }
  return codes;
}

Comparison Compare(const Bundle& bundle, const Arrays& layers, Feed feed, const SimulatorOptions& options) {
  Comparison result;
  const Graph& graph = bundle.model.graph();
  const std::shared_ptr<const Graph> shared(&graph, [](const Graph*) {});  // the bundle outlives the simulator
  Result<Simulator> simulator = Simulator::Prepare(shared, options);
  if (!simulator.ok()) {
    result.status = simulator.status();
    return result;
  }
  Comparer comparer(graph, layers, feed);
  const NamedArray& input = bundle.data.at("input");
  const size_t available = layers.empty() ? 0 : static_cast<size_t>(layers.begin()->second.shape[0]);
  const size_t batch = BatchOf(graph, available);
  for (size_t first = 0; first + batch <= available && batch > 0; first += batch) {
    comparer.Start(first);
    const ConstTensorView rows = Rows(input, first, batch);
    const auto outputs = simulator->Run({&rows, 1}, [&](ObservedTensor& seen) { comparer(seen); });
    result.status = outputs.status();
    if (!result.status.ok()) return result;
  }
  comparer.Summarize(result);
  return result;
}

Result<size_t> CountCorrect(const Bundle& bundle, const SimulatorOptions& options) {
  const std::shared_ptr<const Graph> shared(&bundle.model.graph(), [](const Graph*) {});
  LQ_ASSIGN_OR_RETURN(const Simulator simulator, Simulator::Prepare(shared, options));
  const ConstTensorView input = bundle.data.at("input").view();
  LQ_ASSIGN_OR_RETURN(const std::vector<Simulator::Output> outputs, simulator.Run({&input, 1}, {}));
  const std::vector<float>& values = outputs[0].values;
  const NamedArray& label = bundle.data.at("label");
  const auto rows = static_cast<size_t>(label.shape[0]), classes = values.size() / rows;
  size_t correct = 0;
  for (size_t i = 0; i < rows; ++i) {
    const float* row = &values[i * classes];
    correct += std::max_element(row, row + classes) - row == label.view().data<int64_t>()[i];
  }
  return correct;
}

}  // namespace lq::testing
