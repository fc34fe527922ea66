// ONNX files made to harm: each is refused by a sentence with names and numbers. Run it under
// -fsanitize=address,undefined too.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lanequant/model.h"
#include "runtime/io/onnx_reader.h"
#include "tests/support/expect_error.h"
#include "tests/support/onnx_writer.h"
#include "tests/support/random.h"
#include "tests/support/survivors.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::Cases;
using testing::ExpectInvalid;
using testing::ExpectUnsupported;
using testing::ExternalTensor;
using testing::FloatTensor;
using testing::GoldenPath;
using testing::IntAttribute;
using testing::OnnxGraph;
using testing::OnnxNode;
using testing::OnnxValue;
using testing::Proto;
using testing::Random;
using testing::RawData;
using testing::ReadWhole;
using testing::Survivors;
using testing::TempFolder;
using testing::TensorHead;

Status ReadBytes(const std::string& bytes) {
  const TempFolder folder;
  return ReadOnnx(folder.Write("m.onnx", bytes)).status();
}

// A good model y = x + c around one initializer or node.
OnnxGraph GoodGraph() {
  return {{OnnxNode("Add", "add", {"x", "c"}, {"y"})},
          {FloatTensor("c", {2}, {1, 2})},
          {OnnxValue("x", {-1, 2})},
          {OnnxValue("y", {-1, 2})}};
}

Status ReadWithInitializer(const Proto& tensor) {
  OnnxGraph graph = GoodGraph();
  graph.initializers = {tensor};
  return ReadBytes(graph.Model());
}

Status ReadWithNode(const Proto& node) {
  OnnxGraph graph = GoodGraph();
  graph.nodes = {node};
  return ReadBytes(graph.Model());
}

TEST(HostileOnnxTest, TheGoodOneIsRead) { EXPECT_TRUE(ReadBytes(GoodGraph().Model()).ok()); }

TEST(HostileOnnxTest, EveryTruncationOfARealModel) {
  const TempFolder folder;
  const std::string encodings = GoldenPath("digits_cnn/w4a8_lpbq/model.encodings");
  const std::string bytes = ReadWhole(GoldenPath("digits_cnn/w4a8_lpbq/model.onnx"));
  const std::string path = folder.Write("m.onnx", bytes);
  ASSERT_TRUE(Model::Load(path, encodings).ok());
  for (size_t size = bytes.size(); size-- > 0;) {
    ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(size)), 0);
    const auto model = Model::Load(path, encodings);
    ASSERT_FALSE(model.ok()) << size;
    ASSERT_NE(model.status().message().find("m.onnx: "), std::string::npos) << model.status().message();
  }
}

// Flips where structure is: most bytes of the file are weights, so the tail (nodes, names, shapes) gets half of them.
TEST(HostileOnnxTest, FlippedBitsOfARealModel) {
  const TempFolder folder;
  const std::string encodings = GoldenPath("digits_cnn/w4a8_lpbq/model.encodings");
  const std::string bytes = ReadWhole(GoldenPath("digits_cnn/w4a8_lpbq/model.onnx"));
  Random random(1);
  size_t refused = 0;
  Survivors survivors;
  for (size_t i = 0; i < Cases(1500); ++i) {
    std::string broken = bytes;
    for (int64_t flips = random.Int(1, 3); flips > 0; --flips) {
      const size_t at = random.Chance(0.5) ? random.Size(0, 8000) : random.Size(0, bytes.size() - 1);
      broken[at] = static_cast<char>(broken[at] ^ 1 << random.Int(0, 7));
    }
    const auto model = Model::Load(folder.Write("m.onnx", broken), encodings);
    refused += !model.ok();
    ASSERT_EQ(model.ok(), model.status().message().empty());
    if (!model.ok()) continue;
    ASSERT_NO_FATAL_FAILURE(survivors.Try(*model)) << i;
  }
  EXPECT_GT(refused, Cases(1500) / 10);
  EXPECT_GT(survivors.ran(), Cases(1500) / 10);
}

TEST(HostileOnnxTest, FilesThatAreNoModels) {
  const TempFolder folder;
  ExpectInvalid(ReadBytes(""), {"m.onnx", "no graph"});
  ExpectInvalid(ReadBytes("{\"version\": 1}"), {"m.onnx", "malformed protobuf"});
  ExpectInvalid(ReadBytes(std::string(100, '\0')), {"malformed protobuf", "100 bytes"});
  ExpectInvalid(ReadBytes(std::string(100, '\xff')), {"malformed protobuf"});
  ExpectInvalid(ReadOnnx(folder.path()).status(), {"not a regular file"});
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  ExpectInvalid(ReadOnnx(folder / "pipe").status(), {"pipe", "not a regular file"});
}

TEST(HostileOnnxTest, MalformedProtobuf) {
  ExpectInvalid(ReadBytes(std::string("\x3a\xff\xff\xff\xff\x0f", 6)), {"ModelProto", "malformed"});  // 4 GiB graph
  ExpectInvalid(ReadBytes(std::string(11, '\x80')), {"malformed"});                                   // endless varint
  ExpectInvalid(ReadBytes("\x3b"), {"malformed"});                                                    // group
  ExpectInvalid(ReadBytes(Proto().Int(7, 5)), {"ModelProto", "field 7", "a varint", "length-delimited"});
  ExpectInvalid(ReadWithNode(Proto().Int(1, 5)), {"NodeProto", "field 1", "a varint"});
  ExpectInvalid(ReadWithNode(OnnxNode("Add", "n", {"x", "c"}, {"y"}, {Proto().Bytes(1, "a").Bytes(2, "f")})),
                {"Add 'n'", "field 2", "a fixed32"});
  ExpectInvalid(ReadWithInitializer(TensorHead("c", {1}, 1).Bytes(4, "123")), {"'c'", "field 4", "a list of fixed32"});
  ExpectInvalid(ReadWithInitializer(TensorHead("c", {1}, 7).Bytes(7, "\xff")), {"'c'", "malformed"});
}

TEST(HostileOnnxTest, ModelsWithTwoOrNoParts) {
  const std::string model = GoodGraph().Model();
  ExpectInvalid(ReadBytes(model + model), {"two graphs"});
  ExpectInvalid(ReadBytes(Proto().Bytes(8, Proto().Int(2, 17)).Bytes(8, Proto().Bytes(1, "ai.onnx").Int(2, 18))),
                {"operator set twice", "17", "18"});
  ExpectUnsupported(ReadBytes(Proto().Bytes(7, Proto().Bytes(15, ""))), {"sparse"});
}

TEST(HostileOnnxTest, ShapesThatAreNotThoseOfTheData) {
  ExpectInvalid(ReadWithInitializer(FloatTensor("c", {3}, {1, 2})), {"'c'", "8 bytes", "(3)", "12"});
  ExpectInvalid(ReadWithInitializer(FloatTensor("c", {1}, {1, 2})), {"'c'", "8 bytes", "(1)", "4"});
  ExpectInvalid(ReadWithInitializer(TensorHead("c", {2}, 1).Bytes(9, "1234567")), {"'c'", "7 bytes", "8"});
  ExpectInvalid(ReadWithInitializer(TensorHead("c", {2}, 1)), {"'c'", "0 elements", "(2)", "2"});
  ExpectInvalid(ReadWithInitializer(TensorHead("c", {1}, 1).Float(4, 1).Float(4, 2)), {"'c'", "2 elements", "1"});
  ExpectInvalid(ReadWithInitializer(TensorHead("c", {1 << 20, 1 << 20}, 1).Bytes(9, "1234")),
                {"'c'", "4 bytes", "(1048576, 1048576)", "4398046511104"});
}

TEST(HostileOnnxTest, ShapesThatOverflow) {
  const int64_t huge = int64_t{1} << 32;
  ExpectInvalid(ReadWithInitializer(FloatTensor("c", {huge, huge}, {})), {"'c'", "(4294967296, 4294967296)", "2^63"});
  ExpectInvalid(ReadWithInitializer(FloatTensor("c", {INT64_MAX}, {})), {"'c'", "(9223372036854775807)", "above 2^40"});
  ExpectInvalid(ReadWithInitializer(FloatTensor("c", {2, -1}, {1, 2})), {"'c'", "dimension 1 is -1"});
  ExpectUnsupported(ReadWithInitializer(FloatTensor("c", {1, 1, 1, 1, 1, 1, 1, 1, 1}, {1})),
                    {"'c'", "9 dimensions", "8"});
  OnnxGraph graph = GoodGraph();
  graph.inputs = {OnnxValue("x", {huge, huge})};
  ExpectInvalid(ReadBytes(graph.Model()), {"graph input 'x'", "2^63"});
  const Proto negative = Proto().Bytes(2, Proto().Bytes(1, Proto().Int(1, -3)));
  graph.inputs = {Proto().Bytes(1, "x").Bytes(2, Proto().Bytes(1, negative))};
  ExpectInvalid(ReadBytes(graph.Model()), {"dimension -3"});
}

TEST(HostileOnnxTest, DataOfTheWrongKind) {
  ExpectInvalid(ReadWithInitializer(FloatTensor("c", {1}, {1}).Float(4, 1)), {"'c'", "twice"});
  ExpectInvalid(ReadWithInitializer(FloatTensor("c", {1}, {1}).Int(14, 1)), {"'c'", "twice"});
  ExpectInvalid(ReadWithInitializer(TensorHead("c", {1}, 7).Float(4, 1)), {"'c'", "another type than 7"});
  ExpectInvalid(ReadWithInitializer(TensorHead("c", {1}, 1).Int(5, 1)), {"'c'", "another type than 1"});
  ExpectInvalid(ReadWithInitializer(TensorHead("c", {2}, 3).Int(5, 0).Int(5, 128)),
                {"'c'", "element 1 is 128", "-128..127"});
  ExpectInvalid(ReadWithInitializer(TensorHead("c", {1}, 2).Int(5, -1)), {"'c'", "element 0 is -1", "0..255"});
  ExpectInvalid(ReadWithInitializer(TensorHead("c", {1}, 10).Int(5, 65536)), {"'c'", "65536", "0..65535"});
  ExpectInvalid(ReadWithInitializer(TensorHead("c", {1}, 9).Bytes(9, "\x02")), {"'c'", "element 0 is 2", "0..1"});
}

TEST(HostileOnnxTest, NamesTwiceTooLongOrMissing) {
  OnnxGraph graph = GoodGraph();
  graph.initializers.push_back(FloatTensor("c", {1}, {1}));
  ExpectInvalid(ReadBytes(graph.Model()), {"'c'", "two initializers"});
  graph = GoodGraph();
  graph.inputs.push_back(graph.inputs[0]);
  ExpectInvalid(ReadBytes(graph.Model()), {"graph input 'x'", "twice"});
  graph = GoodGraph();
  graph.outputs.push_back(graph.outputs[0]);
  ExpectInvalid(ReadBytes(graph.Model()), {"graph output 'y'", "twice"});
  ExpectInvalid(ReadWithInitializer(FloatTensor("", {1}, {1})), {"initializer without a name"});
  ExpectInvalid(ReadWithInitializer(FloatTensor(std::string(4097, 'n'), {1}, {1})), {"4097 bytes", "4096"});
  ExpectInvalid(ReadWithNode(OnnxNode(std::string(5000, 'n'), "n", {"x"}, {"y"})), {"NodeProto", "5000 bytes"});
}

TEST(HostileOnnxTest, Attributes) {
  const auto with = [](const Proto& attribute) {
    return ReadWithNode(OnnxNode("Flatten", "f", {"x"}, {"y"}, {attribute}));
  };
  ExpectInvalid(
      ReadWithNode(OnnxNode("Flatten", "f", {"x"}, {"y"}, {IntAttribute("axis", 1), IntAttribute("axis", 2)})),
      {"Flatten 'f'", "'axis' twice"});
  ExpectInvalid(with(Proto().Int(3, 1).Int(20, 2)), {"Flatten 'f'", "without a name"});
  ExpectUnsupported(with(Proto().Bytes(1, "body").Int(20, 5)), {"Flatten 'f'", "'body'", "type 5", "INT (2)"});
  ExpectUnsupported(with(Proto().Bytes(1, "a")), {"Flatten 'f'", "'a'", "type 0"});
  ExpectUnsupported(with(testing::StringAttribute("s", std::string(5000, 's'))), {"'s'", "5000 bytes"});
  ExpectUnsupported(with(testing::IntsAttribute("i", std::vector<int64_t>(65537, 0))), {"'i'", "65536"});
  ExpectInvalid(with(testing::TensorAttribute("value", FloatTensor("", {2}, {1}))),
                {"value of Flatten 'f'", "4 bytes", "8"});
  std::vector<Proto> many;
  for (int i = 0; i < 257; ++i) many.push_back(IntAttribute("a" + std::to_string(i), i));
  ExpectUnsupported(ReadWithNode(OnnxNode("Flatten", "f", {"x"}, {"y"}, many)), {"Flatten 'f'", "256 attributes"});
}

TEST(HostileOnnxTest, TooManyInputs) {
  ExpectUnsupported(ReadWithNode(OnnxNode("Concat", "c", std::vector<std::string>(65537, "x"), {"y"})),
                    {"65536 inputs"});
}

class HostileExternalDataTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.Write("model/data.bin", RawData<float>({1, 2, 3, 4}));
    folder_.Write("secret.bin", RawData<float>({1, 2, 3, 4}));
  }
  Status Read(const std::vector<std::pair<std::string, std::string>>& entries, int64_t count = 4) {
    OnnxGraph graph = GoodGraph();
    graph.initializers = {ExternalTensor("c", {count}, entries)};
    return ReadOnnx(folder_.Write("model/m.onnx", graph.Model())).status();
  }
  TempFolder folder_;
};

TEST_F(HostileExternalDataTest, TheGoodOneIsRead) {
  EXPECT_TRUE(Read({{"location", "data.bin"}}).ok());
  EXPECT_TRUE(Read({{"location", "./data.bin"}, {"offset", "8"}}, 2).ok());
}

TEST_F(HostileExternalDataTest, LeavesNoFolder) {
  ExpectInvalid(Read({{"location", "../secret.bin"}}), {"'c'", "'../secret.bin'", "leaves the model's folder"});
  ExpectInvalid(Read({{"location", "a/../../secret.bin"}}), {"'c'"});
  ExpectInvalid(Read({{"location", "./../secret.bin"}}), {"'c'", "leaves"});
  ExpectInvalid(Read({{"location", folder_ / "secret.bin"}}), {"'c'", "absolute path", "secret.bin"});
  ExpectInvalid(Read({{"location", "/etc/passwd"}}), {"'c'", "'/etc/passwd'"});
  ExpectInvalid(Read({{"location", ""}}), {"'c'", "empty"});
  ExpectInvalid(Read({}), {"'c'", "empty"});
  ExpectInvalid(Read({{"location", std::string("data.bin\0x", 10)}}), {"'c'", "0 byte"});
}

TEST_F(HostileExternalDataTest, FollowsNoLinks) {
  std::filesystem::create_symlink("../secret.bin", folder_ / "model/link.bin");
  ExpectInvalid(Read({{"location", "link.bin"}}), {"'c'", "'link.bin' is a symbolic link"});
  std::filesystem::create_directory_symlink("..", folder_ / "model/up");
  ExpectInvalid(Read({{"location", "up/secret.bin"}}), {"'c'", "'up' is a symbolic link"});
  std::filesystem::create_symlink("data.bin", folder_ / "model/inside.bin");
  ExpectInvalid(Read({{"location", "inside.bin"}}), {"'c'", "'inside.bin'"});
  std::filesystem::create_hard_link(folder_ / "secret.bin", folder_ / "model/hard.bin");
  ExpectInvalid(Read({{"location", "hard.bin"}}), {"'c'", "2 names"});
}

TEST_F(HostileExternalDataTest, IsARegularFile) {
  ASSERT_EQ(mkfifo((folder_ / "model/pipe").c_str(), 0600), 0);
  ExpectInvalid(Read({{"location", "pipe"}}), {"pipe", "not a regular file"});
  ExpectInvalid(Read({{"location", "."}}), {"not a regular file"});
  ExpectInvalid(Read({{"location", "data.bin/x"}}), {"'c'", "no folder"});
  testing::ExpectError(Read({{"location", "none.bin"}}), StatusCode::kNotFound, {"'c'", "'none.bin'"});
}

TEST_F(HostileExternalDataTest, LiesWithinItsFile) {
  ExpectInvalid(Read({{"location", "data.bin"}}, 5), {"'c'", "20 bytes at offset 0", "data.bin", "16 bytes"});
  ExpectInvalid(Read({{"location", "data.bin"}, {"offset", "4"}}), {"'c'", "16 bytes at offset 4", "16 bytes"});
  ExpectInvalid(Read({{"location", "data.bin"}, {"offset", "18446744073709551615"}}), {"'c'", "18446744073709551615"});
  ExpectInvalid(Read({{"location", "data.bin"}, {"length", "12"}}), {"'c'", "12 bytes", "16"});
  ExpectInvalid(Read({{"location", "data.bin"}, {"offset", "-1"}}), {"'c'", "offset", "'-1'"});
  ExpectInvalid(Read({{"location", "data.bin"}, {"length", "16x"}}), {"'c'", "length", "'16x'"});
  ExpectInvalid(Read({{"location", "data.bin"}, {"length", "99999999999999999999"}}), {"'c'", "99999999999999999999"});
}

// A file of 2^42 bytes, none of them on the disk.
TEST_F(HostileExternalDataTest, StaysWithinMemory) {
  folder_.Write("model/sparse.bin", "");
  if (truncate((folder_ / "model/sparse.bin").c_str(), off_t{1} << 42) != 0) GTEST_SKIP() << "no sparse files here";
  ExpectInvalid(Read({{"location", "sparse.bin"}}, int64_t{1} << 40), {"'c'", "4398046511104 bytes of memory"});
}

}  // namespace
}  // namespace lq
