#include "lanequant/quark.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "lanequant/float_linear.h"
#include "lanequant/lanequant.h"
#include "runtime/io/memory_budget.h"
#include "runtime/io/quark_codes.h"
#include "runtime/io/safetensors.h"
#include "tests/support/c_api.h"
#include "tests/support/executors.h"
#include "tests/support/expect_error.h"
#include "tests/support/golden_bundle.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::Arrays;
using testing::ExpectFails;
using testing::ExpectInvalid;
using testing::ExpectOk;
using testing::ExpectUnsupported;
using testing::GoldenPath;
using testing::Owned;
using testing::ReadWhole;
using testing::TempFolder;

std::vector<float> FloatsOf(const NamedArray& array) {
  const float* data = array.view().data<float>();
  return {data, data + array.shape.NumElements()};
}

// What a reader makes of Quark's own files: tests/golden.
struct Export {
  const char *folder, *weight, *encoding, *input;
};

constexpr Export kExports[] = {
    {"bfloat16", "bfloat16", "", ""},
    {"fp8_e4m3", "fp8_e4m3, per tensor", "", "fp8_e4m3, per tensor"},
    {"fp8_e4m3_custom", "fp8_e4m3, per tensor", "", "fp8_e4m3, per tensor"},
    {"fp8_e5m2", "fp8_e5m2, per tensor", "", ""},
    {"amdfp4", "fp4, per group of 16, scales in e5m3", "s5", ""},
    {"fp4_group16", "fp4, per group of 16", "s5", ""},
    {"int2_group32", "int2, per group of 32", "s2", ""},
    {"int3_channel", "int3, per channel", "s3", ""},
    {"int4_channel", "int4, per channel", "s4", ""},
    {"int4_group32", "int4, per group of 32", "s4", ""},
    {"int4_group32_order", "int4, per group of 32", "s4", ""},
    {"int4_tensor", "int4, per tensor", "s4", ""},
    {"int8_channel_act_int8", "int8, per channel", "s8", "int8, per tensor"},
    {"int8_tensor_act_uint8_asym", "int8, per tensor", "s8", "uint8, per tensor"},
    {"mxfp4", "fp4, per group of 32", "s5", "fp4, per group of 32, dynamic"},
    {"mxfp6_e2m3", "fp6_e2m3, per group of 32", "s7", ""},
    {"mxfp6_e3m2", "fp6_e3m2, per group of 32", "", ""},
    {"nvfp4", "fp4, per group of 16, scales in fp8_e4m3", "s5", ""},
    {"two_fp8_int4", "int4, per channel within fp8_e4m3", "s4", ""},
    {"uint4_group32_asym", "uint4, per group of 32", "u4", ""},
    {"uint4_group32_awq", "uint4, per group of 32", "u4", ""},
};

// Its two layers, with a ReLU between them, on the first kernels that take floats.
std::vector<float> RunLayers(const QuarkModel& model, std::vector<float> x, size_t rows) {
  testing::ReverseExecutor executor(2);
  for (size_t i = 0; i < 2; ++i) {
    const Result<QuarkLinear> layer = model.Load(i);
    FloatLinearSpec spec{.name = model.layers()[i].name,
                         .in_features = model.layers()[i].in_features,
                         .out_features = model.layers()[i].out_features,
                         .weight = layer->weight,
                         .weight_encoding = layer->weight_encoding,
                         .output = {}};
    spec.output.bias = layer->bias;
    if (i == 0) spec.output.clip_min = 0;
    const Result<FloatLinear> linear = FloatLinear::Prepare(spec);
    EXPECT_TRUE(linear.ok()) << linear.status().message();
    if (!linear.ok()) return {};
    std::vector<float> y(rows * spec.out_features);
    std::vector<std::byte> scratch(linear->WorkspaceBytes(rows, executor.workers()));
    const auto count = static_cast<int64_t>(rows);
    const Status status = linear->Run(
        {DType::kF32, Shape{count, static_cast<int64_t>(spec.in_features)}, std::as_bytes(std::span(x))},
        {DType::kF32, Shape{count, static_cast<int64_t>(spec.out_features)}, std::as_writable_bytes(std::span(y))},
        scratch, executor);
    EXPECT_TRUE(status.ok()) << status.message();
    x = y;
  }
  return x;
}

TEST(QuarkTest, WeightsAreThoseOfTheSimulation) {
  const Result<Arrays> golden = testing::ReadArrays(GoldenPath("quark_torch/data.npz"));
  ASSERT_TRUE(golden.ok()) << golden.status().message();
  for (const Export& e : kExports) {
    SCOPED_TRACE(e.folder);
    const Result<QuarkModel> model = QuarkModel::Open(GoldenPath(std::string("quark_torch/") + e.folder));
    ASSERT_TRUE(model.ok()) << model.status().message();
    ASSERT_EQ(model->layers().size(), 2u);
    for (const QuarkLayer& layer : model->layers()) {
      const bool first = layer.name == "fc1";
      EXPECT_EQ(layer.name, first ? "fc1" : "fc2");
      EXPECT_EQ(layer.in_features, first ? 64u : 32u);
      EXPECT_EQ(layer.out_features, first ? 32u : 16u);
      EXPECT_EQ(layer.weight, e.weight);
      EXPECT_EQ(layer.input, e.input);
      const Result<QuarkLinear> linear = model->Load(static_cast<size_t>(&layer - model->layers().data()));
      ASSERT_TRUE(linear.ok()) << linear.status().message();
      const std::vector<float> expected = FloatsOf(golden->at(std::string(e.folder) + "/" + layer.name));
      ASSERT_EQ(linear->weight.size(), expected.size());
      for (size_t i = 0; i < expected.size(); ++i) ASSERT_EQ(linear->weight[i], expected[i]) << layer.name << " " << i;
      EXPECT_EQ(linear->bias, FloatsOf(golden->at(layer.name + ".bias")));
      ASSERT_EQ(linear->weight_encoding.has_value(), e.encoding[0] != '\0');
      EXPECT_EQ(linear->weight_encoding ? Describe(*linear->weight_encoding).substr(0, 2) : "", e.encoding);
      EXPECT_EQ(linear->input.has_value(), std::string_view(e.folder).starts_with("int8"));
    }
  }
}

// Quark computes the layers in float32 on the weights above: sums of 64 and 32 products, each off by up to a step.
TEST(QuarkTest, LayersGiveTheOutputOfTheSimulation) {
  const Result<Arrays> golden = testing::ReadArrays(GoldenPath("quark_torch/data.npz"));
  ASSERT_TRUE(golden.ok()) << golden.status().message();
  for (const Export& e : kExports) {
    if (e.input[0] != '\0') continue;
    SCOPED_TRACE(e.folder);
    const Result<QuarkModel> model = QuarkModel::Open(GoldenPath(std::string("quark_torch/") + e.folder));
    ASSERT_TRUE(model.ok()) << model.status().message();
    const NamedArray& x = golden->at("input");
    const std::vector<float> expected = FloatsOf(golden->at(std::string(e.folder) + "/output"));
    const std::vector<float> y = RunLayers(*model, FloatsOf(x), static_cast<size_t>(x.shape[0]));
    ASSERT_EQ(y.size(), expected.size());
    for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 1e-5) << i;
  }
}

// 64, 30 and 12 features: groups of 16 do not divide the second layer's, and no encoding has such.
TEST(QuarkTest, GroupsThatDoNotDivide) {
  const Result<Arrays> golden = testing::ReadArrays(GoldenPath("quark_torch/data.npz"));
  const Result<QuarkModel> model = QuarkModel::Open(GoldenPath("quark_torch/nvfp4_30"));
  ASSERT_TRUE(model.ok() && golden.ok()) << model.status().message();
  for (size_t i = 0; i < 2; ++i) {
    const Result<QuarkLinear> linear = model->Load(i);
    ASSERT_TRUE(linear.ok()) << linear.status().message();
    EXPECT_EQ(linear->weight, FloatsOf(golden->at("nvfp4_30/" + model->layers()[i].name)));
    EXPECT_EQ(linear->weight_encoding.has_value(), i == 0);
  }
}

TEST(QuarkTest, ActivationsHaveTheFilesScales) {
  const Result<QuarkModel> model = QuarkModel::Open(GoldenPath("quark_torch/int8_tensor_act_uint8_asym"));
  ASSERT_TRUE(model.ok()) << model.status().message();
  const Result<QuarkLinear> linear = model->Load(0);
  ASSERT_TRUE(linear.ok() && linear->input) << linear.status().message();
  EXPECT_EQ(linear->input->grid, (Grid{8, false}));
  EXPECT_EQ(linear->input->scale, 0x1.f752e20000000p-6f);
  EXPECT_EQ(linear->input->offset, -133);
  EXPECT_FALSE(linear->output);
  ExpectInvalid(model->Load(2).status(), {"layer 2 of 2"});
}

TEST(QuarkTest, HalvesBecomeTheirFloats) {
  const uint16_t halves[] = {0x3C00, 0x8001, 0x7BFF, 0x7C00, 0xFC00};
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(WidenQuark("F16", std::as_bytes(std::span(halves))),
            (std::vector<float>{1, -0x1p-24f, 65504, infinity, -infinity}));
  const uint16_t brains[] = {0x3F80, 0xFF80};
  EXPECT_EQ(WidenQuark("BF16", std::as_bytes(std::span(brains))), (std::vector<float>{1, -infinity}));
}

// A header and its bytes.
std::string FileOf(const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  const uint64_t size = header.size();
  std::memcpy(bytes.data(), &size, sizeof(size));
  return bytes + header + data;
}

TEST(SafetensorsTest, ReadsTensorsInTheOrderOfTheirBytes) {
  const TempFolder folder;
  const Result<Safetensors> file = Safetensors::Open(folder.Write(
      "a.safetensors",
      FileOf(
          R"({"__metadata__":{"format":"pt"},"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]},)"
          R"("a":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]},"c":{"dtype":"F32","shape":[0],"data_offsets":[6,6]}})",
          "abcdef")));
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_EQ(file->tensors().size(), 3u);
  EXPECT_EQ(file->tensors()[0].name, "a");
  EXPECT_EQ(file->tensors()[0].shape, (Shape{1, 2}));
  const Result<std::vector<std::byte>> bytes = file->Read(file->tensors()[1]);
  ASSERT_TRUE(bytes.ok() && bytes->size() == 2);
  EXPECT_EQ(std::memcmp(bytes->data(), "ef", 2), 0);
}

TEST(SafetensorsTest, RefusesHostileHeaders) {
  const TempFolder folder;
  const auto refuse = [&](const std::string& bytes, std::initializer_list<const char*> parts) {
    const Status status = Safetensors::Open(folder.Write("a.safetensors", bytes)).status();
    ExpectInvalid(status, parts);
    ExpectInvalid(status, {"a.safetensors"});
  };
  refuse("1234567", {"7 bytes"});
  refuse(std::string(7, '\xFF') + "\x7F", {"header", "9223372036854775807", "8"});
  refuse(FileOf("", ""), {"JSON"});
  refuse(FileOf("[]", ""), {"not an object"});
  refuse(FileOf(R"({"a":1})", ""), {"'a'", "not an object"});
  refuse(FileOf(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,2]}})", "ab"), {"'a'", "2 bytes", "(3)"});
  refuse(FileOf(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", "ab"), {"'a'", "end"});
  refuse(FileOf(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", "a"), {"'a'", "dimension"});
  refuse(FileOf(R"({"a":{"dtype":"F64","shape":[1099511627776,1099511627776],"data_offsets":[0,0]}})", ""), {"'a'"});
  refuse(FileOf(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", "a"), {"'a'", "end"});
  refuse(FileOf(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "ab"), {"'a'", "begins"});
  refuse(FileOf(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "ab"), {"end at byte"});
  ExpectUnsupported(
      Safetensors::Open(
          folder.Write("a.safetensors", FileOf(R"({"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}})", "a")))
          .status(),
      {"'a'", "'F4'"});
}

// The int4 export with one place of config.json or of the tensors' names changed.
class QuarkErrors : public ::testing::Test {
 protected:
  Result<QuarkModel> Open(const std::string& file, const std::string& from, const std::string& to) {
    for (const std::string name : {"config.json", "model.safetensors"}) {
      std::string text = ReadWhole(GoldenPath("quark_torch/int4_group32/" + name));
      if (name == file) {
        const size_t at = text.find(from);
        EXPECT_NE(at, std::string::npos) << from;
        text.replace(at, from.size(), to);
      }
      folder_.Write(name, text);
    }
    return QuarkModel::Open(folder_.path());
  }
  const TempFolder folder_;
};

TEST_F(QuarkErrors, FormatsAreRefusedByName) {
  const auto refuse = [&](const char* from, const char* to, std::initializer_list<const char*> parts) {
    ExpectUnsupported(Open("config.json", from, to).status(), parts);
  };
  refuse(R"("int4")", R"("int3")", {"fc1", "'int3'", "int3 per channel", "uint4"});
  refuse(R"("quark")", R"("gptq")", {"config.json", "'gptq'"});
  refuse(R"("quark")", R"("awq", "bits": 3)", {"config.json", "awq of 3 bits"});
  refuse(R"("zero_point_type": "int32")", R"("zero_point_type": "float32")", {"fc1", "zero points of float32"});
  refuse("real_quantized", "fake_quantized", {"fake_quantized"});
  refuse(R"("bias": null)", R"("bias": {"dtype": "int8"})", {"fc1", "bias"});
  refuse(R"("weight": {)", R"("weight": [{}, {}, {}], "other": {)", {"3 levels"});
  refuse(R"("weight": {)", R"("weight": [{"dtype": "int8", "qscheme": "per_channel"}, {}], "other": {)",
         {"two levels", "int8, per channel"});
  refuse(R"("weight": {)", R"("weight": [{}, {"dtype": "int8", "is_scale_quant": true}], "other": {)",
         {"scales in int8", "fp8_e4m3"});
  refuse(R"("weight": {)",
         R"("weight": [{"qscheme": "per_tensor", "dtype": "fp8_e4m3"}, {"dtype": "fp4"}], "other": {)",
         {"fc1", "fp4 within fp8_e4m3", "integers"});
}

TEST_F(QuarkErrors, FilesThatDoNotFit) {
  ExpectInvalid(Open("config.json", R"("int4")", R"("int8")").status(), {"fc1", "I32", "I8"});
  ExpectInvalid(Open("config.json", "{", "[").status(), {"config.json", "JSON"});
  ExpectInvalid(Open("config.json", "quantization_config", "quantization_confix").status(), {"quantization_config"});
  const Result<QuarkModel> other = Open("config.json", R"("group_size": 32)", R"("group_size": 16)");
  ASSERT_TRUE(other.ok()) << other.status().message();
  ExpectInvalid(other->Load(0).status(), {"fc1.weight_scale", "64 scales", "group of 16"});
  // A second level of scales in one place only.
  ExpectInvalid(Open("config.json", R"("weight": {)",
                     R"("weight": [{"dtype": "fp8_e4m3", "qscheme": "per_tensor"}, {"dtype": "int4",
                        "qscheme": "per_group"}], "other": {)")
                    .status(),
                {"fc1", "fc1.weight_scale_2"});
  std::filesystem::remove(folder_ / "model.safetensors");
  EXPECT_EQ(QuarkModel::Open(folder_.path()).status().code(), StatusCode::kNotFound);
}

// A file that is nearly all hole: what it asks for is refused before it is read.
TEST_F(QuarkErrors, WeightsBeyondTheMemory) {
  ExpectInvalid(Open("config.json", R"("int4")", R"("int8")").status(), {"fc1"});  // writes the folder
  const std::string n = std::to_string(MemoryBudget::HalfOfMemory() / 12 + 1);
  const std::string bytes =
      FileOf(R"({"fc1.weight":{"dtype":"I8","shape":[)" + n + R"(,1],"data_offsets":[0,)" + n +
                 R"(]},"fc1.weight_scale":{"dtype":"F32","shape":[0,1],"data_offsets":[)" + n + "," + n + "]}}",
             "");
  std::filesystem::resize_file(folder_.Write("model.safetensors", bytes), bytes.size() + std::stoull(n));
  const Result<QuarkModel> model = QuarkModel::Open(folder_.path());
  ASSERT_TRUE(model.ok()) << model.status().message();
  ExpectInvalid(model->Load(0).status(), {"fc1.weight", "bytes of memory"});
}

// Other quantizers for some layers: by a pattern of their names.
TEST_F(QuarkErrors, LayersMayHaveQuantizersOfTheirOwn) {
  const Result<QuarkModel> model = Open(
      "config.json", R"("layer_quant_config": {})",
      R"("layer_quant_config": {"*c2": {"weight": {"dtype": "uint4", "qscheme": "per_group", "group_size": 32}}})");
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(model->layers()[0].weight, "int4, per group of 32");
  EXPECT_EQ(model->layers()[1].weight, "uint4, per group of 32");
}

// The C API: the same numbers, every way to call it wrongly.
class QuarkCApi : public ::testing::Test {
 protected:
  static Owned<lq_quark_model> Open(const std::string& name) {
    lq_quark_model* model = nullptr;
    const std::string folder = GoldenPath("quark_torch/" + name);
    ExpectOk([&](lq_message* m) { return lq_quark_open(folder.c_str(), &model, m); });
    return Owned<lq_quark_model>(model);
  }
  static Owned<lq_quark_linear> Load(const lq_quark_model* model, size_t index) {
    lq_quark_linear* linear = nullptr;
    ExpectOk([&](lq_message* m) { return lq_quark_load(model, index, &linear, m); });
    return Owned<lq_quark_linear>(linear);
  }
  static lq_quark_view Look(const lq_quark_linear* linear) {
    lq_quark_view view{};
    view.struct_size = sizeof(view);
    ExpectOk([&](lq_message* m) { return lq_quark_linear_look(linear, &view, m); });
    return view;
  }
};

TEST_F(QuarkCApi, LayersAndTheirNumbers) {
  for (const Export& expected : kExports) {
    SCOPED_TRACE(expected.folder);
    const Result<QuarkModel> model = QuarkModel::Open(GoldenPath(std::string("quark_torch/") + expected.folder));
    Owned<lq_quark_model> opened = Open(expected.folder);
    ASSERT_EQ(lq_quark_layer_count(opened.get()), 2u);
    lq_quark_layer_info info{};
    info.struct_size = sizeof(info);
    ExpectOk([&](lq_message* m) { return lq_quark_layer(opened.get(), 0, &info, m); });
    EXPECT_STREQ(info.name, "fc1");
    EXPECT_STREQ(info.weight, expected.weight);
    EXPECT_STREQ(info.input, expected.input);
    EXPECT_STREQ(info.output, "");
    EXPECT_EQ(info.in_features, 64u);
    EXPECT_EQ(info.out_features, 32u);
    const Owned<lq_quark_linear> linear = Load(opened.get(), 0);
    opened.reset();  // a layer outlives it
    const lq_quark_view view = Look(linear.get());
    const Result<QuarkLinear> want = model->Load(0);
    ASSERT_EQ(view.in_features * view.out_features, want->weight.size());
    EXPECT_EQ(std::memcmp(view.weight, want->weight.data(), want->weight.size() * sizeof(float)), 0);
    EXPECT_EQ(std::memcmp(view.bias, want->bias.data(), want->bias.size() * sizeof(float)), 0);
    EXPECT_EQ(view.bitwidth > 0, want->weight_encoding.has_value());
    EXPECT_EQ(view.input.bitwidth, want->input ? 8 : 0);
    EXPECT_EQ(view.input.scale, want->input ? want->input->scale : 0);
    EXPECT_EQ(view.input.offset, want->input ? want->input->offset : 0);
    EXPECT_EQ(view.output.bitwidth, 0);
    const bool two_rounds = std::string_view(expected.weight).find("within") != std::string_view::npos;
    const size_t groups = view.block_size > 0 ? view.in_features / static_cast<size_t>(view.block_size) : 0;
    for (size_t i = 0; i < want->weight.size() && view.bitwidth > 0; ++i) {
      const size_t at = view.scale_count == 1 ? 0
                                              : i / view.in_features * groups +
                                                    i % view.in_features / static_cast<size_t>(view.block_size);
      const float code = std::nearbyint(view.weight[i] / view.scale[at]);  // and the offset: a whole number
      const float two_levels = std::abs(view.weight[i]) * two_rounds * 0x1p-22f;
      ASSERT_NEAR(code * view.scale[at], view.weight[i], two_levels);
    }
  }
}

TEST_F(QuarkCApi, RefusesWhatDoesNotFit) {
  const Owned<lq_quark_model> model = Open("int4_group32");
  const Owned<lq_quark_linear> linear = Load(model.get(), 1);
  lq_quark_model* opened = nullptr;
  lq_quark_linear* loaded = nullptr;
  const auto invalid = [](const auto& call, std::initializer_list<const char*> parts) {
    ExpectFails(call, LQ_INVALID_ARGUMENT, parts);
  };
  ExpectFails([&](lq_message* m) { return lq_quark_open("/no/such/folder", &opened, m); }, LQ_NOT_FOUND,
              {"/no/such/folder"});
  invalid([&](lq_message* m) { return lq_quark_open(nullptr, &opened, m); }, {"folder is null"});
  lq_quark_layer_info info{};
  invalid([&](lq_message* m) { return lq_quark_layer(model.get(), 0, &info, m); }, {"info: struct_size is 0"});
  info.struct_size = sizeof(info);
  invalid([&](lq_message* m) { return lq_quark_layer(model.get(), 2, &info, m); }, {"layer 2", "has 2"});
  invalid([&](lq_message* m) { return lq_quark_layer(nullptr, 0, &info, m); }, {"model is null"});
  invalid([&](lq_message* m) { return lq_quark_layer(model.get(), 0, nullptr, m); }, {"info is null"});
  invalid([&](lq_message* m) { return lq_quark_load(model.get(), 2, &loaded, m); }, {"layer 2", "has 2"});
  invalid([&](lq_message* m) { return lq_quark_load(model.get(), 0, nullptr, m); }, {"linear is null"});
  lq_quark_view view{};
  invalid([&](lq_message* m) { return lq_quark_linear_look(linear.get(), &view, m); }, {"view: struct_size is 0"});
  invalid([&](lq_message* m) { return lq_quark_linear_look(nullptr, &view, m); }, {"linear is null"});
  invalid([&](lq_message* m) { return lq_quark_linear_look(linear.get(), nullptr, m); }, {"view is null"});
  EXPECT_EQ(opened, nullptr);
  EXPECT_EQ(loaded, nullptr);
  EXPECT_EQ(lq_quark_layer_count(nullptr), 0u);
}

}  // namespace
}  // namespace lq
