// The kinds of steps, one factory each.
#ifndef LANEQUANT_RUNTIME_PLAN_STEPS_H_
#define LANEQUANT_RUNTIME_PLAN_STEPS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/contracts.h"
#include "lanequant/conv2d.h"
#include "lanequant/float_linear.h"
#include "lanequant/linear.h"
#include "lanequant/matmul.h"
#include "runtime/plan/rearrangement.h"
#include "runtime/plan/step.h"

namespace lq {

// Graph input (f32, ONNX order) -> codes.
std::unique_ptr<Step> MakeQuantizeStep(const PerTensor& encoding, const PrepareOptions& options);
// Graph input -> f32 in the plan's order, where it has no encoding.
std::unique_ptr<Step> MakeEnterStep();
// Codes, f32 or f64 -> graph output (f32, ONNX order).
std::unique_ptr<Step> MakeOutputStep(const std::optional<PerTensor>& encoding, const PrepareOptions& options);

// Rows are all dimensions but the last. The layers' encodings are on unsigned grids.
std::unique_ptr<Step> MakeLinearStep(const std::string& name, Linear linear, size_t in_features, size_t out_features);
std::unique_ptr<Step> MakeLinearStep(const std::string& name, FloatLinear linear, size_t in_features,
                                     size_t out_features);
// Reals, each rounded to a float: what layers on floats read.
std::unique_ptr<Step> MakeNarrowStep();
std::unique_ptr<Step> MakeConv2dStep(Conv2d conv);
// How a 3-D convolution walks along the depth; `conv` sees windows of `kernel` planes as channels.
struct Conv3dWindow {
  int64_t kernel, stride, dilation, begin, end;
  uint16_t zero;  // the code of planes beyond the image
};
std::unique_ptr<Step> MakeConv3dStep(std::string name, Conv2d conv, const Conv3dWindow& window);
// Batch dimensions broadcast. The encodings are on unsigned grids; `dtypes`: of a, b and the output. `turns_b`: the
// second input is (.., n, k), as the matmul was prepared for.
std::unique_ptr<Step> MakeMatmulStep(std::string name, Matmul matmul, const std::array<DType, 3>& dtypes, bool turns_b);

// out = table[channel][code], one table for all channels or one for each (the plan's last dimension).
std::unique_ptr<Step> MakeLookupStep(std::vector<uint8_t> tables, const PrepareOptions& options);
// out = table[code] where the codes of one side are u16: a table of 256 or 65536.
std::unique_ptr<Step> MakeWideLookupStep(std::vector<uint16_t> table);

// Flatten, Reshape and whatever else keeps the elements in ONNX's order: the target dimensions as Reshape writes them
// (0: copied from the input, -1: what is left); `flatten_axis` instead of them for Flatten, `squeeze` or
// `unsqueeze` for these.
struct Movement {
  std::string name;
  std::optional<int64_t> flatten_axis;
  std::vector<int64_t> dims;
  bool allow_zero = false;                          // a 0 is a 0
  std::optional<std::vector<int64_t>> squeeze{};    // or axes of length 1 to drop (none: all of them)
  std::optional<std::vector<int64_t>> unsqueeze{};  // or axes of the output to insert
  std::optional<size_t> split_axis{};               // or an axis that becomes several ones, of `dims`
};
std::unique_ptr<Step> MakeMovementStep(Movement movement);
// `padding`: the bits of a padding element, a code, f32 or f64.
std::unique_ptr<Step> MakeRearrangeStep(std::unique_ptr<Rearrangement> rearrangement, uint64_t padding);
// Joins tensors of one type along an axis of their ONNX shapes.
std::unique_ptr<Step> MakeConcatStep(std::string name, int64_t axis);

// A constant part of a Concat. Its one input is another part, of which it takes the lengths along the other axes; its
// own are the same, or 1 if it `repeats`.
struct ConstantPart {
  std::string name;
  int64_t axis;
  Shape shape;  // ONNX
  DType dtype;
  std::vector<std::byte> elements;  // in ONNX's order
  bool repeats;
};
std::unique_ptr<Step> MakeConstantStep(ConstantPart part);

// Slices of a constant along an axis, chosen by an activation that holds their numbers: embeddings.
struct GatherTable {
  std::string name;
  int64_t axis;
  Shape shape;  // ONNX
  DType dtype;  // of the elements: u8, u16, f32 or f64
  std::vector<std::byte> elements;
  std::optional<PerTensor> indices;  // the encoding of the activation, if it has one
};
std::unique_ptr<Step> MakeGatherStep(GatherTable table, const PrepareOptions& options);

// The same of an activation: its elements move as they are.
struct Selection {
  std::string name;
  int64_t axis;
  bool by_element;                   // GatherElements: an index for each element of the result
  std::optional<PerTensor> indices;  // the encoding of the second input, if it has one
};
std::unique_ptr<Step> MakeSelectionStep(Selection selection, const PrepareOptions& options);

// Rows of a float matrix under an encoding of up to 8 bits whose channels are the rows, packed; only those that are
// asked for become reals. Errors: other encodings.
struct EmbeddingSpec {
  std::string name;
  const Constant* weight;
  Encoding encoding;
  std::optional<PerTensor> indices;  // the encoding of the activation, if it has one
};
Result<std::unique_ptr<Step>> MakeEmbeddingStep(const EmbeddingSpec& spec, const PrepareOptions& options);

// One operand of Add: an activation (values empty), or a constant with its ONNX shape.
struct AddOperandSpec {
  std::optional<PerTensor> encoding;  // activations: their codes
  std::vector<float> values;          // constants, after their own quantizer if they have one
  Shape shape;                        // constants
};
struct AddSpec {
  std::string name;
  std::array<AddOperandSpec, 2> operands;  // activations come in order from StepRun::in
  float clip_min, clip_max;
  std::optional<PerTensor> encoding;  // of the output; absent: f32
};
std::unique_ptr<Step> MakeAddStep(AddSpec spec, const PrepareOptions& options);

// A pool over a 4-D tensor. `global`: the kernel is the whole image.
struct PoolSpec {
  std::string name;
  bool global = false;
  std::array<size_t, 2> kernel{1, 1}, stride{1, 1}, dilation{1, 1};
  std::array<size_t, 4> padding{0, 0, 0, 0};  // top, left, bottom, right
  bool ceil_mode = false, count_include_pad = false;
  PerTensor input;
  float clip_min = -__builtin_inff(), clip_max = __builtin_inff();  // average pools with an output encoding
  std::optional<PerTensor> encoding;                                // average pools: of the output; absent: f32
};
std::unique_ptr<Step> MakeMaxPoolStep(PoolSpec spec, const PrepareOptions& options);
std::unique_ptr<Step> MakeAveragePoolStep(PoolSpec spec, const PrepareOptions& options);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_STEPS_H_
