// The lanequant program from outside: exit status, what it prints, what it writes.
#include "tests/support/cli_test.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "lanequant/target.h"
#include "runtime/io/npz.h"
#include "runtime/versions.h"
#include "tests/support/golden_bundle.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::CliTest;
using testing::Contains;
using testing::GoldenPath;
using testing::ReadWhole;

// The table fits 120 columns; the first line names a path, which is as long as it is.
void ExpectNarrow(const std::string& text) {
  for (size_t start = text.find('\n') + 1; start < text.size();) {
    const size_t end = text.find('\n', start);
    EXPECT_LE(end - start, 120u) << text.substr(start, end - start);
    start = end + 1;
  }
}

TEST_F(CliTest, InfoShowsTargets) {
  const Outcome text = Run("info");
  EXPECT_EQ(text.exit_status, 0) << text.err;
  EXPECT_EQ(text.err, "");
  const Outcome json = Run("info --json");
  EXPECT_EQ(json.exit_status, 0) << json.err;
  for (const TargetInfo& target : CompiledTargets()) {
    EXPECT_TRUE(Contains(text.out, target.name)) << text.out;
    EXPECT_TRUE(Contains(json.out, "\"name\": \"" + target.name + "\"")) << json.out;
  }
}

// The kernel's list of flags, as grep finds it.
TEST_F(CliTest, InfoSaysWhatBecomesOfAmx) {
  const bool has = std::system("grep -qw amx_int8 /proc/cpuinfo") == 0;
  EXPECT_NE(Contains(Run("info").out, "AMX: not "), has);
  EXPECT_NE(Contains(Run("info --json").out, "\"amx\": \"not "), has);
}

TEST_F(CliTest, HelpShowsDefaultsAndExitStatus) {
  for (const char* command : {"run", "validate"}) {
    const Outcome outcome = Run(command + std::string(" --help"));
    EXPECT_EQ(outcome.exit_status, 0);
    for (const char* part :
         {"default: aimet_div", "default: LQ_MAX_ISA", "0..1024", "Exit status: 0 success; 1 ", "; 2 bad input"}) {
      EXPECT_TRUE(Contains(outcome.out, part)) << part << ": " << outcome.out;
    }
  }
}

TEST_F(CliTest, RunGivesAimetsValues) {
  const std::string bundle = "digits_cnn/w8a8";
  const Outcome outcome = Run("run " + ModelArguments(bundle) + " --input " + Data(bundle) + " --labels " +
                              Data(bundle, "data.npz:label") + " --output " + Quote(folder_ / "y.npz"));
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  // tests/golden/README.md
  EXPECT_TRUE(Contains(outcome.out, "357 of 360 right")) << outcome.out;
  EXPECT_TRUE(Contains(outcome.out, "bias float, profile aimet_div")) << outcome.out;
  // AIMET in float32 and binary64 agree in the first four rows of this network.
  const auto aimet = testing::ReadArrays(GoldenPath(bundle + "/layers.npz"));
  ASSERT_TRUE(aimet.ok());
  const NamedArray& expected = aimet->at("output");
  const NamedArray output = Read("y.npz").at("output");
  EXPECT_EQ(output.shape, (Shape{360, 10}));
  EXPECT_EQ(std::memcmp(output.bytes.data(), expected.bytes.data(), expected.bytes.size()), 0);
}

// values:<name> of the first rows are those of AIMET in binary64, rounded to float32; codes:<name> are theirs.
TEST_F(CliTest, DumpsAimetsLayers) {
  const std::string bundle = "digits_cnn/w4a8_lpbq";
  auto aimet = testing::ReadArrays(GoldenPath(bundle + "/layers_fp64.npz"));
  ASSERT_TRUE(aimet.ok());
  const auto model = testing::LoadBundle(GoldenPath(bundle));
  ASSERT_TRUE(model.ok());
  for (const char* how : {"", " --reference", " --threads 1"}) {
    const Outcome outcome = Run("run " + ModelArguments(bundle) + " --input " + Data(bundle, "data.npz:input") +
                                " --dump-layers " + Quote(folder_ / "l.npz") + how);
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    const testing::Arrays dump = Read("l.npz");
    EXPECT_EQ(dump.size(), 2 * (aimet->size() + 1)) << "the layers of AIMET, and Flatten";
    for (const auto& [name, layer] : *aimet) {
      const NamedArray& values = dump.at("values:" + name);
      const NamedArray& codes = dump.at("codes:" + name);
      ASSERT_EQ(codes.dtype, DType::kS32);
      ASSERT_EQ(codes.shape, values.shape);
      ASSERT_EQ(values.shape[0], 360);
      for (const Value& value : model->model.graph().values) {
        if (value.name != name) continue;
        const std::vector<int32_t> expected = testing::CodesOf(layer, std::get<PerTensor>(*value.encoding));
        EXPECT_EQ(std::memcmp(codes.bytes.data(), expected.data(), 4 * expected.size()), 0) << name << how;
      }
      const auto count = static_cast<size_t>(layer.shape.NumElements());
      for (size_t i = 0; i < count; ++i) {
        ASSERT_EQ(values.view().data<float>()[i], static_cast<float>(layer.view().data<double>()[i])) << name << how;
      }
    }
  }
}

// Any target, any number of threads, the reference: the same bytes.
TEST_F(CliTest, RunIsTheSameEverywhere) {
  const std::string bundle = "digits_cnn/w4a8_lpbq";
  const std::string command = "run " + ModelArguments(bundle) + " --input " + Data(bundle) + " --output ";
  ASSERT_EQ(Run(command + Quote(folder_ / "expected.npz") + " --reference").exit_status, 0);
  const NamedArray expected = Read("expected.npz").at("output");
  EXPECT_EQ(expected.shape, (Shape{360, 10}));
  std::vector<std::string> ways{"--threads 1", "--threads 7", "--target amx"};
  for (const TargetInfo& target : CompiledTargets()) ways.push_back("--target " + target.name);
  for (const std::string& way : ways) {
    const Outcome outcome = Run(command + Quote(folder_ / "y.npz") + " " + way);
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_EQ(Read("y.npz").at("output").bytes, expected.bytes) << way;
  }
  EXPECT_TRUE(Contains(Run(command + Quote(folder_ / "y.npz") + " --threads 7").out,
                       TbbVersion() != "none" ? "7 threads" : "1 thread,"));
}

TEST_F(CliTest, RunProfilesLayers) {
  const std::string bundle = "digits_cnn/w8a8";
  const Outcome outcome =
      Run("run " + ModelArguments(bundle) + " --input " + Data(bundle) + " --threads 1 --profile-layers");
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  for (const char* part : {"us ", "% ", "Conv+Relu", "GlobalAveragePool", "matmul_u8s8/"}) {
    EXPECT_TRUE(Contains(outcome.out, part)) << part << ": " << outcome.out;
  }
  EXPECT_EQ(
      Run("run " + ModelArguments(bundle) + " --input " + Data(bundle) + " --reference --profile-layers").exit_status,
      2);
}

TEST_F(CliTest, ValidatePassesOnAimetsLayers) {
  const std::string bundle = "digits_cnn/w4a8_lpbq";
  const Outcome outcome = Run("validate " + ModelArguments(bundle) + " --input " + Data(bundle) + " --layers " +
                              Data(bundle, "layers.npz") + " --json " + Quote(folder_ / "v.json"));
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_TRUE(Contains(outcome.out, "passed: kernels = exact simulator in every code; AIMET differs in 1 of 49960"))
      << outcome.out;
  ExpectNarrow(outcome.out);
  const std::string json = ReadWhole(folder_ / "v.json");
  EXPECT_TRUE(Contains(json, "\"passed\": true")) << json;
  EXPECT_TRUE(Contains(json, "\"tensor\": \"/res1/act/Relu_output_0\"")) << json;
}

TEST_F(CliTest, ValidateReadsFoldersOfLayerOutputUtil) {
  const std::string bundle = "digits_cnn/w4a8_lpbq";
  const Outcome outcome =
      Run("validate " + ModelArguments(bundle) + " --layers " + Data(bundle, "layer_outputs_onnx_names"));
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_TRUE(Contains(outcome.out, "2 rows, 12 of 13 layers")) << outcome.out;
  EXPECT_TRUE(Contains(outcome.out, "layers without an encoding, not compared: 6")) << outcome.out;
  EXPECT_TRUE(Contains(outcome.out, "exact simulator = AIMET in all 25108 codes")) << outcome.out;
}

TEST_F(CliTest, ValidateFailsAndNamesTheBias) {
  const std::string bundle = "digits_cnn/w8a8";
  const std::string command = "validate " + ModelArguments(bundle) + " --input " + Data(bundle) + " --layers " +
                              Data(bundle, "layers_fp64_int32_bias.npz");
  const Outcome outcome = Run(command);
  EXPECT_EQ(outcome.exit_status, 1) << outcome.err;
  EXPECT_TRUE(Contains(outcome.out, "the bias mode alone explains the drift: with --bias int32")) << outcome.out;
  EXPECT_TRUE(Contains(outcome.out, "FAILED: ")) << outcome.out;
  ExpectNarrow(outcome.out);
  EXPECT_EQ(Run(command + " --bias int32").exit_status, 0);
}

TEST_F(CliTest, InspectShowsStepsAndMemory) {
  const Outcome text = Run("inspect " + ModelArguments("digits_cnn/w4a8_lpbq"));
  EXPECT_EQ(text.exit_status, 0) << text.err;
  EXPECT_TRUE(Contains(text.out, "LPBQ, block 64")) << text.out;
  EXPECT_TRUE(Contains(text.out, "packed weights: ")) << text.out;
  const Outcome json = Run("inspect --json " + ModelArguments("digits_cnn/w4a8_lpbq"));
  EXPECT_EQ(json.exit_status, 0) << json.err;
  EXPECT_TRUE(Contains(json.out, "\"tensor\": \"/conv2/act/Relu_output_0\"")) << json.out;
}

TEST_F(CliTest, InspectShowsLayersOfQuark) {
  const Outcome text = Run("inspect " + GoldenPath("quark_torch/mxfp4"));
  EXPECT_EQ(text.exit_status, 0) << text.err;
  for (const char* part : {"fc2", "32 x 64", "fp4, per group of 32, dynamic", "matmul_f32s8"}) {
    EXPECT_TRUE(Contains(text.out, part)) << part << " is not in:\n" << text.out;
  }
  const Outcome json = Run("inspect --json " + GoldenPath("quark_torch/fp8_e4m3"));
  EXPECT_EQ(json.exit_status, 0) << json.err;
  EXPECT_TRUE(Contains(json.out, "\"weight\": \"fp8_e4m3, per tensor\"")) << json.out;
  EXPECT_TRUE(Contains(json.out, "matmul_f32f32")) << json.out;
  EXPECT_EQ(Run("inspect " + GoldenPath("digits_cnn")).exit_status, 2);  // a folder without config.json
}

TEST_F(CliTest, DemoRunsWithoutArguments) {
  const Outcome outcome = Run("demo");
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_TRUE(Contains(outcome.out, "passed: ")) << outcome.out;
  EXPECT_TRUE(Contains(outcome.out, "356 of 360 right")) << outcome.out;
  EXPECT_TRUE(Contains(outcome.out, "LPBQ, block 64: ")) << outcome.out;
}

TEST_F(CliTest, RefusesBadOptionsInASentence) {
  const std::string run = "run " + ModelArguments("mlp/w8a8") + " --input " + Data("mlp/w8a8") + " ";
  const char* commands = "info, run, validate, quantize, inspect, bench, demo";
  ExpectRefused("", {"say a command", commands});
  ExpectRefused("frobnicate", {"no command 'frobnicate'", commands});
  ExpectRefused("run", {"required"});
  ExpectRefused(run + "--target nonsense", {"'nonsense'", "AMX"});
  ExpectRefused(run + "--target amx --reference", {"--reference"});
  ExpectRefused(run + "--bias maybe", {"'maybe'", "int32"});
  ExpectRefused(run + "--profile exact", {"'exact'", "aimet_onnx"});
  ExpectRefused(run + "--threads many", {"--threads: 'many' is no number of threads; there are 0 to 1024"});
  ExpectRefused(run + "--threads 1025", {"'1025'", "0 to 1024"});
  ExpectRefused("demo --threads -3", {"'-3'", "0 to 1024"});
  ExpectRefused(run + "--nonsense", {"--nonsense"});
}

// Token ids come as int64.
TEST_F(CliTest, IntegersAsInputs) {
  std::vector<int64_t> integers(2 * 64);
  for (size_t i = 0; i < integers.size(); ++i) integers[i] = static_cast<int64_t>(i % 3) - 1;
  const std::vector<float> floats(integers.begin(), integers.end());
  const auto write = [&](const std::string& name, DType dtype, std::span<const std::byte> bytes) {
    ASSERT_TRUE(WriteNpz(folder_ / name, {{"input", dtype, {2, 64}, {bytes.begin(), bytes.end()}}}).ok());
  };
  write("integers.npz", DType::kS64, std::as_bytes(std::span(integers)));
  write("floats.npz", DType::kF32, std::as_bytes(std::span(floats)));
  const std::string run = "run " + ModelArguments("mlp/w8a8") + " --input ";
  for (const std::string name : {"integers", "floats"}) {
    const Outcome outcome =
        Run(run + Quote(folder_ / (name + ".npz")) + " --output " + Quote(folder_ / (name + ".y.npz")));
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  }
  EXPECT_EQ(Read("integers.y.npz").at("output").bytes, Read("floats.y.npz").at("output").bytes);
  integers[5] = (1 << 24) + 1;
  write("integers.npz", DType::kS64, std::as_bytes(std::span(integers)));
  ExpectRefused(run + Quote(folder_ / "integers.npz"), {"element 5 of s64 array 'input'", "16777217"});
}

TEST_F(CliTest, RefusesBadFilesInASentence) {
  const std::string model = ModelArguments("mlp/w8a8");
  ExpectRefused("run nothing.onnx --encodings nothing.encodings --input x.npz", {"nothing.onnx"});
  ExpectRefused("run " + model + " --input nothing.npz", {"nothing.npz"});
  ExpectRefused("run " + model + " --input " + Data("mlp/w8a8", "data.npz:nothing"), {"'nothing'", "'label'"});
  ExpectRefused("run " + model + " --input " + Data("mlp/w8a8", "data.npz:label"), {"'label'", "(360)"});
  ExpectRefused("run " + model + " --input " + Data("mlp/w8a8") + " --labels " + Data("mlp/w8a8"), {"arrays", ":key"});
  ExpectRefused("run " + model + " --input " + Data("mlp/w8a8") + " --output no/such/folder/y.npz", {"y.npz"});
  ExpectRefused("validate " + model + " --layers " + Data("mlp/w8a8", "layers.npz"), {"--input is needed"});
  ExpectRefused("validate " + ModelArguments("digits_cnn/w8a8") + " --input " + Data("digits_cnn/w8a8") + " --layers " +
                    Data("digits_cnn/w4a8_lpbq", "layers.npz"),
                {"the encodings do not match the layers", "'/conv2/act/Relu_output_0'"});
  ExpectRefused("demo --data no/such/folder", {"no/such/folder"});
}

// The second file cannot be written: the first one keeps what it had, and no temporary stays.
TEST_F(CliTest, WritesAllFilesOrNone) {
  const std::string run = "run " + ModelArguments("mlp/w8a8") + " --input " + Data("mlp/w8a8") + " --output " +
                          Quote(folder_.Write("files/y.npz", "before")) + " --dump-layers ";
  std::filesystem::create_directory(folder_ / "files/folder");
  for (const char* bad : {"/dev/null", "no/such/folder/l.npz"}) ExpectRefused(run + bad, {bad});
  ExpectRefused(run + Quote(folder_ / "files/folder"), {"files/folder", "no regular file"});
  EXPECT_EQ(ReadWhole(folder_ / "files/y.npz"), "before");
  const std::filesystem::directory_iterator files(folder_ / "files");
  EXPECT_EQ(std::distance(begin(files), end(files)), 2);
  ASSERT_EQ(Run(run + Quote(folder_ / "files/l.npz")).exit_status, 0);
  EXPECT_EQ(Read("files/y.npz").count("output"), 1u);
  EXPECT_EQ(Read("files/l.npz").count("codes:output"), 1u);
}

TEST_F(CliTest, ReportsAFullDisk) {
  const std::string err = folder_ / "err";
  const int status = std::system(("'" LQ_PROGRAM "' info >/dev/full 2>'" + err + "'").c_str());
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 2);
  EXPECT_TRUE(Contains(ReadWhole(err), "lanequant: stdout: ")) << ReadWhole(err);
}

}  // namespace
}  // namespace lq
