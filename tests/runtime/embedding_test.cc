// Embeddings with packed rows: a session against the simulator, bit for bit.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <vector>

#include "lanequant/model.h"
#include "runtime/passes/passes.h"
#include "tests/support/attach_folded.h"
#include "tests/support/expect_error.h"
#include "tests/support/graph_builder.h"
#include "tests/support/random.h"
#include "tests/support/run_session.h"
#include "tests/support/simulate.h"

namespace lq {
namespace {

using testing::GraphBuilder;
using testing::Random;

constexpr int64_t kRows = 70, kFeatures = 48;

std::vector<float> Floats(Random& random, size_t count, float low, float high) {
  std::vector<float> values(count);
  for (float& value : values) value = random.Float(low, high);
  return values;
}

std::vector<Encoding> Encodings(Random& random) {
  constexpr size_t kN = kRows, kBlocks = kFeatures / 16;
  Lpbq lpbq{4, 8, 0, 1, 16, Floats(random, kN, 0.001f, 0.01f), {}};
  for (size_t i = 0; i < kN * kBlocks; ++i)
    lpbq.per_block_int_scale.push_back(static_cast<uint32_t>(random.Int(1, 16)));
  std::vector<int32_t> offsets(kN * kBlocks);
  for (int32_t& offset : offsets) offset = static_cast<int32_t>(-random.Int(0, 15));
  return {
      lpbq,
      PerBlock{{4, true}, 0, 1, 16, Floats(random, kN * kBlocks, 0.05f, 0.2f), std::vector<int32_t>(kN * kBlocks, 0)},
      PerBlock{{4, false}, 0, 1, 16, Floats(random, kN * kBlocks, 0.05f, 0.2f), offsets},
      PerChannel{{8, true}, 0, Floats(random, kN, 0.005f, 0.02f), std::vector<int32_t>(kN, 0)}};
}

// Indices of shape (3, 5) along the table, some from the end.
void ExpectSimulatorsRows(const std::shared_ptr<const Graph>& graph, Random& random) {
  const Result<Session> session = Session::Prepare(Model(graph));
  ASSERT_TRUE(session.ok()) << session.status().message();
  testing::InputTensor input{{3, 5}, {}};
  for (int i = 0; i < 15; ++i) input.values.push_back(static_cast<float>(random.Int(-kRows, kRows - 1)));
  const testing::Simulated expected = testing::Simulate(graph, std::vector<testing::InputTensor>{input});
  ASSERT_TRUE(expected.status.ok()) << expected.status.message();
  ConstTensorView view{DType::kF32, input.shape, std::as_bytes(std::span(input.values))};
  const testing::SessionRun run = testing::RunSession(*session, {&view, 1}, SerialExecutor());
  ASSERT_TRUE(run.status.ok()) << run.status.message();
  EXPECT_EQ(run.outputs[0], expected.outputs[0].values);
  input.values[7] = kRows;
  view.bytes = std::as_bytes(std::span(input.values));
  testing::ExpectInvalid(testing::RunSession(*session, {&view, 1}, SerialExecutor()).status, {"index 70", "70 rows"});
}

TEST(EmbeddingTest, RowsAreTheSimulators) {
  Random random(5);
  for (const Encoding& encoding : Encodings(random)) {
    for (const bool encoded : {false, true}) {
      SCOPED_TRACE(Describe(encoding));
      GraphBuilder builder;
      const ValueId indices = builder.Input({3, 5});
      const ValueId table = builder.Floats({kRows, kFeatures}, Floats(random, kRows * kFeatures, -1, 1), encoding);
      std::optional<Encoding> out;
      if (encoded) out = PerTensor{{8, false}, 0.01f, -128};
      builder.Output(builder.Node("Gather", {table, indices}, {{"axis", int64_t{0}}}, out));
      ExpectSimulatorsRows(builder.Share(), random);
    }
  }
}

TEST(EmbeddingTest, FourBitsAreHalfAByte) {
  Random random(6);
  GraphBuilder builder;
  const ValueId indices = builder.Input({3, 5});
  const ValueId table =
      builder.Floats({kRows, kFeatures}, Floats(random, kRows * kFeatures, -1, 1), Encodings(random)[0]);
  builder.Output(builder.Node("Gather", {table, indices}, {{"axis", int64_t{0}}}));
  const Result<Session> session = Session::Prepare(Model(builder.Share()));
  ASSERT_TRUE(session.ok()) << session.status().message();
  const StepInfo& step = session->steps()[1];
  EXPECT_EQ(step.layer.weights, "4-bit rows, block 16");
  EXPECT_EQ(step.layer.packed_bytes, static_cast<size_t>(kRows * (kFeatures / 2 + 4 + 2 * kFeatures / 16)));
}

// GatherBlockQuantized of com.microsoft, through the passes that Model::Load runs.
TEST(EmbeddingTest, GatherBlockQuantized) {
  Random random(7);
  GraphBuilder builder;
  const ValueId indices = builder.Input({3, 5});
  std::vector<int64_t> codes(kRows * kFeatures), zeros(kRows * kFeatures / 16);
  for (int64_t& code : codes) code = random.Int(0, 15);
  for (int64_t& zero : zeros) zero = random.Int(0, 15);
  const ValueId data = builder.Ints(codes), zero_points = builder.Ints(zeros);
  const Shape blocks{kRows, kFeatures / 16};
  const ValueId scales = builder.Floats(blocks, Floats(random, zeros.size(), 0.05f, 0.2f));
  Graph& graph = builder.graph();
  for (const ValueId id : {data, zero_points}) graph.value(id).constant->file_type = DType::kU4;
  graph.value(data).constant->shape = {kRows, kFeatures};
  graph.value(zero_points).constant->shape = blocks;
  builder.Output(
      builder.Node("GatherBlockQuantized", {data, indices, scales, zero_points}, {{"block_size", int64_t{16}}}));
  graph.nodes[0].domain = "com.microsoft";
  ASSERT_TRUE(TranslateBlocks(graph).ok());
  ASSERT_NO_FATAL_FAILURE(testing::AttachFolded(graph));
  ExpectSimulatorsRows(builder.Share(), random);
}

}  // namespace
}  // namespace lq
