// Step: one thing that a session does in a run. Prepared once, const afterwards, allocates nothing.
#ifndef LANEQUANT_RUNTIME_PLAN_STEP_H_
#define LANEQUANT_RUNTIME_PLAN_STEP_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lanequant/encoding.h"
#include "lanequant/executor.h"
#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"
#include "runtime/graph.h"
#include "runtime/plan/layout.h"

namespace lq {

// An activation of the plan: u8 or u16 codes on an unsigned grid, or f32 or f64 values where nothing encodes them.
struct PlanTensor {
  enum class Place { kWorkspace, kGraphInput, kGraphOutput };  // the caller's memory is f32 in ONNX order

  ValueId value = kAbsent;            // the ONNX tensor that it holds; kAbsent: only an intermediate of the plan
  std::optional<PerTensor> encoding;  // as in the file; the codes are those of ToUnsigned(encoding)
  Place place = Place::kWorkspace;
  size_t index = 0;      // of the graph input or output
  bool is_real = false;  // without an encoding: binary64 (exact_simulator.md 1), else float32

  DType dtype() const {
    if (!encoding) return is_real ? DType::kF64 : DType::kF32;
    return encoding->grid.bitwidth <= 8 ? DType::kU8 : DType::kU16;
  }
};

// What a step gets for one run. Shapes are in the plan's layout.
struct StepRun {
  std::span<const ConstTensorView> in;
  TensorView out;
  std::span<std::byte> scratch;
  Executor& executor;
};

// PlanShape, ToOnnxOrder and the like are those of the plan's layout.
class Step : protected Layout {
 public:
  virtual ~Step() = default;
  void SetLayout(const Layout& layout) { static_cast<Layout&>(*this) = layout; }  // before anything else
  // The output's shape (plan order) for these inputs. Errors name the node and the shapes.
  virtual Result<Shape> OutputShape(std::span<const Shape> in) const = 0;
  virtual size_t ScratchBytes(std::span<const Shape> in, size_t workers) const;
  virtual Status Run(const StepRun& run) const = 0;
  virtual LayerInfo info() const;
  // Whether each slice of the output's first dimension depends on the same slices of the inputs only, if they have the
  // same number of them: Run may then get some of them.
  virtual bool KeepsImagesApart() const { return false; }
  // About how long Run takes on one worker of today's CPUs. Decides what runs at the same time, never a result.
  virtual double Microseconds(std::span<const Shape> in, const Shape& out) const;

 protected:
  // Besides the work: calls, checks, a table of what is shared out.
  static constexpr double kStepMicroseconds = 0.15;
  // Products of codes, by the units for integers.
  static constexpr double kProductMicroseconds = 1 / 150e3;

  const Layout& layout() const { return *this; }
};

constexpr size_t kMostInputs = 16;  // of a Concat

// A step in its place: which tensors it reads and writes.
struct PlannedStep {
  // Of its inputs. `shapes`: of the plan's tensors.
  std::vector<Shape> InputShapes(std::span<const Shape> shapes) const {
    std::vector<Shape> in;
    for (size_t input : inputs) in.push_back(shapes[input]);
    return in;
  }

  std::unique_ptr<Step> step;
  std::string op, name;        // "Conv+Relu", the ONNX node's name
  std::vector<size_t> inputs;  // at most kMostInputs
  size_t output = 0;
  std::string why{};  // of a layer that adds up floats: why not codes
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_STEP_H_
