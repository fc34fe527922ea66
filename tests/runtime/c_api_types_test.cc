// Messages, sizes of structs, tensors, executors: what every function of the C API does alike.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>

#include "lanequant/calibrate.h"
#include "lanequant/encoding.h"
#include "lanequant/executor.h"
#include "lanequant/lanequant.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"
#include "runtime/c_api/arguments.h"
#include "runtime/c_api/call.h"
#include "tests/support/c_api.h"
#include "tests/support/guarded_buffer.h"

namespace lq {
namespace {

using testing::ExpectFails;
using testing::ExpectOk;
using testing::GuardedBuffer;

TEST(CApiTypesTest, EnumsAreThoseOfCxx) {
  EXPECT_EQ(LQ_OK, static_cast<int>(StatusCode::kOk));
  EXPECT_EQ(LQ_INVALID_ARGUMENT, static_cast<int>(StatusCode::kInvalidArgument));
  EXPECT_EQ(LQ_UNSUPPORTED, static_cast<int>(StatusCode::kUnsupported));
  EXPECT_EQ(LQ_NOT_FOUND, static_cast<int>(StatusCode::kNotFound));
  EXPECT_EQ(LQ_IO, static_cast<int>(StatusCode::kIo));
  const struct {
    lq_dtype c;
    DType cxx;
  } types[] = {{LQ_F32, DType::kF32}, {LQ_F64, DType::kF64},   {LQ_U8, DType::kU8},   {LQ_S8, DType::kS8},
               {LQ_U16, DType::kU16}, {LQ_S16, DType::kS16},   {LQ_S32, DType::kS32}, {LQ_S64, DType::kS64},
               {LQ_F16, DType::kF16}, {LQ_BF16, DType::kBF16}, {LQ_U4, DType::kU4},   {LQ_S4, DType::kS4},
               {LQ_U2, DType::kU2},   {LQ_S2, DType::kS2},     {LQ_U6, DType::kU6}};
  for (const auto& type : types) EXPECT_EQ(type.c, static_cast<int>(type.cxx)) << NameOf(type.cxx);
  EXPECT_EQ(size_t{LQ_MAX_RANK}, Shape::kMaxRank);
  EXPECT_EQ(LQ_TOOL_QUARK_TORCH, static_cast<int>(CalibrationTool::kQuarkTorch));
  EXPECT_EQ(LQ_MSE, static_cast<int>(CalibrationScheme::kMse));
}

TEST(CApiTypesTest, TensorBytes) {
  const int64_t dims[] = {3, 5};
  EXPECT_EQ(lq_tensor_bytes(LQ_F32, 2, dims), 60u);
  EXPECT_EQ(lq_tensor_bytes(LQ_BF16, 2, dims), 30u);
  EXPECT_EQ(lq_tensor_bytes(LQ_U4, 2, dims), 8u);
  EXPECT_EQ(lq_tensor_bytes(LQ_S2, 2, dims), 4u);
  EXPECT_EQ(lq_tensor_bytes(LQ_F64, 0, nullptr), 8u);
  EXPECT_EQ(lq_tensor_bytes(LQ_F32, 1, nullptr), 0u);
  EXPECT_EQ(lq_tensor_bytes(LQ_F32, 9, dims), 0u);
  EXPECT_EQ(lq_tensor_bytes(LQ_F32, -1, dims), 0u);
  EXPECT_EQ(lq_tensor_bytes(LQ_U6, 2, dims), 12u);
  EXPECT_EQ(lq_tensor_bytes(15, 2, dims), 0u);
  EXPECT_EQ(lq_tensor_bytes(-1, 2, dims), 0u);
  const int64_t negative[] = {3, -1}, huge[] = {int64_t{1} << 40, int64_t{1} << 22};
  EXPECT_EQ(lq_tensor_bytes(LQ_F32, 2, negative), 0u);
  EXPECT_EQ(lq_tensor_bytes(LQ_F64, 2, huge), 0u);
}

TEST(CApiTypesTest, Version) { EXPECT_STREQ(lq_version(), LQ_PROJECT_VERSION); }

TEST(CApiTypesTest, Executors) {
  lq_executor* executor = nullptr;
  ExpectOk([&](lq_message* message) { return lq_executor_create(3, &executor, message); });
  ASSERT_NE(executor, nullptr);
  EXPECT_EQ(lq_executor_threads(executor), MakeTbbExecutor(3)->workers());
  lq_executor_free(executor);
  ExpectOk([&](lq_message* message) { return lq_executor_create(0, &executor, message); });
  EXPECT_EQ(lq_executor_threads(executor), MakeTbbExecutor(0)->workers());
  lq_executor_free(executor);
  EXPECT_EQ(lq_executor_threads(nullptr), 1u);
  lq_executor_free(nullptr);
  ExpectFails([](lq_message* message) { return lq_executor_create(1, nullptr, message); }, LQ_INVALID_ARGUMENT,
              {"executor is null"});
}

// A call that fails, with a buffer of `bytes` that ends at a guard page.
std::string CutMessage(size_t bytes) {
  GuardedBuffer<char> text(bytes);
  lq_message message{text.data(), bytes};
  EXPECT_EQ(lq_executor_create(1, nullptr, &message), LQ_INVALID_ARGUMENT);
  return bytes == 0 ? "" : std::string(text.data(), strnlen(text.data(), bytes));
}

TEST(CApiTypesTest, MessagesAreCutToTheBuffer) {
  EXPECT_EQ(CutMessage(0), "");
  EXPECT_EQ(CutMessage(1), "");
  EXPECT_EQ(CutMessage(4), "exe");
  EXPECT_EQ(CutMessage(17), "executor is null");
  EXPECT_EQ(CutMessage(100), "executor is null");
  lq_message none{nullptr, 10};
  EXPECT_EQ(lq_executor_create(1, nullptr, &none), LQ_INVALID_ARGUMENT);
}

TEST(CApiTypesTest, NothingIsThrownFurther) {
  const auto fails = [](auto exception) {
    ExpectFails([&](lq_message* m) { return c_api::Call(m, [&]() -> Status { throw exception; }); },
                LQ_INVALID_ARGUMENT, {"memory"});
  };
  fails(std::bad_alloc());
  fails(std::length_error("vector"));
}

struct Options {
  size_t struct_size;
  int32_t value;
  int32_t other;
};

// As much of a struct as the caller says there is, flush against a guard page; the tail beyond Options is 0 but for
// its last byte.
Status ReadWithSize(size_t bytes, size_t struct_size, unsigned char last) {
  GuardedBuffer<unsigned char> memory(bytes);
  std::memset(memory.data(), 0, bytes);
  memory[bytes - 1] = last;
  std::memcpy(memory.data(), &struct_size, sizeof(struct_size));
  return c_api::ReadOptions("options", reinterpret_cast<const Options*>(memory.data())).status();
}

TEST(CApiTypesTest, StructSizes) {
  static_assert(sizeof(Options) == 16);
  EXPECT_TRUE(ReadWithSize(16, 16, 5).ok());
  EXPECT_TRUE(ReadWithSize(24, 24, 0).ok());   // a newer caller that uses nothing new
  EXPECT_FALSE(ReadWithSize(24, 24, 1).ok());  // and one that does
  EXPECT_EQ(ReadWithSize(24, 24, 1).code(), StatusCode::kUnsupported);
  EXPECT_EQ(ReadWithSize(24, 24, 1).message(),
            "options: byte 23 of 24 is set, but this version knows the first 16 only");
  EXPECT_EQ(ReadWithSize(16, 0, 0).message(), "options: struct_size is 0, but the struct has 16 bytes");
  EXPECT_EQ(ReadWithSize(16, 15, 0).message(), "options: struct_size is 15, but the struct has 16 bytes");
  EXPECT_EQ(ReadWithSize(16, 4097, 0).message(), "options: struct_size is 4097, but the struct has 16 bytes");
  EXPECT_FALSE(ReadWithSize(16, std::numeric_limits<size_t>::max(), 0).ok());
  EXPECT_TRUE(c_api::ReadOptions<Options>("options", nullptr).ok());
  EXPECT_EQ(c_api::ReadStruct<Options>("run", nullptr).status().message(), "run is null");
}

TEST(CApiTypesTest, TensorsAreChecked) {
  alignas(8) std::byte memory[64];
  const lq_tensor good{memory, sizeof(memory), LQ_S16, 2, {4, 8}};
  const auto view = c_api::ReadTensor("x", &good);
  ASSERT_TRUE(view.ok()) << view.status().message();
  EXPECT_EQ(view->dtype, DType::kS16);
  EXPECT_EQ(view->shape, (Shape{4, 8}));
  EXPECT_EQ(view->bytes.data(), memory);
  EXPECT_EQ(view->bytes.size(), sizeof(memory));

  const auto message = [&](auto change) {
    lq_tensor tensor = good;
    change(tensor);
    return c_api::ReadTensor("x", &tensor).status().message();
  };
  EXPECT_EQ(message([](lq_tensor& t) { t.dtype = 15; }), "x: dtype 15 is none of 0 to 14");
  EXPECT_EQ(message([](lq_tensor& t) { t.dtype = -1; }), "x: dtype -1 is none of 0 to 14");
  EXPECT_EQ(message([](lq_tensor& t) { t.rank = 9; }), "x: rank 9 is not in 0 to 8");
  EXPECT_EQ(message([](lq_tensor& t) { t.rank = -1; }), "x: rank -1 is not in 0 to 8");
  EXPECT_EQ(message([](lq_tensor& t) { t.data = nullptr; }), "x: data is null, but has 64 bytes");
  EXPECT_EQ(message([&](lq_tensor& t) { t.data = memory + 1; }),
            "x: data of type s16 lies 1 bytes past a multiple of 2");
  EXPECT_EQ(message([&](lq_tensor& t) { t.data = memory + 1, t.dtype = LQ_S4; }), "");
  EXPECT_EQ(message([](lq_tensor& t) { t.data = nullptr, t.bytes = 0; }), "");
  EXPECT_EQ(c_api::ReadTensor("x", nullptr).status().message(), "x is null");
}

TEST(CApiTypesTest, Profiles) {
  EXPECT_EQ(*c_api::ReadProfile(0), RoundingProfile::kAimetDiv);
  EXPECT_EQ(*c_api::ReadProfile(2), RoundingProfile::kAimetOnnx);
  EXPECT_FALSE(c_api::ReadProfile(-1).ok());
  EXPECT_FALSE(c_api::ReadProfile(1000).ok());
}

}  // namespace
}  // namespace lq
