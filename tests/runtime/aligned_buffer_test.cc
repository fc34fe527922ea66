// Memory that the system does not have is a Status, here and where the library asks for much of it.
#include "runtime/aligned_buffer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdint>
#include <limits>
#include <utility>

#include "lanequant/linear.h"
#include "lanequant/model.h"
#include "tests/support/expect_error.h"
#include "tests/support/golden_bundle.h"
#include "tests/support/temp_folder.h"

#if defined(__SANITIZE_ADDRESS__)
#define LQ_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LQ_ASAN 1
#endif
#endif

#ifdef LQ_ASAN
// The sanitizer ends the program where the system's allocator returns null.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {
  return "allocator_may_return_null=1";
}
#endif

namespace lq {
namespace {

using testing::ExpectInvalid;

TEST(AlignedBufferTest, IsAlignedAndZeroed) {
  for (size_t bytes : {size_t{0}, size_t{1}, size_t{64}, size_t{65}, size_t{5} << 20}) {
    const auto buffer = AlignedBuffer::Make("test", bytes);
    ASSERT_TRUE(buffer.ok()) << buffer.status().message();
    EXPECT_EQ(buffer->size(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % kAlignment, 0u);
    for (std::byte b : buffer->span()) ASSERT_EQ(b, std::byte{0});
  }
}

TEST(AlignedBufferTest, MovesLeaveNothing) {
  AlignedBuffer a(100), b(7);
  const std::byte* data = a.data();
  b = std::move(a);
  EXPECT_EQ(b.data(), data);
  EXPECT_EQ(b.size(), 100u);
  EXPECT_EQ(a.size(), 0u);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(a.data(), nullptr);
  const AlignedBuffer c(std::move(b));
  EXPECT_EQ(c.size(), 100u);
  EXPECT_EQ(b.size(), 0u);  // NOLINT(bugprone-use-after-move)
  EXPECT_TRUE(b.span().empty());
}

TEST(AlignedBufferTest, SaysWhatItDidNotGet) {
  ExpectInvalid(AlignedBuffer::Make("layer 'x'", size_t{1} << 62).status(), {"layer 'x'", "4611686018427387904 bytes"});
  ExpectInvalid(AlignedBuffer::Make("layer 'x'", std::numeric_limits<size_t>::max()).status(),
                {"layer 'x'", "18446744073709551615 bytes"});
}

// No element is read: the sizes are refused before.
TEST(MemoryTest, LinearRefusesWeightsBeyondMemory) {
  const float value = 1;
  LinearSpec spec;
  spec.name = "huge";
  spec.in_features = spec.out_features = size_t{1} << 20;
  spec.weight = {&value, size_t{1} << 40};
  spec.weight_encoding = PerTensor{{8, true}, 1.0f, 0};
  spec.input = {{8, false}, 1.0f, 0};
  ExpectInvalid(Linear::Prepare(spec, {}).status(), {"huge", "1099511627776 weights", "2 bytes each"});
}

TEST(MemoryTest, SessionRefusesAbsurdWorkers) {
  const auto bundle = testing::LoadBundle(testing::GoldenPath("mlp/w8a8"));
  ASSERT_TRUE(bundle.ok()) << bundle.status().message();
  const auto session = Session::Prepare(bundle->model);
  ASSERT_TRUE(session.ok()) << session.status().message();
  ExpectInvalid(session->NewWorkspace(1, std::numeric_limits<size_t>::max()).status(),
                {"18446744073709551615 workers", "4096 are the most"});
  EXPECT_TRUE(session->NewWorkspace(1, 4096).ok());
}

#ifndef LQ_ASAN  // whose shadow memory leaves nothing to limit
// The address space that this process may still take ends before a workspace of 512 MiB.
TEST(MemoryTest, SessionReportsAnExhaustedSystem) {
  const auto bundle = testing::LoadBundle(testing::GoldenPath("mlp/w8a8"));
  ASSERT_TRUE(bundle.ok()) << bundle.status().message();
  const auto session = Session::Prepare(bundle->model);
  ASSERT_TRUE(session.ok()) << session.status().message();
  constexpr int64_t kRows = 1 << 16;
  const auto one = session->NewWorkspace(kRows, 1), two = session->NewWorkspace(2 * kRows, 1);
  ASSERT_TRUE(one.ok() && two.ok()) << one.status().message() << two.status().message();
  const int64_t batch = (int64_t{1} << 29) / (static_cast<int64_t>(two->bytes() - one->bytes()) / kRows);
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &limit), 0);
  rlimit low = limit;
  low.rlim_cur = rlim_t{1} << 28;
  ASSERT_EQ(setrlimit(RLIMIT_AS, &low), 0);
  const Status status = session->NewWorkspace(batch, 1).status();
  ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
  const std::string owner = "workspace for " + std::to_string(batch) + " rows on 1 workers";
  ExpectInvalid(status, {owner.c_str(), "bytes of memory"});
}
#endif

}  // namespace
}  // namespace lq
