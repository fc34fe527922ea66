// The lanequant program from outside, for its tests: runs it in a folder of its own.
#ifndef LANEQUANT_TESTS_SUPPORT_CLI_TEST_H_
#define LANEQUANT_TESTS_SUPPORT_CLI_TEST_H_

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <initializer_list>
#include <string>
#include <utility>

#include "tests/support/golden_bundle.h"
#include "tests/support/temp_folder.h"

namespace lq::testing {

class CliTest : public ::testing::Test {
 protected:
  struct Outcome {
    int exit_status;
    std::string out, err;
  };

  Outcome Run(const std::string& arguments) const {
    const std::string out = folder_ / "out", err = folder_ / "err";
    const int status = std::system(("'" LQ_PROGRAM "' " + arguments + " >'" + out + "' 2>'" + err + "'").c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadWhole(out), ReadWhole(err)};
  }

  // "MODEL --encodings FILE" of a golden bundle.
  static std::string ModelArguments(const std::string& bundle) {
    return Quote(GoldenPath(bundle + "/model.onnx")) + " --encodings " + Quote(GoldenPath(bundle + "/model.encodings"));
  }
  static std::string Quote(const std::string& path) { return "'" + path + "'"; }
  static std::string Data(const std::string& bundle, const std::string& file = "data.npz") {
    return Quote(GoldenPath(bundle + "/" + file));
  }

  Arrays Read(const std::string& name) const {
    auto arrays = ReadArrays(folder_ / name);
    EXPECT_TRUE(arrays.ok()) << arrays.status().message();
    return arrays.ok() ? *std::move(arrays) : Arrays();
  }

  // One sentence on stderr, nothing on stdout but what a command printed before, exit status 2.
  void ExpectRefused(const std::string& arguments, std::initializer_list<const char*> parts) const {
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.exit_status, 2) << arguments;
    EXPECT_EQ(outcome.err.rfind("lanequant: ", 0), 0u) << outcome.err;
    EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1) << outcome.err;
    for (const char* part : parts) EXPECT_NE(outcome.err.find(part), std::string::npos) << part << ": " << outcome.err;
  }

  TempFolder folder_;
};

inline bool Contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_CLI_TEST_H_
