#include "lanequant/conv2d.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "kernels/reference/reference.h"
#include "runtime/aligned_buffer.h"
#include "runtime/views.h"
#include "tests/support/any_machine.h"
#include "tests/support/executors.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/layer_cases.h"
#include "tests/support/matmul_outputs.h"

namespace lq {
namespace {

using testing::GuardedBuffer;
using testing::LayerCase;

struct ConvCase {
  LayerCase layer;
  Conv2dSpec spec;
  Shape input;  // channels last
};

// Groups: one, several, or one channel each with one or more outputs.
ConvCase Draw(testing::Random& random) {
  ConvCase c;
  Conv2dSpec& s = c.spec;
  const size_t groups = random.Chance(0.5) ? 1 : random.LogSize(1, 20);
  const size_t in_group = random.Chance(0.4) ? 1 : random.LogSize(1, 24),
               out_group = random.Chance(0.4) ? 1 : random.LogSize(1, 30);
  s.name = "conv";
  s.groups = groups;
  s.in_channels = groups * in_group;
  s.out_channels = groups * out_group;
  for (size_t i = 0; i < 2; ++i) {
    s.kernel[i] = random.Chance(0.4) ? 1 : random.LogSize(1, 5);
    s.stride[i] = random.Size(1, 2);
    s.dilation[i] = random.Size(1, 2);
    s.padding[i] = random.Chance(0.5) ? 0 : random.Size(0, 3);
    s.padding[i + 2] = random.Chance(0.5) ? 0 : random.Size(0, 3);
  }
  const auto length = [&](size_t i) {  // with its padding at least a window; alone it may be shorter
    const size_t padded = (s.kernel[i] - 1) * s.dilation[i] + random.LogSize(1, 8);
    const size_t padding = random.Chance(0.3) ? s.padding[i] + s.padding[i + 2] : 0;
    return std::max(padded, padding + 1) - padding;
  };
  c.input = {static_cast<int64_t>(random.Size(1, 5)), static_cast<int64_t>(length(0)), static_cast<int64_t>(length(1)),
             static_cast<int64_t>(s.in_channels)};
  c.layer = testing::DrawLayer(random, {static_cast<int64_t>(s.out_channels), static_cast<int64_t>(in_group),
                                        static_cast<int64_t>(s.kernel[0]), static_cast<int64_t>(s.kernel[1])});
  return c;
}

void Connect(ConvCase& c) {
  c.spec.weight = c.layer.weight;
  c.spec.weight_encoding = c.layer.weight_encoding;
  c.spec.input = c.layer.input;
  c.spec.output = c.layer.Stage();
}

testing::Expected Expect(const ConvCase& c, const Shape& out, std::span<const int32_t> codes) {
  const Conv2dSpec& s = c.spec;
  const auto u = [](int64_t v) { return static_cast<size_t>(v); };
  const reference::ConvGeometry g{u(c.input[0]),  s.in_channels, u(c.input[1]), u(c.input[2]),
                                  s.out_channels, u(out[1]),     u(out[2]),     s.groups,
                                  s.kernel[0],    s.kernel[1],   s.stride[0],   s.stride[1],
                                  s.dilation[0],  s.dilation[1], s.padding[0],  s.padding[1]};
  const size_t pixels = g.in_height * g.in_width;
  std::vector<int32_t> x(codes.size());
  for (size_t i = 0; i < codes.size(); ++i) {
    const size_t channel = i % s.in_channels, pixel = i / s.in_channels % pixels, image = i / s.in_channels / pixels;
    x[(image * s.in_channels + channel) * pixels + pixel] = codes[i] + c.layer.input.offset;
  }
  std::vector<int64_t> acc(static_cast<size_t>(out.NumElements()));
  reference::ConvAcc(g, x, testing::ExpectedWeights(c.layer), acc);
  return testing::ExpectedOutputs(c.layer, acc, u(out[1] * out[2]));
}

void Check(const ConvCase& c, const Conv2d& conv, testing::Random& random, Executor& executor) {
  const Result<Shape> out_shape = conv.OutputShape(c.input);
  ASSERT_TRUE(out_shape.ok()) << out_shape.status().message();
  const std::vector<int32_t> codes =
      testing::DrawCodes(random, c.layer.input, static_cast<size_t>(c.input.NumElements()));
  GuardedBuffer<std::byte> in(codes.size() * CodeBytes(c.layer.input.grid));
  testing::StoreCodes(codes, in);
  const testing::Expected expected = Expect(c, *out_shape, codes);
  const auto n = static_cast<size_t>(out_shape->NumElements());
  const size_t channels = c.spec.out_channels, pixels = static_cast<size_t>((*out_shape)[1] * (*out_shape)[2]);
  const auto first = [&](size_t i) {  // channels last -> channels first
    return (i / channels / pixels * channels + i % channels) * pixels + i / channels % pixels;
  };
  GuardedBuffer<std::byte> workspace(conv.WorkspaceBytes(c.input, executor.workers()));
  const ConstTensorView x{CodeDType(c.layer.input.grid), c.input, std::as_bytes(std::span<std::byte>(in))};
  if (c.layer.output) {
    GuardedBuffer<std::byte> out(n * CodeBytes(c.layer.output->grid));
    const Status status = conv.Run(x, {CodeDType(c.layer.output->grid), *out_shape, out}, workspace, executor);
    ASSERT_TRUE(status.ok()) << status.message();
    const std::vector<int32_t> got = testing::LoadCodes(std::as_bytes(std::span<std::byte>(out)), c.layer.output->grid);
    for (size_t i = 0; i < n; ++i) ASSERT_EQ(got[i], expected.codes[first(i)]) << "output " << i;
  } else {
    std::vector<double> reals(n);
    for (size_t i = 0; i < n; ++i) reals[i] = expected.reals[first(i)];
    for (const auto& [dtype, type] : testing::kRealTypes) {
      GuardedBuffer<std::byte> out(n * SizeOf(dtype));
      const Status status = conv.Run(x, {dtype, *out_shape, out}, workspace, executor);
      ASSERT_TRUE(status.ok()) << status.message();
      ASSERT_TRUE(testing::SameReals(type, reals, out.data()));
    }
  }
}

TEST(Conv2d, MatchesReferenceOnEveryTargetAndExecutor) {
  testing::Random random(91);
  testing::AnyMachine machine;
  for (size_t i = 0; i < testing::Cases(400); ++i) {
    SCOPED_TRACE("case " + std::to_string(i) + " seed " + std::to_string(testing::Seed()));
    ConvCase c = Draw(random);
    Connect(c);
    c.layer.options.max_isa = machine.Target(random);
    c.layer.options.executor = &machine.Workers(random);
    const Result<Conv2d> conv = Conv2d::Prepare(c.spec, c.layer.options);
    ASSERT_TRUE(conv.ok()) << conv.status().message();
    SCOPED_TRACE(conv->info().variant + ", " + conv->info().weights);
    Check(c, *conv, random, machine.Workers(random));
    if (HasFatalFailure()) return;
  }
}

// Large enough to be cut into bands, blocks of pixels and stripes of channels.
TEST(Conv2d, ThreadsDoNotChangeBits) {
  testing::Random random(92);
  testing::ThreadExecutor two(2), seven(7);
  for (const size_t groups : {size_t{1}, size_t{2}, size_t{64}}) {
    ConvCase c;
    c.spec.name = "conv";
    c.spec.in_channels = c.spec.out_channels = 64;
    c.spec.groups = groups;
    c.spec.kernel = {3, 3};
    c.spec.padding = {1, 1, 1, 1};
    c.input = {2, 30, 31, 64};
    c.layer = testing::DrawLayer(random, {64, static_cast<int64_t>(64 / groups), 3, 3});
    Connect(c);
    const Result<Conv2d> conv = Conv2d::Prepare(c.spec, c.layer.options);
    ASSERT_TRUE(conv.ok()) << conv.status().message();
    for (Executor* executor : {&SerialExecutor(), static_cast<Executor*>(&two), static_cast<Executor*>(&seven)}) {
      Check(c, *conv, random, *executor);
      if (HasFatalFailure()) return;
    }
  }
}

// 4 outputs, weights of 8 bits.
void DrawS8(testing::Random& random, size_t in_channels, const std::array<size_t, 2>& kernel, ConvCase& c) {
  c.spec.name = "conv";
  c.spec.in_channels = in_channels;
  c.spec.out_channels = 4;
  c.spec.kernel = kernel;
  c.layer = testing::DrawLayer(
      random, {4, static_cast<int64_t>(in_channels), static_cast<int64_t>(kernel[0]), static_cast<int64_t>(kernel[1])});
  c.layer.input = {{8, false}, 0.1f, -3};
  c.layer.weight_encoding = PerTensor{{8, true}, 0.01f, 0};
  Connect(c);
}

// Rows and columns between what a window reads, and padding, are not copied where they are most of it.
TEST(Conv2d, WideWindowsTakeLittleMemory) {
  testing::Random random(94);
  ConvCase c;
  DrawS8(random, 4, {2, 1}, c);
  c.spec.stride = {1, size_t{1} << 18};
  c.spec.dilation = {size_t{1} << 20, 1};
  c.spec.padding = {size_t{1} << 19, size_t{1} << 20, size_t{1} << 19, size_t{1} << 20};
  c.input = {1, 1, 1, 4};
  const Result<Conv2d> conv = Conv2d::Prepare(c.spec, c.layer.options);
  ASSERT_TRUE(conv.ok()) << conv.status().message();
  ASSERT_LT(conv->WorkspaceBytes(c.input, 1), size_t{1} << 20);
  Check(c, *conv, random, SerialExecutor());
}

TEST(Conv2d, TakesNoImages) {
  testing::Random random(95);
  ConvCase c;
  DrawS8(random, 4, {3, 3}, c);
  c.spec.output = {};
  const Result<Conv2d> conv = Conv2d::Prepare(c.spec, c.layer.options);
  ASSERT_TRUE(conv.ok()) << conv.status().message();
  testing::ThreadExecutor two(2);
  for (Executor* executor : {&SerialExecutor(), static_cast<Executor*>(&two)}) {
    std::vector<std::byte> workspace(conv->WorkspaceBytes({0, 9, 9, 4}, executor->workers()));
    const Status status =
        conv->Run({DType::kU8, {0, 9, 9, 4}, {}}, {DType::kF32, {0, 7, 7, 4}, {}}, workspace, *executor);
    EXPECT_TRUE(status.ok()) << status.message();
  }
}

// Zeros make this filter wider inside.
TEST(Conv2d, NamesTheFilterAsItWasGiven) {
  testing::Random random(96);
  ConvCase c;
  DrawS8(random, 3, {3, 3}, c);
  const Result<Conv2d> conv = Conv2d::Prepare(c.spec, c.layer.options);
  ASSERT_TRUE(conv.ok()) << conv.status().message();
  const Result<Shape> out = conv->OutputShape({1, 9, 2, 3});
  ASSERT_FALSE(out.ok());
  EXPECT_NE(out.status().message().find("2 long along axis 2, shorter than its window of 3"), std::string::npos)
      << out.status().message();
}

// Only weights of 8 bits are read in the image: zeros that make others wider would be multiplied for nothing.
TEST(Conv2d, WidensNoFiltersOf16Bits) {
  testing::Random random(97);
  ConvCase c;
  DrawS8(random, 3, {3, 3}, c);
  for (const int bits : {8, 16}) {
    c.spec.weight_encoding = PerTensor{{bits, true}, bits == 8 ? 0.01f : 1e-5f, 0};
    const Result<Conv2d> conv = Conv2d::Prepare(c.spec, c.layer.options);
    ASSERT_TRUE(conv.ok()) << conv.status().message();
    const size_t k = bits == 8 ? 3 * 4 * 3 : 28;  // of 3 * 3 * 3
    EXPECT_EQ(conv->info().packed_bytes, RoundUp(16 * k * static_cast<size_t>(bits) / 8, kAlignment)) << bits;
  }
}

// 6 x 4 x 3 x 3.
void DrawSmall(ConvCase& c) {
  testing::Random random(93);
  c = Draw(random);
  c.spec.groups = 1;
  c.spec.in_channels = 4;
  c.spec.out_channels = 6;
  c.spec.kernel = {3, 3};
  c.layer = testing::DrawLayer(random, {6, 4, 3, 3});
  c.layer.input = {{8, false}, 0.1f, -3};
  Connect(c);
}

TEST(Conv2d, RefusesWhatDoesNotFit) {
  ConvCase c;
  DrawSmall(c);
  const auto refused = [&](const char* words, auto spoil) {
    Conv2dSpec spec = c.spec;
    spoil(spec);
    const Result<Conv2d> conv = Conv2d::Prepare(spec);
    ASSERT_FALSE(conv.ok()) << words;
    EXPECT_NE(conv.status().message().find(words), std::string::npos) << conv.status().message();
  };
  refused("3 groups do not divide 4 input and 6 output", [](Conv2dSpec& s) { s.groups = 3; });
  refused("0 groups", [](Conv2dSpec& s) { s.groups = 0; });
  refused("stride 0 is outside", [](Conv2dSpec& s) { s.stride = {0, 1}; });
  refused("dilation 0 is outside", [](Conv2dSpec& s) { s.dilation = {1, 0}; });
  refused("216 weights, but 6 output channels x 4 inputs x 6 taps", [](Conv2dSpec& s) { s.kernel = {3, 2}; });
  refused("offset 5 puts code -5 outside the input's grid", [](Conv2dSpec& s) {
    s.padding = {1, 1, 1, 1};
    s.input->offset = 5;
  });
  refused("multiplied by integers, but the weight has no encoding", [](Conv2dSpec& s) { s.weight_encoding.reset(); });
  c.spec.padding = {0, 0, 0, 0};
  const Result<Conv2d> conv = Conv2d::Prepare(c.spec);
  ASSERT_TRUE(conv.ok()) << conv.status().message();
  EXPECT_FALSE(conv->OutputShape({1, 2, 9, 4}).ok());
  EXPECT_FALSE(conv->OutputShape({1, 9, 9, 5}).ok());
  EXPECT_FALSE(conv->OutputShape({9, 9, 4}).ok());
  c.spec.input.reset();
  const Result<Conv2d> floats = Conv2d::Prepare(c.spec);
  ASSERT_TRUE(floats.ok()) << floats.status().message();
  EXPECT_TRUE(floats->info().sums_floats);
  std::vector<std::byte> codes(36), out(24), workspace(floats->WorkspaceBytes({1, 3, 3, 4}, 1));
  const Status status =
      floats->Run({DType::kU8, {1, 3, 3, 4}, codes}, {DType::kF32, {1, 1, 1, 6}, out}, workspace, SerialExecutor());
  EXPECT_NE(status.message().find("input: type u8, but it is f32"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace lq
