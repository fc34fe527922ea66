// LPBQ: threads, targets, and arguments that make no sense. Its numbers: lpbq_golden_test.
#include "lanequant/lpbq.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/executors.h"
#include "tests/support/expect_error.h"
#include "tests/support/lpbq_case.h"
#include "tests/support/random.h"

namespace lq::testing {
namespace {

// Rows long enough for several tasks; blocks along the last axis, along the first, of odd sizes.
TEST(Lpbq, ThreadsAndTargetsDoNotMatter) {
  Random random(70);
  const std::vector<std::vector<int64_t>> block_sizes = {{1, 16}, {1, 32}, {8, 1}, {3, 1}, {1, 24}, {2, 3}, {24, 96}};
  for (const std::vector<int64_t>& block : block_sizes) {
    for (const Shape& shape : {Shape{960, 288}, Shape{48, 96}, Shape{3, 24, 96}}) {
      LpbqCase c;
      c.shape = shape;
      const size_t rank = shape.rank();
      c.layout.scale_shape = Shape{shape[rank - 2] / block[0], shape[rank - 1] / block[1]};
      c.layout.block_size = block;
      c.layout.block_grouping = {1, -1};
      c.elements = static_cast<size_t>(shape.NumElements());
      for (size_t i = 0; i < c.elements; ++i) c.weight.push_back(random.Float(-1, 1));
      const Result<LpbqScales> scales = DeriveLpbqOfWeight(c.view(), c.layout, CalibrationTool::kAimetTorch);
      ASSERT_TRUE(scales.ok()) << scales.status().message();
      const std::vector<std::byte> codes = Compressed(c, *scales, RoundingProfile::kAimetDiv, DType::kS4);
      const std::vector<std::byte> bytes = Compressed(c, *scales, RoundingProfile::kAimetDiv, DType::kS8);
      const std::vector<int8_t> expected = ExpandedToS8(c, *scales, DType::kS8, bytes);  // one by one
      const size_t lead = c.elements / static_cast<size_t>(shape[rank - 2] * shape[rank - 1]);
      const size_t rows = c.elements / lead / static_cast<size_t>(shape[rank - 1]), columns = c.elements / lead / rows;
      for (size_t i = 0; i < c.elements; ++i) {
        const size_t row = i / columns % rows, column = i % columns;
        const size_t index = row / static_cast<size_t>(block[0]) * (columns / static_cast<size_t>(block[1])) +
                             column / static_cast<size_t>(block[1]);
        ASSERT_EQ(expected[i], CodeAt(codes, DType::kS4, i) * scales->int_scale[index]);
      }
      for (const size_t workers : {size_t{1}, size_t{2}, size_t{7}}) {
        ThreadExecutor threads(workers);
        for (const TargetInfo& target : CompiledTargets()) {
          const BulkOptions bulk{&threads, target.name};
          EXPECT_EQ(Compressed(c, *scales, RoundingProfile::kAimetDiv, DType::kS4, bulk), codes);
          EXPECT_EQ(ExpandedToS8(c, *scales, DType::kS4, codes, bulk), expected) << target.name << " " << workers;
        }
      }
    }
  }
}

LpbqLayout TwoByFour() {
  LpbqLayout layout;
  layout.scale_shape = Shape{2, 4};
  layout.block_size = {1, 8};
  layout.block_grouping = {1, -1};
  return layout;
}

TEST(Lpbq, HostileLayouts) {
  const std::vector<float> raw(8, 0.5f);
  const auto error = [&](auto change) {
    LpbqLayout layout = TwoByFour();
    change(layout);
    return DeriveLpbq({DType::kF32, Shape{2, 4}, std::as_bytes(std::span(raw))}, layout).status();
  };
  using L = LpbqLayout;
  ExpectInvalid(error([](L& l) { l.bitwidth = 1; }), {"bitwidth 1", "2..16"});
  ExpectInvalid(error([](L& l) { l.decompressed_bitwidth = 3; }), {"decompressed_bitwidth 3", "4..20"});
  ExpectInvalid(error([](L& l) { l.decompressed_bitwidth = 200; }), {"decompressed_bitwidth 200"});
  ExpectInvalid(error([](L& l) { l.block_grouping = {1, 3}; }), {"block_grouping 3", "4 blocks", "dimension 1"});
  ExpectInvalid(error([](L& l) { l.block_grouping = {1, 0}; }), {"block_grouping 0"});
  ExpectInvalid(error([](L& l) { l.block_grouping = {1}; }), {"2 dimensions", "block_grouping 1"});
  ExpectInvalid(error([](L& l) { l.block_size = {8}; }), {"2 dimensions", "block_size 1"});
  ExpectInvalid(error([](L& l) { l.scale_shape = Shape{2, 5}; }), {"(2, 4)", "(2, 5)"});
  ExpectInvalid(error([](L& l) { l.scale_shape = Shape{0, 4}; }), {"(0, 4)"});
}

TEST(Lpbq, HostileScales) {
  const LpbqLayout layout = TwoByFour();
  std::vector<float> raw(8, 0.5f);
  for (const float bad : {0.0f, -1.0f, __builtin_inff(), __builtin_nanf("")}) {
    raw[5] = bad;
    ExpectInvalid(DeriveLpbq({DType::kF32, Shape{2, 4}, std::as_bytes(std::span(raw))}, layout).status(),
                  {"raw_scale", "element 5"});
  }
  ExpectInvalid(DeriveLpbq({DType::kS32, Shape{2, 4}, std::as_bytes(std::span(raw))}, layout).status(), {"s32", "f32"});
  ExpectInvalid(MakeLpbqScales(layout, std::vector<uint32_t>(7, 1), {1, 1}).status(), {"7 elements", "needs 8"});
  ExpectInvalid(MakeLpbqScales(layout, std::vector<uint32_t>(8, 1), {1}).status(), {"1 elements", "needs 2"});
  ExpectInvalid(MakeLpbqScales(layout, {1, 1, 1, 1, 1, 17, 1, 1}, {1, 1}).status(), {"element 5 is 17", "1..16"});
  ExpectInvalid(MakeLpbqScales(layout, std::vector<uint32_t>(8, 0), {1, 1}).status(), {"element 0 is 0"});
  ExpectInvalid(MakeLpbqScales(layout, std::vector<uint32_t>(8, 1), {1, -1}).status(), {"element 1 is -1"});
  ExpectInvalid(MakeLpbqScales(layout, std::vector<uint32_t>(8, 1), {1, 1e39}).status(), {"element 1 is 1e+39"});
}

TEST(Lpbq, HostileTensors) {
  const LpbqScales scales = *MakeLpbqScales(TwoByFour(), std::vector<uint32_t>(8, 2), {1, 1});
  std::vector<std::byte> codes(32), wide(256), weight(256);
  const Shape shape{2, 32};
  const auto compress = [&](DType type, Shape weight_shape, size_t bytes) {
    return LpbqCompress({DType::kF32, weight_shape, weight}, scales, RoundingProfile::kAimetDiv,
                        {type, weight_shape, std::span(wide).first(bytes)});
  };
  EXPECT_TRUE(compress(DType::kS4, shape, 32).ok());
  ExpectInvalid(compress(DType::kS4, shape, 31), {"31", "32"});
  ExpectInvalid(compress(DType::kS4, Shape{2, 24}, 32), {"(2, 24)"});
  ExpectInvalid(compress(DType::kS2, shape, 32), {"s2"});
  ExpectInvalid(compress(DType::kU4, shape, 32), {"u4"});
  const ConstTensorView half{DType::kF16, shape, std::span(weight).first(128)};
  ExpectInvalid(LpbqCompress(half, scales, RoundingProfile::kAimetDiv, {DType::kS4, shape, wide}), {"weight", "f16"});
  ExpectInvalid(DeriveLpbqOfWeight(half, TwoByFour(), CalibrationTool::kAimetTorch).status(), {"weight", "f16"});
  const auto expand = [&](DType from, DType to, size_t bytes) {
    return LpbqExpand({from, shape, codes}, scales, {to, shape, std::span(wide).first(bytes)});
  };
  EXPECT_TRUE(expand(DType::kS4, DType::kS8, 64).ok());
  ExpectInvalid(expand(DType::kS4, DType::kS8, 63), {"63 bytes", "64"});
  ExpectInvalid(expand(DType::kS8, DType::kS8, 64), {"32 bytes", "64"});
  ExpectInvalid(expand(DType::kS4, DType::kF16, 128), {"out", "f16"});
  ExpectInvalid(expand(DType::kS2, DType::kS8, 64), {"s2", "bitwidth is 4"});
  ExpectInvalid(expand(DType::kF32, DType::kS8, 64), {"f32"});
  LpbqScales broken = scales;
  broken.scale.pop_back();
  ExpectInvalid(LpbqExpand({DType::kS4, shape, codes}, broken, {DType::kS8, shape, wide}), {"7 scales", "needs 8"});
  broken = scales;
  broken.layout.decompressed_bitwidth = 9;
  ExpectInvalid(LpbqExpand({DType::kS4, shape, codes}, broken, {DType::kS8, shape, wide}), {"9"});
}

}  // namespace
}  // namespace lq::testing
