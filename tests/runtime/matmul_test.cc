#include "lanequant/matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "kernels/reference/reference.h"
#include "runtime/views.h"
#include "tests/support/any_machine.h"
#include "tests/support/executors.h"
#include "tests/support/guarded_buffer.h"
#include "tests/support/layer_cases.h"
#include "tests/support/matmul_outputs.h"
#include "tests/support/random.h"

namespace lq {
namespace {

using testing::GuardedBuffer;
using testing::Random;

struct Case {
  Matmul::Sizes sizes;
  MatmulSpec spec = {};
  std::vector<int32_t> a = {}, b = {};  // codes in the order of memory
};

MatmulSpec SpecOf(const PerTensor& a, const PerTensor& b) {
  MatmulSpec spec;
  spec.name = "qk";
  spec.a = a;
  spec.b = b;
  return spec;
}

PerTensor DrawEncoding(Random& random) {
  const Grid grid = {static_cast<int>(random.Chance(0.6)   ? 8
                                      : random.Chance(0.5) ? 16
                                                           : random.Int(2, 15)),
                     random.Chance(0.5)};
  const int64_t middle = random.Chance(0.3) ? 0 : -random.Int(grid.qmin(), grid.qmax());
  return {grid, random.Float(1e-4f, 1e-2f), static_cast<int32_t>(middle)};
}

Case DrawCase(Random& random) {
  Case c{{random.LogSize(1, 6), random.LogSize(1, 100), random.LogSize(1, 200), random.LogSize(1, 200)}};
  c.spec = SpecOf(DrawEncoding(random), DrawEncoding(random));
  c.spec.b_is_transposed = random.Chance(0.5);
  if (random.Chance(0.6)) {
    c.spec.output = DrawEncoding(random);
    const double spread = std::sqrt(static_cast<double>(c.sizes.k)) * c.spec.a.scale * c.spec.b.scale *
                          std::exp2(c.spec.a.grid.bitwidth + c.spec.b.grid.bitwidth - 2);
    c.spec.output->scale = static_cast<float>(spread / std::exp2(c.spec.output->grid.bitwidth - 1));
  }
  c.a = testing::DrawCodes(random, c.spec.a, c.sizes.batch * c.sizes.m * c.sizes.k);
  c.b = testing::DrawCodes(random, c.spec.b, c.sizes.batch * c.sizes.n * c.sizes.k);
  return c;
}

struct Expected {
  std::vector<int64_t> sums;
  std::vector<double> reals;
};

Expected Expect(const Case& c) {
  const auto& [batch, m, n, k] = c.sizes;
  Expected y;
  for (size_t matrix = 0; matrix < batch; ++matrix) {
    std::vector<int32_t> x, w(n * k);
    for (size_t i = 0; i < m * k; ++i) x.push_back(c.a[matrix * m * k + i] + c.spec.a.offset);
    for (size_t i = 0; i < n * k; ++i) {
      const size_t at = c.spec.b_is_transposed ? i : i % k * n + i / k;
      w[i] = c.b[matrix * n * k + at] + c.spec.b.offset;
    }
    std::vector<int64_t> acc(m * n);
    reference::MatmulAcc(x, w, m, n, k, acc);
    for (int64_t sum : acc) {
      y.sums.push_back(sum);
      y.reals.push_back(reference::LayerOutput(sum, double{c.spec.a.scale}, double{c.spec.b.scale}, nullptr));
    }
  }
  return y;
}

// Whether no codes could take a sum out of 32 bits.
bool SumsFit(const Case& c) {
  const auto largest = [](const PerTensor& e) {
    return static_cast<double>(std::max(std::abs(e.grid.qmin() + e.offset), std::abs(e.grid.qmax() + e.offset)));
  };
  return largest(c.spec.a) * largest(c.spec.b) * static_cast<double>(c.sizes.k) < 0x1p31;
}

Shape Dims(size_t batch, size_t rows, size_t columns) {
  return {static_cast<int64_t>(batch), static_cast<int64_t>(rows), static_cast<int64_t>(columns)};
}

void Check(const Case& c, const Matmul& matmul, Executor& executor) {
  const auto& [batch, m, n, k] = c.sizes;
  const Expected expected = Expect(c);
  GuardedBuffer<std::byte> a(c.a.size() * CodeBytes(c.spec.a.grid)), b(c.b.size() * CodeBytes(c.spec.b.grid));
  testing::StoreCodes(c.a, a);
  testing::StoreCodes(c.b, b);
  GuardedBuffer<std::byte> workspace(matmul.WorkspaceBytes(c.sizes, executor.workers()));
  const ConstTensorView left{CodeDType(c.spec.a.grid), Dims(batch, m, k), std::as_bytes(std::span<std::byte>(a))};
  const ConstTensorView right{CodeDType(c.spec.b.grid), c.spec.b_is_transposed ? Dims(batch, n, k) : Dims(batch, k, n),
                              std::as_bytes(std::span<std::byte>(b))};
  const Shape out_shape = Dims(batch, m, n);
  const auto run = [&](DType type, std::span<std::byte> out) {
    return matmul.Run(left, right, {type, out_shape, out}, workspace, executor);
  };
  if (!c.spec.output) {
    for (const auto& [dtype, type] : testing::kRealTypes) {
      GuardedBuffer<std::byte> out(expected.reals.size() * SizeOf(dtype));
      ASSERT_TRUE(run(dtype, out).ok());
      ASSERT_TRUE(testing::SameReals(type, expected.reals, out.data()));
    }
    GuardedBuffer<int32_t> sums(expected.sums.size());
    const Status status = run(DType::kS32, std::as_writable_bytes(std::span<int32_t>(sums)));
    ASSERT_EQ(status.ok(), SumsFit(c)) << status.message();
    if (!status.ok()) return;
    ASSERT_TRUE(std::equal(sums.begin(), sums.end(), expected.sums.begin()));
    return;
  }
  const PerTensor& e = *c.spec.output;
  GuardedBuffer<std::byte> out(expected.reals.size() * CodeBytes(e.grid));
  const Status status = run(CodeDType(e.grid), out);
  ASSERT_TRUE(status.ok()) << status.message();
  const std::vector<int32_t> got = testing::LoadCodes(std::as_bytes(std::span<std::byte>(out)), e.grid);
  for (size_t i = 0; i < expected.reals.size(); ++i) {
    const int64_t code =
        reference::QuantizeReal(expected.reals[i], e.grid, e.scale, e.offset, RoundingProfile::kAimetDiv).code;
    ASSERT_EQ(got[i], code) << "output " << i;
  }
}

TEST(Matmul, MatchesReferenceOnEveryTargetAndExecutor) {
  Random random(91);
  testing::AnyMachine machine;
  for (size_t i = 0; i < testing::Cases(400); ++i) {
    SCOPED_TRACE("case " + std::to_string(i) + " seed " + std::to_string(testing::Seed()));
    const Case c = DrawCase(random);
    PrepareOptions options;
    options.max_isa = machine.Target(random);
    const Result<Matmul> matmul = Matmul::Prepare(c.spec, options);
    ASSERT_TRUE(matmul.ok()) << matmul.status().message();
    SCOPED_TRACE(matmul->info().variant);
    Check(c, *matmul, machine.Workers(random));
    if (HasFatalFailure()) return;
  }
}

// Large enough to be cut into tasks.
TEST(Matmul, ThreadsDoNotChangeBits) {
  Random random(92);
  testing::ThreadExecutor two(2), seven(7);
  Case c{{2, 130, 300, 257}, SpecOf({{8, false}, 0.01f, -120}, {{8, false}, 0.02f, -3})};
  c.a = testing::DrawCodes(random, c.spec.a, 2 * 130 * 257);
  c.b = testing::DrawCodes(random, c.spec.b, 2 * 300 * 257);
  const Result<Matmul> matmul = Matmul::Prepare(c.spec);
  ASSERT_TRUE(matmul.ok()) << matmul.status().message();
  for (Executor* executor : {&SerialExecutor(), static_cast<Executor*>(&two), static_cast<Executor*>(&seven)}) {
    Check(c, *matmul, *executor);
    if (HasFatalFailure()) return;
  }
}

// The largest k with the largest codes, and one more.
TEST(Matmul, LargestK) {
  for (const bool wide : {false, true}) {
    const PerTensor a = {{wide ? 16 : 8, false}, 1e-3f, 0};
    Case c{{1, 3, 17, Matmul::kMaxK8}, SpecOf(a, {{8, false}, 1e-3f, 0})};
    c.spec.b_is_transposed = true;
    c.a.assign(3 * c.sizes.k, static_cast<int32_t>(a.grid.qmax()));
    for (const int32_t code : {0, 255}) {
      c.b.assign(17 * c.sizes.k, code);
      const Result<Matmul> matmul = Matmul::Prepare(c.spec);
      ASSERT_TRUE(matmul.ok());
      Check(c, *matmul, SerialExecutor());
      if (HasFatalFailure()) return;
    }
  }
}

void ExpectRefusal(const Status& status, const char* words) {
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.message().find(words), std::string::npos) << status.message();
}

TEST(Matmul, RefusesWhatItCannotRun) {
  MatmulSpec spec = SpecOf({{8, false}, 0.1f, 0}, {{8, false}, 0.1f, 0});
  const Result<Matmul> matmul = Matmul::Prepare(spec);
  ASSERT_TRUE(matmul.ok());
  const size_t long_k = Matmul::kMaxK8 + 1;
  std::vector<std::byte> a(long_k), b(long_k), out(4), workspace(matmul->WorkspaceBytes({1, 1, 1, 4}, 1));
  const auto run = [&](const Shape& a_shape, const Shape& b_shape, DType out_type, size_t bytes) {
    return matmul->Run({DType::kU8, a_shape, a}, {DType::kU8, b_shape, b}, {out_type, {1, 1, 1}, out},
                       std::span(workspace).first(bytes), SerialExecutor());
  };
  EXPECT_TRUE(run({1, 1, 4}, {1, 4, 1}, DType::kF32, workspace.size()).ok());
  ExpectRefusal(run({1, 1, 4}, {1, 4, 1}, DType::kU8, workspace.size()),
                "without an encoding it is f16, bf16, f32 or f64, or s32");
  ExpectRefusal(run({1, 1, 4}, {1, 5, 1}, DType::kF32, workspace.size()), "shape (1, 5, 1), but (1, 4, 1) is needed");
  ExpectRefusal(run({1, 4}, {1, 4, 1}, DType::kF32, workspace.size()), "both have 3 dimensions");
  ExpectRefusal(run({1, 1, 4}, {1, 4, 1}, DType::kF32, 10), "workspace of 10 bytes");
  const auto k = static_cast<int64_t>(long_k);
  ExpectRefusal(run({1, 1, k}, {1, k, 1}, DType::kF32, workspace.size()),
                "k 65794, but sums of these codes are exact up to 65793");
  spec.b.scale = 0;
  EXPECT_FALSE(Matmul::Prepare(spec).ok());
}

}  // namespace
}  // namespace lq
