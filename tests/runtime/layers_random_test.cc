// Random LSTMs, GRUs, 3-D convolutions and dynamically quantized layers: planner and kernels against the exact
// simulator, bit by bit.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "lanequant/model.h"
#include "runtime/passes/passes.h"
#include "tests/support/executors.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random.h"
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"

namespace lq {
namespace {

using testing::GraphBuilder;
using testing::Random;

std::vector<float> Floats(Random& random, int64_t count, float low, float high) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(random.Float(low, high));
  return values;
}

PerTensor Activation(Random& random, float scale) {
  const int bits = random.Chance(0.7) ? 8 : 16;
  const auto offset = static_cast<int32_t>(-random.Int(0, (1 << bits) - 1));
  return {{bits, false}, scale * random.Float(0.5f, 2.0f) * (bits == 8 ? 1.0f : 1.0f / 256), offset};
}

std::optional<Encoding> Maybe(Random& random, double chance, const Encoding& encoding) {
  return random.Chance(chance) ? std::optional(encoding) : std::nullopt;
}

void ExpectEqual(Random& random, const std::shared_ptr<const Graph>& graph,
                 const std::vector<testing::InputTensor>& inputs) {
  SessionOptions options;
  const std::vector<TargetInfo> targets = CompiledTargets();
  options.max_isa = targets[random.Size(0, targets.size() - 1)].name;
  options.profile = static_cast<RoundingProfile>(random.Int(0, 2));
  const Result<Session> session = Session::Prepare(Model(graph), options);
  ASSERT_TRUE(session.ok()) << session.status().message();
  const testing::Simulated expected = testing::Simulate(graph, inputs, {options.profile, options.bias, false});
  ASSERT_TRUE(expected.status.ok()) << expected.status.message();
  std::vector<ConstTensorView> views;
  for (const testing::InputTensor& input : inputs) {
    views.emplace_back(DType::kF32, input.shape, std::as_bytes(std::span<const float>(input.values)));
  }
  testing::ThreadExecutor threads(2);
  Executor& executor = random.Chance(0.3) ? static_cast<Executor&>(threads) : SerialExecutor();
  const testing::SessionRun run = testing::RunSession(*session, views, executor);
  ASSERT_TRUE(run.status.ok()) << run.status.message();
  for (const auto& [id, tensor] : run.observed) {
    const auto found = expected.observed.find(id);
    if (found == expected.observed.end()) continue;  // it keeps its input's codes
    EXPECT_EQ(tensor.codes, found->second.codes) << graph->value(id).name;
  }
  for (size_t i = 0; i < run.outputs.size(); ++i)
    EXPECT_EQ(run.outputs[i], expected.outputs[i].values) << "output " << i;
}

template <class Case>
void RunCases(uint64_t first, size_t count, Case run) {
  for (size_t i = 0; i < testing::Cases(count); ++i) {
    SCOPED_TRACE("case " + std::to_string(i) + " seed " + std::to_string(testing::Seed()));
    Random random(first + i);
    run(random);
    if (::testing::Test::HasFailure()) return;
  }
}

// Last states behind the node's sequence, and which of all of them are outputs of the graph.
void AddStates(Random& random, int states, Graph& graph) {
  Node& node = graph.nodes.back();
  for (int i = 1; i <= states; ++i) {
    graph.values.emplace_back();
    graph.values.back().name = "state" + std::to_string(i);
    graph.values.back().encoding = Maybe(random, 0.5, Activation(random, 0.008f));
    node.outputs.push_back(static_cast<ValueId>(graph.values.size() - 1));
  }
  for (ValueId id : node.outputs) {
    if (random.Chance(0.7)) graph.outputs.push_back(id);
  }
  if (graph.outputs.empty()) graph.outputs.push_back(node.outputs[0]);
}

void RunRecurrent(Random& random) {
  GraphBuilder builder;
  const bool lstm = random.Chance(0.5);
  constexpr const char* kDirections[] = {"forward", "reverse", "bidirectional"};
  const size_t direction = random.Size(0, 2);
  const int64_t directions = direction == 2 ? 2 : 1, gates = lstm ? 4 : 3;
  const int64_t length = random.Int(1, 5), batch = random.Int(1, 3), features = random.Int(1, 20),
                hidden = random.Int(1, 20);
  const Encoding weight = PerTensor{{8, true}, 0.01f, 0};
  const ValueId x = builder.Input({length, batch, features}, Maybe(random, 0.7, Activation(random, 0.03f)));
  const auto constant = [&](const Shape& shape) {
    return builder.Floats(shape, Floats(random, shape.NumElements(), -1, 1), Maybe(random, 0.7, weight));
  };
  std::vector<ValueId> inputs{x, constant({directions, gates * hidden, features}),
                              constant({directions, gates * hidden, hidden})};
  const Shape bias{directions, 2 * gates * hidden}, state{directions, batch, hidden};
  inputs.push_back(random.Chance(0.7) ? builder.Floats(bias, Floats(random, bias.NumElements(), -1, 1)) : kAbsent);
  inputs.push_back(kAbsent);
  std::vector<testing::InputTensor> values{
      {{length, batch, features}, Floats(random, length * batch * features, -4, 4)}};
  for (int64_t i = 0; i < (lstm ? 2 : 1); ++i) {
    const size_t form = random.Size(0, 2);
    inputs.push_back(form == 0 ? kAbsent : form == 1 ? constant(state) : builder.Input(state));
    if (form == 2) values.push_back({state, Floats(random, state.NumElements(), -1, 1)});
  }
  GraphBuilder::Attributes attributes{{"hidden_size", hidden}, {"direction", std::string(kDirections[direction])}};
  if (!lstm) attributes["linear_before_reset"] = random.Int(0, 1);
  builder.Node(lstm ? "LSTM" : "GRU", inputs, attributes, Maybe(random, 0.5, Activation(random, 0.008f)));
  Graph graph = *builder.Share();
  AddStates(random, lstm ? 2 : 1, graph);
  const Status expanded = ExpandOperators(graph);
  ASSERT_TRUE(expanded.ok()) << expanded.message();
  ExpectEqual(random, std::make_shared<const Graph>(std::move(graph)), values);
}

TEST(LayersRandom, RecurrentLayersEqualSimulator) { RunCases(400000, 60, RunRecurrent); }

Encoding ConvWeight(Random& random, const Shape& shape) {
  const auto channels = static_cast<size_t>(shape[0]);
  if (random.Chance(0.3)) return PerTensor{{8, true}, 0.01f, 0};
  if (random.Chance(0.5)) {
    return PerChannel{{8, true}, 0, Floats(random, shape[0], 0.004f, 0.02f), std::vector<int32_t>(channels, 0)};
  }
  Lpbq e{4, 8, 0, 1, shape[1] % 2 == 0 ? shape[1] / 2 : shape[1], Floats(random, shape[0], 0.0005f, 0.002f), {}};
  for (size_t i = 0; i < channels * static_cast<size_t>(shape[1] / e.block_size); ++i) {
    e.per_block_int_scale.push_back(static_cast<uint32_t>(random.Int(1, 16)));
  }
  return e;
}

void RunConv3d(Random& random) {
  GraphBuilder builder;
  const int64_t groups = random.Chance(0.3) ? 2 : 1, in = groups * random.Int(1, 4), out = groups * random.Int(1, 10);
  Shape image{random.Int(1, 2), in, 0, 0, 0}, weight{out, in / groups, 0, 0, 0};
  std::vector<int64_t> strides(3), dilations(3), pads(6);
  for (size_t d = 0; d < 3; ++d) {
    image[d + 2] = random.Int(4, 7);
    weight[d + 2] = random.Int(1, 3);
    strides[d] = random.Int(1, 2);
    dilations[d] = weight[d + 2] < 3 ? random.Int(1, 2) : 1;
    pads[d] = random.Int(0, 2);
    pads[d + 3] = random.Int(0, 2);
  }
  std::vector<ValueId> inputs{
      builder.Input(image, Activation(random, 0.03f)),
      builder.Floats(weight, Floats(random, weight.NumElements(), -1, 1), ConvWeight(random, weight))};
  if (random.Chance(0.6)) inputs.push_back(builder.Floats({out}, Floats(random, out, -1, 1)));
  GraphBuilder::Attributes attributes{{"group", groups}, {"strides", strides}, {"dilations", dilations}};
  if (random.Chance(0.8)) attributes["pads"] = pads;
  if (attributes.count("pads") == 0) attributes["auto_pad"] = std::string("SAME_LOWER");
  ValueId y = builder.Node("Conv", inputs, attributes, Maybe(random, 0.4, Activation(random, 0.1f)));
  if (random.Chance(0.6)) y = builder.Node("Relu", {y}, {}, Activation(random, 0.1f));
  builder.Output(y);
  ExpectEqual(random, builder.Share(), {{image, Floats(random, image.NumElements(), -4, 4)}});
}

TEST(LayersRandom, VolumesEqualSimulator) { RunCases(410000, 80, RunConv3d); }

// x -> DynamicQuantizeLinear -> MatMulInteger or ConvInteger -> Cast -> Mul by both scales -> Add, as ONNX Runtime's
// quantize_dynamic writes it.
void RunDynamic(Random& random) {
  GraphBuilder builder;
  const bool conv = random.Chance(0.5), is_signed = random.Chance(0.5);
  const int64_t k = random.Int(1, 40), n = random.Int(1, 40);
  const Shape shape = conv ? Shape{random.Int(1, 2), k, 4, 5} : Shape{random.Int(1, 3), random.Int(1, 4), k};
  const Shape weight = conv ? Shape{n, k, random.Int(1, 3), 2} : Shape{k, n};
  const auto integers = [&](const Shape& dims) {
    std::vector<int64_t> codes;
    for (int64_t i = 0; i < dims.NumElements(); ++i)
      codes.push_back(is_signed ? random.Int(-128, 127) : random.Int(0, 255));
    const ValueId id = builder.Ints(codes);
    builder.graph().value(id).constant->shape = dims;
    builder.graph().value(id).constant->file_type = is_signed ? DType::kS8 : DType::kU8;
    return id;
  };
  const ValueId x = builder.Input(shape), codes = builder.Node("DynamicQuantizeLinear", {x});
  for (int i = 0; i < 2; ++i) {
    builder.graph().values.emplace_back();
    builder.graph().values.back().name = i == 0 ? "scale" : "zero point";
    builder.graph().nodes.back().outputs.push_back(static_cast<ValueId>(builder.graph().values.size() - 1));
  }
  const std::vector<ValueId> made = builder.graph().nodes.back().outputs;
  std::vector<ValueId> inputs{codes, integers(weight), made[2]};
  if (random.Chance(0.6)) inputs.push_back(integers(random.Chance(0.5) ? Shape{n} : Shape{}));
  const ValueId acc = builder.Node(conv ? "ConvInteger" : "MatMulInteger", inputs);
  const ValueId sum = builder.Node("Cast", {acc}, {{"to", kOnnxFloat}});
  const ValueId scales = builder.Node("Mul", {made[1], builder.Floats({}, {random.Float(0.001f, 0.1f)})});
  ValueId y = builder.Node("Mul", {sum, scales});
  const Shape bias = conv ? Shape{n, 1, 1} : Shape{n};
  if (random.Chance(0.5)) y = builder.Node("Add", {y, builder.Floats(bias, Floats(random, n, -1, 1))});
  builder.Output(y);
  const Result<bool> translated = TranslateDynamicQuantizers(builder.graph());
  ASSERT_TRUE(translated.ok()) << translated.status().message();
  const float low = random.Chance(0.2) ? 0.0f : -3.0f, high = random.Chance(0.1) ? low : 5.0f;
  ExpectEqual(random, builder.Share(), {{shape, Floats(random, shape.NumElements(), low, high)}});
}

TEST(LayersRandom, DynamicLayersEqualSimulator) { RunCases(420000, 80, RunDynamic); }

}  // namespace
}  // namespace lq
