// lanequant bench from outside: what it times, what it refuses. No time is tested.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/cli_test.h"

namespace lq {
namespace {

using testing::CliTest;

TEST_F(CliTest, BenchTimesEveryShapePrecisionAndRow) {
  const Outcome outcome = Run("bench linear --shapes 48x64,17x31 --precision a8w8,a16w8 --rows 1,3 --json");
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  for (const char* part : {"\"n\": 48", "\"k\": 31", "\"m\": 3", "\"precision\": \"a16w8\"",
                           "\"variant\": \"matmul_u8s8/", "\"share_of_roofline\": "}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << ": " << outcome.out;
  }
  size_t rows = 0;
  for (size_t at = 0; (at = outcome.out.find("\"best_seconds\"", at)) != std::string::npos; ++at) ++rows;
  EXPECT_EQ(rows, 8u);
}

TEST_F(CliTest, BenchTimesANetwork) {
  const Outcome outcome = Run("bench " + ModelArguments("digits_cnn/w4a8_lpbq") + " --batch 2");
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_EQ(outcome.out.rfind("batch 2, 1 thread: best ", 0), 0u) << outcome.out;
  for (const char* part : {"loaded in ", "prepared in ", " MB packed, at most "}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << ": " << outcome.out;
  }
  const Outcome shaped = Run("bench " + ModelArguments("digits_cnn/w4a8_lpbq") + " --input-shapes 3x1x8x8 --codes");
  EXPECT_EQ(shaped.exit_status, 0) << shaped.err;
  EXPECT_EQ(shaped.out.rfind("batch 3, 1 thread: best ", 0), 0u) << shaped.out;
}

TEST_F(CliTest, BenchRefusesWhatItCannotTime) {
  ExpectRefused("bench linear --rows 4,-1", {"--rows", "-1", "16777216"});
  ExpectRefused("bench linear --shapes 3x", {"'3x'", "NxK"});
  ExpectRefused("bench linear --precision a3w8", {"'a3w8'", "a16w8"});
  ExpectRefused("bench linear --rows 0", {"--rows", "0"});
  ExpectRefused("bench linear --shapes 8x48 --precision a8w4-lpbq64", {"48", "64"});
  ExpectRefused("bench " + (folder_ / "no.onnx"), {"no.onnx"});
  const std::string network = "bench " + ModelArguments("digits_cnn/w4a8_lpbq");
  ExpectRefused(network + " --input-shapes 3x1x", {"'3x1x'", "1x512x2048"});
  ExpectRefused(network + " --input-shapes 3x1x8x9", {"shape (3, 1, 8, 9)", "'input'"});
}

}  // namespace
}  // namespace lq
