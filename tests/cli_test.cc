// The lanequant program from outside: exit status, what it prints, what it writes.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>
#include <vector>

#include "lanequant/target.h"
#include "runtime/io/npz.h"
#include "runtime/versions.h"
#include "tests/support/golden_bundle.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::GoldenPath;
using testing::ReadWhole;
using testing::TempFolder;

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

  testing::Arrays Read(const std::string& name) const {
    auto arrays = testing::ReadArrays(folder_ / name);
    EXPECT_TRUE(arrays.ok()) << arrays.status().message();
    return arrays.ok() ? *std::move(arrays) : testing::Arrays();
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

// The table fits 120 columns; the first line names a path, which is as long as it is.
void ExpectNarrow(const std::string& text) {
  for (size_t start = text.find('\n') + 1; start < text.size();) {
    const size_t end = text.find('\n', start);
    EXPECT_LE(end - start, 120u) << text.substr(start, end - start);
    start = end + 1;
  }
}

bool Contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

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

// The worked example of AIMET's QuantizedTensor: min-max calibration, symmetric, one scale a row.
TEST_F(CliTest, QuantizesAsAimetsExample) {
  const std::vector<float> x = {-1.20f, 4.1f, -0.21f, 2.3f, 0.2f, 5.6f, -1.0f, -0.1f};
  const std::span<const std::byte> bytes = std::as_bytes(std::span(x));
  ASSERT_TRUE(WriteNpz(folder_ / "x.npz", {{"x", DType::kF32, {2, 4}, {bytes.begin(), bytes.end()}}}).ok());
  const std::string quantize = "quantize " + Quote(folder_ / "x.npz") + " " + Quote(folder_ / "q.npz");
  for (const char* scales : {" --axis 0", " --axis -2", " --block-size 1,-1", " --block-size 1,4"}) {
    const Outcome outcome = Run(quantize + " --from-data min-max" + scales);
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    EXPECT_TRUE(Contains(outcome.out, "f32 (2, 4) -> s8 codes, 2 scales, ")) << outcome.out;
    const std::vector<int8_t> want = {-37, 127, -7, 71, 5, 127, -23, -2};
    const testing::Arrays arrays = Read("q.npz");
    ASSERT_EQ(arrays.at("codes").bytes.size(), want.size());
    EXPECT_EQ(std::memcmp(arrays.at("codes").bytes.data(), want.data(), want.size()), 0) << scales;
    EXPECT_TRUE(arrays.at("scale").shape == (Shape{2, 1}));
  }
}

TEST_F(CliTest, DequantizesWhatItQuantized) {
  const std::vector<float> x = {-1.5f, 0.25f, 0.75f, 9.0f, 1e9f, -1e9f}, scale = {0.5f, 0.25f};
  const auto array = [](const char* name, const Shape& shape, const std::vector<float>& values) {
    const std::span<const std::byte> bytes = std::as_bytes(std::span(values));
    return NamedArray{name, DType::kF32, shape, {bytes.begin(), bytes.end()}};
  };
  ASSERT_TRUE(WriteNpz(folder_ / "x.npz", {array("x", {3, 2}, x), array("s", {2}, scale)}).ok());
  const std::string q = folder_ / "q.npz";
  ASSERT_EQ(Run("quantize " + Quote(folder_ / "x.npz:x") + " " + Quote(q) + " --scale " + Quote(folder_ / "x.npz:s") +
                " --axis 1 --bitwidth 4 --unsigned --dtype s16")
                .exit_status,
            0);
  const Outcome back = Run("quantize --op dequantize " + Quote(q + ":codes") + " " + Quote(folder_ / "y.npz") +
                           " --scale " + Quote(q + ":scale") + " --offset " + Quote(q + ":offset"));
  ASSERT_EQ(back.exit_status, 0) << back.err;
  const std::vector<float> want = {0.0f, 0.25f, 1.0f, 3.75f, 7.5f, 0.0f};
  const testing::Arrays values = Read("y.npz");
  ASSERT_EQ(values.at("values").bytes.size(), want.size() * sizeof(float));
  EXPECT_EQ(std::memcmp(values.at("values").bytes.data(), want.data(), want.size() * sizeof(float)), 0);
  const std::string quantize = "quantize " + Quote(folder_ / "x.npz:x") + " " + Quote(folder_ / "bad.npz");
  const std::string given = quantize + " --scale " + Quote(folder_ / "x.npz:s");
  ExpectRefused(quantize, {"--scale", "--from-data"});
  ExpectRefused(quantize + " --from-data best", {"'best'", "min-max"});
  ExpectRefused(quantize + " --from-data entropy", {"entropy", "aimet_torch"});
  ExpectRefused(quantize + " --from-data min-max --tool onnx", {"'onnx'", "quark_torch"});
  ExpectRefused(quantize + " --from-data percentile --percentile 10", {"percentile 10", "50..100"});
  ExpectRefused(given + " --axis 1 --dtype s3", {"'s3'", "s4"});
  ExpectRefused(given + " --axis 1 --codes s4 --shape 3,5", {"--shape (3, 5)", "8 bytes", "f32 (3, 2)"});
  ExpectRefused(quantize + " --float float9", {"'float9'", "float8_e4m3fn"});
  ExpectRefused(quantize + " --float 4,3 --lpbq", {"--float", "--lpbq"});
  ExpectRefused(quantize + " --blocks torch_mx", {"--blocks", "--op qdq"});
  ExpectRefused(quantize + " --lpbq --block-size 1,3", {"3", "2"});
  ExpectRefused(quantize + " --from-data min-max --axis 2", {"--axis 2", "(3, 2)"});
  ExpectRefused(quantize + " --from-data min-max --block-size 2,1", {"--block-size", "2", "3"});
  ExpectRefused(given + " --axis 0", {"(2)", "--axis 0", "(3)"});
  ExpectRefused(given + " --block-size 1,1", {"block_size", "2 numbers", "1 dimensions"});
  ExpectRefused(given + " --qmin 5 --qmax 5", {"qmin 5", "qmax 5"});
  ExpectRefused(given + " --bitwidth 16 --dtype u8", {"codes", "u8 holds 0..255", "-32768"});
  ExpectRefused(given + " --op double", {"'double'", "qdq"});
  ExpectRefused(given + " --profile exact", {"'exact'", "onnx"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "bad.npz"));
}

// What a program finds in an array of a file.
template <class T>
std::vector<T> ValuesOf(const NamedArray& array) {
  std::vector<T> values(array.bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
  return values;
}

class CliQuantizeTest : public CliTest {
 protected:
  // Writes x.npz and quantizes it to q.npz, then q.npz:codes back to y.npz.
  void WriteX(const Shape& shape, const std::vector<float>& x) {
    const std::span<const std::byte> bytes = std::as_bytes(std::span(x));
    ASSERT_TRUE(WriteNpz(folder_ / "x.npz", {{"x", DType::kF32, shape, {bytes.begin(), bytes.end()}}}).ok());
  }
  testing::Arrays Forth(const std::string& options) {
    const Outcome outcome = Run("quantize " + Quote(folder_ / "x.npz") + " " + Quote(folder_ / "q.npz") + options);
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    return Read("q.npz");
  }
  std::vector<float> Back(const std::string& options) {
    const Outcome outcome =
        Run("quantize --op dequantize " + Quote(folder_ / "q.npz:codes") + " " + Quote(folder_ / "y.npz") + options);
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    return ValuesOf<float>(Read("y.npz").at("values"));
  }
  std::string Of(const std::string& array) { return Quote(folder_ / ("q.npz:" + array)); }
};

TEST_F(CliQuantizeTest, PackedCodes) {
  WriteX({3, 1}, {-4, 3.5f, 0.5f});
  const testing::Arrays q = Forth(" --from-data min-max --bitwidth 4 --dtype s4");
  EXPECT_EQ(ValuesOf<uint8_t>(q.at("codes")), (std::vector<uint8_t>{0x78, 0x01}));
  EXPECT_EQ(ValuesOf<int64_t>(q.at("shape")), (std::vector<int64_t>{3, 1}));
  EXPECT_EQ(Back(" --codes s4 --shape 3,1 --scale " + Of("scale")), (std::vector<float>{-4, 3.5f, 0.5f}));
}

// Quark divides the largest magnitude by 127.5, AIMET's asymmetric min-max the whole range by 255.
TEST_F(CliQuantizeTest, CalibratesAsAnyTool) {
  WriteX({2}, {-255, 25.5f});
  EXPECT_EQ(ValuesOf<float>(Forth(" --from-data min-max --tool quark_torch").at("scale")), (std::vector<float>{2}));
  const testing::Arrays q = Forth(" --from-data min-max --asymmetric");
  EXPECT_EQ(ValuesOf<float>(q.at("scale")), (std::vector<float>{1.1f}));
  EXPECT_EQ(ValuesOf<int32_t>(q.at("offset")), (std::vector<int32_t>{-232 + 128}));
  const testing::Arrays unsigned_q = Forth(" --from-data tf-enhanced --tool aimet_onnx --unsigned");
  EXPECT_EQ(ValuesOf<uint8_t>(unsigned_q.at("codes")).size(), 2u);
}

TEST_F(CliQuantizeTest, FloatFormats) {
  WriteX({3}, {1, -448, 500});
  EXPECT_EQ(ValuesOf<uint8_t>(Forth(" --float float8_e4m3fn").at("codes")), (std::vector<uint8_t>{56, 254, 126}));
  EXPECT_EQ(Back(" --float float8_e4m3fn"), (std::vector<float>{1, -448, 448}));
  EXPECT_EQ(ValuesOf<uint8_t>(Forth(" --float float8_e4m3fn --overflows").at("codes"))[2], 0x7F);
  EXPECT_EQ(ValuesOf<uint8_t>(Forth(" --float float4_e2m1fn").at("codes")), (std::vector<uint8_t>{0xF2, 0x07}));
}

TEST_F(CliQuantizeTest, BlockFormats) {
  WriteX({1, 4}, {0.3f, 5, -9, 1});
  const testing::Arrays q = Forth(" --op qdq --blocks torch_mx");
  EXPECT_EQ(ValuesOf<float>(q.at("values")), (std::vector<float>{0, 4, -8, 1}));
}

TEST_F(CliQuantizeTest, Lpbq) {
  std::vector<float> x(64, 7);
  std::fill(x.begin() + 16, x.begin() + 32, 3.5f);
  WriteX({2, 32}, x);
  const testing::Arrays q = Forth(" --lpbq --bitwidth 4 --block-size 1,16");
  EXPECT_EQ(ValuesOf<int32_t>(q.at("int_scale")), (std::vector<int32_t>{16, 8, 16, 16}));
  EXPECT_EQ(ValuesOf<uint8_t>(q.at("codes")), std::vector<uint8_t>(32, 0x77));
  EXPECT_TRUE(q.at("channel_scale").shape == (Shape{2, 1}));
  const std::string scales = " --int-scale " + Of("int_scale") + " --channel-scale " + Of("channel_scale");
  EXPECT_EQ(Back(" --lpbq --bitwidth 4 --block-size 1,16 --codes s4 --shape 2,32" + scales), x);
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
}

TEST_F(CliTest, BenchRefusesWhatItCannotTime) {
  ExpectRefused("bench linear --shapes 3x", {"'3x'", "NxK"});
  ExpectRefused("bench linear --precision a3w8", {"'a3w8'", "a16w8"});
  ExpectRefused("bench linear --rows 0", {"--rows", "0"});
  ExpectRefused("bench linear --shapes 8x48 --precision a8w4-lpbq64", {"48", "64"});
  ExpectRefused("bench " + (folder_ / "no.onnx"), {"no.onnx"});
}

}  // namespace
}  // namespace lq
