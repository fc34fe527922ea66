// Passes over a freshly read graph, in the order in which Model::Load runs them. Each does one thing and has a test.
#ifndef LANEQUANT_RUNTIME_PASSES_PASSES_H_
#define LANEQUANT_RUNTIME_PASSES_PASSES_H_

#include "lanequant/status.h"
#include "runtime/graph.h"
#include "runtime/io/encodings_reader.h"

namespace lq {

// Constant nodes become constants of their output values (the nodes go away).
Status FoldConstants(Graph& graph);
// Drops nodes whose outputs reach no graph output (TorchScript exports hold dead Identity nodes), and the values that
// only they used. Renumbers the values that are left.
Status RemoveDeadNodes(Graph& graph);
// Topological order by Kahn's algorithm, no recursion. Errors: a cycle, a value that nothing produces, two producers.
Status SortNodes(Graph& graph);
// DynamicQuantizeLSTM of ONNX Runtime becomes an LSTM with the weights that its codes stand for, and a note: input and
// states stay floats, which ONNX Runtime rounds to 8 bits, by ranges that depend on its threads. Returns whether there
// are any. Errors: weights, scales or zero points that are computed, or do not fit.
Result<bool> TranslateDynamicLstm(Graph& graph);
// Integers that nodes compute from Shape, of tensors whose shapes the file declares or ShapeInference knows, become
// constants. Dynamic lengths, the batch among them, may be dimensions of a Reshape: one that follows from the others,
// or those that its input has in the same place; an Expand, Resize or Slice may keep them. A Range over one becomes
// Positions, the numbers of the elements of an axis, which is not ONNX's; what is filled with one number (masks) a
// constant and zeros made of Positions; a constant repeated for the batch stays one. States of zeros are left out of
// LSTM and GRU. Error: a dynamic length goes elsewhere.
Status FoldShapes(Graph& graph);
// Operators that others express: Split becomes a Slice for each part; Sum, and Min and Max of more than two operands,
// one node for each pair, from the left; a Clip with bounds that are computed Max and Min; the indices of a TopK a node
// of their own, and the last states of an LSTM or GRU; auto_pad and output_shape of ConvTranspose pads. Outputs that
// nothing reads are left out. Errors: parts of unknown length, pads of a ConvTranspose that do not follow.
Status ExpandOperators(Graph& graph);
// Quotients and means of integers become those of numbers, and a Cast that cuts off the fraction, as ONNX Runtime does:
// integers cross as float32 numbers, of which it makes the same as of integers up to 2^24.
void TruncateQuotients(Graph& graph);
// QLinearConv, QLinearMatMul, QGemm and what else ONNX Runtime writes in its QOperator form become DequantizeLinear,
// the operator, QuantizeLinear; so does data movement between them. Their biases have codes of scale s_x * s_w
// (exact_simulator.md 3). Errors, by node: operands that are left out, biases of unknown scale, channels_last.
Status TranslateQOperators(Graph& graph);
// MatMulNBits becomes a MatMul with a weight behind a DequantizeLinear of blocks, GatherBlockQuantized a Gather of one.
// Weights in blocks get the form that encodings have: scales above 0 (ONNX Runtime's and Quark's are negative where the
// largest weight is positive), all blocks of one length: where the last one is shorter, parts of blocks. Errors:
// weights that are computed, shapes.
Status TranslateBlocks(Graph& graph);
// DynamicQuantizeLinear becomes DynamicCodes (codes less their zero point) and DynamicScale; MatMulInteger and
// ConvInteger of its codes become MatMul and Conv of integers under encodings of scale 1; a Cast behind them
// RoundToFloat32.
// These operators are not ONNX's. Returns whether there are any. Errors: other readers of the integers.
Result<bool> TranslateDynamicQuantizers(Graph& graph);
// ExtendedQuantizeLinear and ExtendedDequantizeLinear of Quark: with integer codes those of ONNX; with 16-bit floats
// constants are rounded to them, activations by RoundToFloat16 and RoundToBfloat16, which are not ONNX's. Returns
// whether there are floats. Errors, by node: operands that are left out or computed, bfloat16 with a scale.
Result<bool> TranslateExtendedQuantizers(Graph& graph);
// BFPQuantizeDequantize and MXQuantizeDequantize of Quark: those of constants become constants, with an encoding where
// they are weights that have one by their values (block_grid.h), the others operators of domain "". Returns whether
// there are any. Errors: formats that are not supported.
Result<bool> FoldBlockFormats(Graph& graph);
// Codes that cross the graph's boundary are numbers there: DequantizeLinear of a graph input becomes (x - zero_point) *
// scale and a quantizer of it, both exact; codes that are a graph output become round(x / scale) + zero_point of their
// DequantizeLinear. Left to FoldQuantizers: scales that are computed, per channel or block, 32-bit codes.
void TranslateBoundaries(Graph& graph);
// QDQ graphs: takes QuantizeLinear -> DequantizeLinear pairs and DequantizeLinear of constants (domains "" and
// com.microsoft), and quantize_dequantize of domain aimet, out of a sorted graph and returns what they say, for
// AttachEncodings. A tensor that only equal quantizers read is encoded where it is made; where others read it too, or
// quantizers differ, each quantizer becomes an Identity whose output is encoded. A DequantizeLinear of an initializer
// becomes a constant of codes. A scale that is a DequantizeLinear of integers and floats is LPBQ's. Errors, by node:
// scales that are computed, codes that go elsewhere, Q and DQ that differ.
Result<EncodingsFile> FoldQuantizers(Graph& graph);
// Einsum of one or two operands becomes Transpose, ReduceSum, Reshape, MatMul or Mul: a weight is the second operand,
// and what moves behind the product has no encoding of its own, so that it is one supergroup with it. Errors, by node:
// other counts of operands, diagonals, lengths that only a run knows where dimensions are joined.
Status ExpandEinsum(Graph& graph);
// Refuses operators, domains, attributes and operands that this version does not run, naming the node and what is
// supported.
Status CheckOperators(const Graph& graph);
// Takes the float entries out of the file: constants of float16 become what they round to, and behind an activation
// comes a RoundToFloat16 (exact_simulator.md 3); float32 says nothing. Left to AttachEncodings: other widths, integers,
// names of no tensor.
void RoundToHalves(EncodingsFile& file, Graph& graph);
// Gives values their encodings: channel and block axes by the consumer (exact_simulator.md 4), offsets moved to the
// encoding's own grid, block arrays brought to [channel][block] (aimet-torch writes MatMul weights (K/B, N), aimet-onnx
// (N, K/B)). Entries that fit no tensor become notes; ones that do not fit their tensor's shape are errors. A bias in
// 32-bit codes becomes reals, also where the file calls it by another name: that becomes a constant.
Status AttachEncodings(const EncodingsFile& file, Graph& graph);
// A tensor that AIMET quantizes in several ways has one Identity for each quantizer but the first, `X_dup_0` of `X`,
// and all of them have encodings. They round what X was before its own encoding: an activation loses that to a value of
// its own, a constant is copied. Those of a graph output round what it gives. Only for encodings of a file: a QDQ graph
// runs as it is written.
void SplitCopies(Graph& graph);
// Notes embeddings and heads of the same floats, rounded already by the quantizer of one of them: where AIMET exports
// tied weights it keeps no others, and rounds the floats themselves when it simulates the second one.
void NoteTiedWeights(Graph& graph);
// Another name of a constant (an Identity of it) becomes that constant, or where it has an encoding of its own a
// constant of its own: the values of the first, on the grid of its encoding if it has one, quantized again. Error: that
// grid is one of blocks.
Status FoldAliases(Graph& graph);
// Nodes of constants, without encodings or with one scale each, become the constants that the exact simulator makes of
// them (masks and positions of transformers, the gates of an LSTM); a weight that is turned keeps its scales. Integers
// that other operators compute with become floats. Errors: more than float32 holds, very many elements.
Status FoldNodes(Graph& graph);
// One-dimensional Conv, ConvTranspose, MaxPool and AveragePool become two-dimensional ones over images of height 1,
// between an Unsqueeze and a Squeeze, which goes behind a BatchNormalization; an Unsqueeze of a constant (the slopes of
// a PRelu) becomes a constant. Runs last: encodings are attached to the tensors of the file. Errors: attributes of one
// and of two dimensions in one node.
Status WidenImages(Graph& graph);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PASSES_PASSES_H_
