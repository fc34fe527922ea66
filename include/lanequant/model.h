// Model and Session: a network exported by AIMET (ONNX + encodings), loaded once, prepared for this CPU, run many
// times.
#ifndef LANEQUANT_MODEL_H_
#define LANEQUANT_MODEL_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lanequant/encoding.h"
#include "lanequant/executor.h"
#include "lanequant/export.h"
#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq {

struct Graph;  // runtime/graph.h

// What the files say; no weights packed yet. Cheap to copy (shares its contents), immutable.
class LQ_EXPORT Model {
 public:
  // `encodings_path` is empty for a graph that holds them itself: QuantizeLinear -> DequantizeLinear of AIMET, ONNX
  // Runtime or Quark, AIMET's quantize_dequantize, ONNX Runtime's QOperator form. Encodings of version 0.6.1, 1.0.0,
  // 2.0.0 or 2.1.0, of aimet_torch or aimet_onnx. Versions 2.x list int32 codes of biases, which AIMET does not
  // simulate: they are followed, and move some codes of the activations by one. Errors name the file, and the node or
  // tensor with its numbers.
  static Result<Model> Load(const std::string& onnx_path, const std::string& encodings_path);

  // From a graph that a program made or read itself, after the passes of runtime/passes.
  explicit Model(std::shared_ptr<const Graph> graph) : graph_(std::move(graph)) {}

  const Graph& graph() const { return *graph_; }

 private:
  std::shared_ptr<const Graph> graph_;
};

struct SessionOptions : PrepareOptions {
  // No fusion that would skip an encoded activation (same codes, for comparing layers).
  bool keep_encoded_tensors = false;
};

// A graph input or output: its ONNX name and shape; -1 is a dynamic dimension, the first one the batch. With an
// encoding it may cross as codes.
struct TensorInfo {
  std::string name;
  Shape shape;
  std::optional<PerTensor> encoding = {};
};

// What `inspect` shows: one line per step of the plan.
struct StepInfo {
  std::string op, name, output;  // "Conv+Relu", the node's and the output tensor's ONNX names
  Shape shape;                   // of the output, for the shapes in the file (dynamic: 1)
  std::string encoding;
  LayerInfo layer;
};

// The memory of one run at a time: activations planned once for the inputs' shapes, scratch for each worker.
class LQ_EXPORT Workspace {
 public:
  Workspace(Workspace&&) noexcept;
  Workspace& operator=(Workspace&&) noexcept;
  ~Workspace();
  size_t bytes() const;
  // Of a run, in the order of Session::inputs() and outputs().
  const std::vector<Shape>& input_shapes() const;
  const std::vector<Shape>& output_shapes() const;

 private:
  friend class Session;
  friend class SessionInspector;
  struct Impl;
  explicit Workspace(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Packed weights and chosen kernels. const methods may be called from any number of threads at once, each with its own
// Workspace. Run allocates nothing.
class LQ_EXPORT Session {
 public:
  static Result<Session> Prepare(const Model& model, const SessionOptions& options = {});
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  const std::vector<TensorInfo>& inputs() const;
  const std::vector<TensorInfo>& outputs() const;
  const std::vector<StepInfo>& steps() const;

  // `batch` replaces a dynamic batch (a fixed one of the first input must equal it). `workers`: of the executors that
  // it will be run with. Error: other dimensions of an input are dynamic.
  Result<Workspace> NewWorkspace(int64_t batch, size_t workers) const;
  // The same for any shapes that fit the inputs, in their order: the length of a sequence, of its cache. Plans memory;
  // the packed weights are shared by all workspaces. A cache may be empty: length 0, of what is only joined to others
  // (Concat). Errors: shapes that do not fit, also those between nodes.
  Result<Workspace> NewWorkspace(std::span<const Shape> input_shapes, size_t workers) const;

  // Inputs in the order of inputs(), outputs in the order of outputs(), ONNX layout (NCHW). Each f32, or where it has
  // an encoding codes on its grid: u8 or s8 up to 8 bits, u16 or s16 above (input codes beyond the grid become its
  // largest one). A cache of keys and values that crosses so costs a quarter of the memory traffic, and no arithmetic.
  // Errors: number of tensors, shapes, types, a workspace of another session or of fewer workers.
  Status Run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs, Workspace& workspace,
             Executor& executor) const;

 private:
  friend class SessionInspector;  // runtime/session_inspector.h: encoded activations, single steps
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq

#endif  // LANEQUANT_MODEL_H_
