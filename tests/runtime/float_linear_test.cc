#include "lanequant/float_linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/reference/matmul_float.h"
#include "kernels/reference/reference.h"
#include "kernels/reference/small_floats.h"
#include "runtime/views.h"
#include "tests/support/any_machine.h"
#include "tests/support/executors.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/matmul_outputs.h"
#include "tests/support/random.h"

namespace lq {
namespace {

using testing::GuardedBuffer;
using testing::Random;

struct Case {
  size_t rows, n, k;
  std::vector<float> weight, bias;
  std::optional<Encoding> encoding;  // absent: floats
  RowMode mode = RowMode::kAsFloats;
  DType in_type = DType::kF32;
  std::optional<PerTensor> output = {};
  PrepareOptions options = {};
  std::vector<float> x = {};  // [rows][k], values of in_type
};

std::vector<float> Floats(Random& random, size_t count, float largest) {
  std::vector<float> values(count);
  for (float& value : values) value = random.Float(-largest, largest);
  return values;
}

std::vector<int32_t> Offsets(Random& random, const Grid& grid, size_t count) {
  std::vector<int32_t> offsets(count, 0);
  if (grid.is_signed) return offsets;
  for (int32_t& offset : offsets) offset = static_cast<int32_t>(-random.Int(0, grid.qmax()));
  return offsets;
}

std::optional<Encoding> DrawEncoding(Random& random, const Case& c) {
  if (c.mode == RowMode::kAsFloats && random.Chance(0.15)) return std::nullopt;
  const Grid grid = {static_cast<int>(random.Int(2, 8)), random.Chance(0.6)};
  const auto scales = [&](size_t count) {
    std::vector<float> values(count);
    for (float& value : values) value = random.Float(0.5f, 2) / static_cast<float>(grid.qmax());
    return values;
  };
  const int64_t kind = random.Int(0, 3);
  if (kind == 0) return PerTensor{grid, scales(1)[0], Offsets(random, grid, 1)[0]};
  if (kind == 1) return PerChannel{grid, 0, scales(c.n), Offsets(random, grid, c.n)};
  size_t block = random.LogSize(1, c.k);
  while (c.k % block != 0) --block;
  const size_t count = c.n * (c.k / block);
  const auto size = static_cast<int64_t>(block);
  if (kind == 2 && c.mode == RowMode::kAsFloats) {
    return PerBlock{grid, 0, 1, size, scales(count), Offsets(random, grid, count)};
  }
  std::vector<uint32_t> integers(count);
  for (uint32_t& i : integers) i = static_cast<uint32_t>(random.Int(1, 16));
  return Lpbq{4, 8, 0, 1, size, scales(c.n), integers};
}

Case DrawCase(Random& random, RowMode mode) {
  Case c{random.LogSize(1, 40), random.LogSize(1, 200), random.LogSize(1, 260), {}, {}, PerTensor(), mode};
  c.weight = Floats(random, c.n * c.k, 1);
  c.encoding = DrawEncoding(random, c);
  if (random.Chance(0.6)) c.bias = Floats(random, c.n, 2);
  const DType types[] = {DType::kF32, DType::kF16, DType::kBF16};
  c.in_type = types[random.Size(0, 2)];
  c.x = Floats(random, c.rows * c.k, random.Chance(0.9) ? 3.0f : 1e-3f);
  if (random.Chance(0.2)) std::fill_n(c.x.begin(), c.k, 0.0f);  // a row of zeros
  if (random.Chance(0.2)) {
    for (float& x : c.x) x = std::abs(x);
  }
  for (float& x : c.x) {
    if (c.in_type == DType::kF16) x = reference::RoundToF16(x);
    if (c.in_type == DType::kBF16) x = reference::RoundToBF16(x);
  }
  if (mode == RowMode::kAsFloats && random.Chance(0.4)) {
    const Grid grid = {random.Chance(0.5) ? 8 : 16, random.Chance(0.5)};
    const double top = static_cast<double>(grid.qmax() - grid.qmin());
    c.output = PerTensor{grid, static_cast<float>(4 * std::sqrt(static_cast<double>(c.k)) / top),
                         grid.is_signed ? 0 : -static_cast<int32_t>(grid.qmax() / 2)};
  }
  return c;
}

FloatLinearSpec SpecOf(const Case& c) {
  FloatLinearSpec spec;
  spec.name = "fc";
  spec.in_features = c.k;
  spec.out_features = c.n;
  spec.weight = c.weight;
  spec.weight_encoding = c.encoding;
  spec.rows = c.mode;
  spec.output.bias = c.bias;
  spec.output.encoding = c.output;
  return spec;
}

std::vector<std::byte> InputBytes(const Case& c) {
  const size_t size = c.in_type == DType::kF32 ? 4 : 2;
  std::vector<std::byte> bytes(c.x.size() * size);
  for (size_t i = 0; i < c.x.size(); ++i) {
    const uint16_t narrow = c.in_type == DType::kF16 ? reference::F16Bits(c.x[i]) : reference::BF16Bits(c.x[i]);
    std::memcpy(bytes.data() + i * size, size == 4 ? static_cast<const void*>(&c.x[i]) : &narrow, size);
  }
  return bytes;
}

// The codes that the reference gives a float weight, on the weight's own grid, with its float scale and offset.
struct Coded {
  std::vector<float> q;
  std::vector<float> scale, offset;  // [n][blocks]
  size_t block;
};

// What an encoding says of each block: [n][k / block].
struct Blocks {
  Grid grid;
  std::vector<float> scale;
  std::vector<int32_t> offset;
  size_t block;
};

Blocks BlocksOf(const Encoding& encoding, size_t n, size_t k) {
  if (const auto* e = std::get_if<PerTensor>(&encoding)) {
    return {e->grid, std::vector<float>(n, e->scale), std::vector<int32_t>(n, e->offset), k};
  }
  if (const auto* e = std::get_if<PerChannel>(&encoding)) return {e->grid, e->scale, e->offset, k};
  if (const auto* e = std::get_if<PerBlock>(&encoding)) {
    return {e->grid, e->scale, e->offset, static_cast<size_t>(e->block_size)};
  }
  const auto& lpbq = std::get<Lpbq>(encoding);
  const size_t count = lpbq.per_block_int_scale.size();
  Blocks blocks{{4, true}, {}, std::vector<int32_t>(count, 0), static_cast<size_t>(lpbq.block_size)};
  for (size_t i = 0; i < count; ++i) {
    blocks.scale.push_back(static_cast<float>(lpbq.per_block_int_scale[i]) * lpbq.channel_scale[i * n / count]);
  }
  return blocks;
}

Coded CodesOf(const Case& c) {
  if (!c.encoding) {
    const size_t block = std::min<size_t>(c.k, 64);
    return {c.weight, std::vector<float>(c.n * ((c.k + block - 1) / block), 1.0f), {}, block};
  }
  const Blocks blocks = BlocksOf(*c.encoding, c.n, c.k);
  const Grid& grid = blocks.grid;
  // Floats are multiplied by codes around 0 (weights.h).
  const int32_t middle = grid.is_signed ? 0 : 1 << (grid.bitwidth - 1);
  Coded coded{{}, blocks.scale, {}, blocks.block};
  for (size_t i = 0; i < c.weight.size(); ++i) {
    const size_t b = i / blocks.block;
    const int64_t code =
        reference::QuantizeF32(c.weight[i], grid, blocks.scale[b], blocks.offset[b], RoundingProfile::kAimetDiv).code;
    coded.q.push_back(static_cast<float>(code - middle));
  }
  for (int32_t o : blocks.offset) coded.offset.push_back(static_cast<float>(o + middle));
  if (std::all_of(coded.offset.begin(), coded.offset.end(), [](float o) { return o == 0; })) coded.offset.clear();
  return coded;
}

std::vector<double> ExpectedFromFloats(const Case& c) {
  const Coded coded = CodesOf(c);
  const size_t blocks = coded.scale.size() / c.n;
  std::vector<double> y;
  for (size_t i = 0; i < c.rows * c.n; ++i) {
    const size_t channel = i % c.n;
    reference::BlockChannel weights = {std::span(coded.q).subspan(channel * c.k, c.k),
                                       std::span(coded.scale).subspan(channel * blocks, blocks),
                                       {},
                                       coded.block};
    if (!coded.offset.empty()) weights.offset = std::span(coded.offset).subspan(channel * blocks, blocks);
    y.push_back(double{reference::BlockTotal(std::span(c.x).subspan(i / c.n * c.k, c.k), weights)});
    if (!c.bias.empty()) y.back() += double{c.bias[channel]};
  }
  return y;
}

// ONNX DynamicQuantizeLinear, or the symmetric rule, of one row: q + offset, and the scale.
struct DynamicRow {
  std::vector<int32_t> x;
  float scale;
};
DynamicRow QuantizeRow(std::span<const float> row, RowMode mode) {
  float low = 0, high = 0;
  for (float x : row) low = std::fmin(low, x), high = std::fmax(high, x);
  DynamicRow out;
  if (mode == RowMode::kDynamicU8) {
    out.scale = high - low == 0 ? 1.0f : (high - low) / 255.0f;
    const int zero_point = static_cast<int>(std::nearbyint(std::fmin(std::fmax(0.0f - low / out.scale, 0.0f), 255.0f)));
    for (float x : row) {
      const float q = std::nearbyint(x / out.scale) + static_cast<float>(zero_point);
      out.x.push_back(static_cast<int>(std::fmin(std::fmax(q, 0.0f), 255.0f)) - zero_point);
    }
  } else {
    const float largest = std::fmax(-low, high);
    out.scale = largest == 0 ? 1.0f : largest / 127.0f;
    for (float x : row) {
      out.x.push_back(static_cast<int>(std::fmin(std::fmax(std::nearbyint(x / out.scale), -127.0f), 127.0f)));
    }
  }
  return out;
}

std::vector<double> ExpectedFromDynamicRows(const Case& c) {
  const Shape shape{static_cast<int64_t>(c.n), static_cast<int64_t>(c.k)};
  const reference::IntWeights w =
      reference::QuantizeWeights(c.weight, shape, 0, *c.encoding, RoundingProfile::kAimetDiv);
  std::vector<double> y;
  for (size_t i = 0; i < c.rows; ++i) {
    const DynamicRow row = QuantizeRow(std::span(c.x).subspan(i * c.k, c.k), c.mode);
    std::vector<int64_t> acc(c.n);
    reference::MatmulAcc(row.x, w.w_int, 1, c.n, c.k, acc);
    for (size_t j = 0; j < c.n; ++j) {
      const double bias = c.bias.empty() ? 0 : double{c.bias[j]};
      y.push_back(reference::LayerOutput(acc[j], double{row.scale}, w.scale[j], c.bias.empty() ? nullptr : &bias));
    }
  }
  return y;
}

void Check(const Case& c, const FloatLinear& linear, Executor& executor) {
  const std::vector<double> expected =
      c.mode == RowMode::kAsFloats ? ExpectedFromFloats(c) : ExpectedFromDynamicRows(c);
  const std::vector<std::byte> bytes = InputBytes(c);
  GuardedBuffer<std::byte> in(bytes.size());
  std::copy(bytes.begin(), bytes.end(), in.begin());
  const auto rows = static_cast<int64_t>(c.rows), n = static_cast<int64_t>(c.n), k = static_cast<int64_t>(c.k);
  GuardedBuffer<std::byte> workspace(linear.WorkspaceBytes(c.rows, executor.workers()));
  const ConstTensorView x{c.in_type, {rows, k}, std::as_bytes(std::span<std::byte>(in))};
  if (!c.output) {
    for (const auto& [dtype, type] : testing::kRealTypes) {
      GuardedBuffer<std::byte> out(expected.size() * SizeOf(dtype));
      const Status status = linear.Run(x, {dtype, {rows, n}, out}, workspace, executor);
      ASSERT_TRUE(status.ok()) << status.message();
      ASSERT_TRUE(testing::SameReals(type, expected, out.data()));
    }
    return;
  }
  const PerTensor& e = *c.output;
  const DType type = CodeDType(e.grid);
  GuardedBuffer<std::byte> out(expected.size() * SizeOf(type));
  const Status status = linear.Run(x, {type, {rows, n}, out}, workspace, executor);
  ASSERT_TRUE(status.ok()) << status.message();
  for (size_t i = 0; i < expected.size(); ++i) {
    const std::byte* at = out.data() + i * SizeOf(type);
    const int64_t code =
        reference::QuantizeReal(expected[i], e.grid, e.scale, e.offset, RoundingProfile::kAimetDiv).code;
    ASSERT_EQ(std::memcmp(at, &code, SizeOf(type)), 0) << "output " << i;  // little endian
  }
}

void CheckRandomLayers(std::initializer_list<RowMode> modes, uint64_t stream) {
  Random random(stream);
  testing::AnyMachine machine;
  for (size_t i = 0; i < testing::Cases(300); ++i) {
    SCOPED_TRACE("case " + std::to_string(i) + " seed " + std::to_string(testing::Seed()));
    Case c = DrawCase(random, *(modes.begin() + random.Size(0, modes.size() - 1)));
    c.options.max_isa = machine.Target(random);
    c.options.executor = &machine.Workers(random);
    const Result<FloatLinear> linear = FloatLinear::Prepare(SpecOf(c), c.options);
    ASSERT_TRUE(linear.ok()) << linear.status().message();
    SCOPED_TRACE(linear->info().variant + ", " + linear->info().weights);
    Check(c, *linear, machine.Workers(random));
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(FloatLinear, FloatsMatchReferenceOnEveryTargetAndExecutor) { CheckRandomLayers({RowMode::kAsFloats}, 85); }

TEST(FloatLinear, DynamicRowsMatchReferenceOnEveryTargetAndExecutor) {
  CheckRandomLayers({RowMode::kDynamicU8, RowMode::kDynamicS8}, 86);
}

// Large enough to be cut into tasks.
TEST(FloatLinear, ThreadsDoNotChangeBits) {
  Random random(87);
  testing::ThreadExecutor two(2), seven(7);
  for (RowMode mode : {RowMode::kAsFloats, RowMode::kDynamicU8, RowMode::kDynamicS8}) {
    Case c{65, 300, 512, Floats(random, 300 * 512, 1), {}, PerTensor{{4, true}, 0.125f, 0}, mode};
    c.x = Floats(random, 65 * 512, 3);
    const Result<FloatLinear> linear = FloatLinear::Prepare(SpecOf(c));
    ASSERT_TRUE(linear.ok()) << linear.status().message();
    for (Executor* executor : {&SerialExecutor(), static_cast<Executor*>(&two), static_cast<Executor*>(&seven)}) {
      Check(c, *linear, *executor);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(FloatLinear, NanMakesItsRowNan) {
  for (RowMode mode : {RowMode::kAsFloats, RowMode::kDynamicU8, RowMode::kDynamicS8}) {
    Random random(88);
    Case c{2, 5, 7, Floats(random, 35, 1), {}, PerTensor{{8, true}, 0.01f, 0}, mode};
    c.x = Floats(random, 14, 1);
    c.x[3] = std::nanf("");
    const Result<FloatLinear> linear = FloatLinear::Prepare(SpecOf(c));
    ASSERT_TRUE(linear.ok());
    std::vector<float> y(10);
    std::vector<std::byte> workspace(linear->WorkspaceBytes(2, 1));
    const TensorView out{DType::kF32, {2, 5}, std::as_writable_bytes(std::span(y))};
    const ConstTensorView in{DType::kF32, {2, 7}, std::as_bytes(std::span(c.x))};
    ASSERT_TRUE(linear->Run(in, out, workspace, SerialExecutor()).ok());
    for (size_t i = 0; i < 10; ++i) EXPECT_EQ(std::isnan(y[i]), i < 5) << i;
  }
}

void ExpectRefusal(const Case& c, const char* words) {
  const Result<FloatLinear> linear = FloatLinear::Prepare(SpecOf(c));
  ASSERT_FALSE(linear.ok());
  EXPECT_NE(linear.status().message().find(words), std::string::npos) << linear.status().message();
}

TEST(FloatLinear, PrepareRefusesWhatItCannotRun) {
  Case c{1, 2, 4, std::vector<float>(8, 0.5f), {}, PerTensor{{8, true}, 0.01f, 0}};
  Case many_bits = c, blocks = c, codes = c, weights = c, floats = c;
  many_bits.encoding = PerTensor{{9, true}, 0.01f, 0};
  ExpectRefusal(many_bits, "weights of 9 bits; floats are multiplied by 2 to 8");
  blocks.encoding = PerBlock{{4, true}, 0, 1, 2, {0.1f, 0.2f, 0.1f, 0.1f}, {0, 0, 0, 0}};
  blocks.mode = RowMode::kDynamicU8;
  ExpectRefusal(blocks, "float scales vary inside channel 0");
  codes.output = PerTensor{{8, false}, 0.5f, 0};
  codes.mode = RowMode::kDynamicS8;
  ExpectRefusal(codes, "output encoding of scale 0.5");
  weights.k = 5;
  ExpectRefusal(weights, "8 weights, but 2 output channels x 5 inputs");
  weights.encoding.reset();
  ExpectRefusal(weights, "8 weights, but 2 output channels x 5 inputs");
  floats.encoding.reset();
  floats.mode = RowMode::kDynamicU8;
  ExpectRefusal(floats, "multiplied by integers, but the weight has no encoding");
}

TEST(FloatLinear, RunRefusesWrongViews) {
  Case c{1, 2, 4, std::vector<float>(8, 0.5f), {}, PerTensor{{8, true}, 0.01f, 0}};
  const Result<FloatLinear> linear = FloatLinear::Prepare(SpecOf(c));
  ASSERT_TRUE(linear.ok());
  std::vector<std::byte> in(16), out(8), workspace(linear->WorkspaceBytes(1, 1));
  const ConstTensorView x{DType::kF32, {1, 4}, in};
  const TensorView y{DType::kF32, {1, 2}, out};
  EXPECT_TRUE(linear->Run(x, y, workspace, SerialExecutor()).ok());
  EXPECT_FALSE(linear->Run({DType::kU8, {1, 4}, in}, y, workspace, SerialExecutor()).ok());
  EXPECT_FALSE(linear->Run({DType::kF32, {1, 3}, in}, y, workspace, SerialExecutor()).ok());
  EXPECT_FALSE(linear->Run(x, {DType::kU8, {1, 2}, out}, workspace, SerialExecutor()).ok());
  EXPECT_FALSE(linear->Run(x, y, std::span(workspace).first(1), SerialExecutor()).ok());
}

}  // namespace
}  // namespace lq
