// The grammars of versions 0.6.1, 2.0.0 and 2.1.0, right and wrong (1.0.0: encodings_reader_test.cc).
#include <gtest/gtest.h>
#include <unistd.h>

#include "runtime/io/encodings_reader.h"
#include "runtime/passes/passes.h"
#include "tests/support/expect_error.h"
#include "tests/support/read_graph.h"

namespace lq {
namespace {

using testing::ExpectInvalid;
using testing::ExpectUnsupported;
using testing::FindValue;
using testing::FloatTensor;
using testing::IntAttribute;
using testing::OnnxNode;
using testing::OnnxValue;
using testing::ReadGraph;
using testing::TempFolder;

Result<EncodingsFile> Read(const std::string& json) {
  const TempFolder folder;
  return ReadEncodings(folder.Write("e.json", json));
}

// {"w": [..]} of version 0.6.1.
Result<EncodingsFile> Read061(const std::string& channels) {
  return Read(R"({"version":"0.6.1","activation_encodings":{},"param_encodings":{"w":)" + channels + "}}");
}
constexpr char kChannel061[] = R"({"bitwidth":8,"dtype":"int","is_symmetric":"True","scale":0.5,"offset":-128})";

// An entry of version 2.x, named w.
Result<EncodingsFile> Read2(const std::string& fields, const std::string& version = "2.0.0") {
  return Read(R"({"version":")" + version + R"(","encodings":[{"name":"w",)" + fields + "}]}");
}

// w (6, 4) under a Gemm with transB, its transpose under one without; or (6, 4, 1, 1) under a Conv.
Graph LayerGraph(const std::vector<int64_t>& shape) {
  const bool conv = shape.size() == 4;
  const int64_t transposed = shape[0] == 6;
  std::vector<testing::Proto> attributes;
  if (!conv) attributes.push_back(IntAttribute("transB", transposed));
  return ReadGraph(
      {{OnnxNode(conv ? "Conv" : "Gemm", "layer", {"x", "w", "b"}, {"y"}, attributes)},
       {FloatTensor("w", shape, std::vector<float>(24, 1)), FloatTensor("b", {6}, {1, -1, 3, 1e9, -1e9, 0})},
       {OnnxValue("x", {-1, 4})},
       {OnnxValue("y", {-1, 6})}});
}

Status Attach(const Result<EncodingsFile>& file, Graph& graph) {
  EXPECT_TRUE(file.ok()) << file.status().message();
  return file.ok() ? AttachEncodings(*file, graph) : file.status();
}

template <class T>
T Attached(const Result<EncodingsFile>& file, const std::vector<int64_t>& shape) {
  Graph graph = LayerGraph(shape);
  const Status status = Attach(file, graph);
  EXPECT_TRUE(status.ok()) << status.message();
  const auto& encoding = FindValue(graph, "w").encoding;
  const bool fits = encoding.has_value() && std::holds_alternative<T>(*encoding);
  EXPECT_TRUE(fits);
  return fits ? std::get<T>(*encoding) : T{};
}

Status AttachTo(const Result<EncodingsFile>& file, const std::vector<int64_t>& shape) {
  Graph graph = LayerGraph(shape);
  return Attach(file, graph);
}

TEST(Encodings061Test, ReadsChannelsFlagsAndHalves) {
  const auto file = Read061(std::string("[") + kChannel061 + "," + kChannel061 + "]");
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_EQ(file->entries.size(), 1u);
  EXPECT_EQ(file->entries[0].type, EncodingType::kPerChannel);
  EXPECT_TRUE(file->entries[0].is_symmetric);
  EXPECT_EQ(file->entries[0].scale, (std::vector<float>{0.5f, 0.5f}));
  const auto halves = Read061(R"([{"bitwidth":2,"is_symmetric":true,"scale":1,"offset":-1.5}])");
  ASSERT_TRUE(halves.ok()) << halves.status().message();
  EXPECT_EQ(halves->entries[0].type, EncodingType::kPerTensor);
  EXPECT_EQ(halves->entries[0].offset, std::vector<double>{-2});
  EXPECT_EQ(halves->entries[0].zero_point_shift, 0.5);
}

TEST(Encodings061Test, NamesWhatIsWrong) {
  ExpectInvalid(Read061("[]").status(), {"param_encodings[0]", "'w'", "no scale"});
  ExpectInvalid(Read061("{}").status(), {"'w'", "not a list"});
  ExpectInvalid(Read061("[7]").status(), {"'w'", "element 0", "not an object"});
  ExpectInvalid(Read061(R"([{"dtype":"int","scale":1,"offset":0}])").status(), {"'bitwidth' is missing"});
  ExpectInvalid(Read061(R"([{"bitwidth":8,"scale":1}])").status(), {"'offset' is missing"});
  ExpectInvalid(Read061(R"([{"bitwidth":8,"scale":[1],"offset":0}])").status(), {"'scale' is not a number"});
  ExpectInvalid(Read061(R"([{"bitwidth":8,"is_symmetric":"maybe","scale":1,"offset":0}])").status(),
                {"'is_symmetric'", "neither"});
  ExpectUnsupported(Read061(R"([{"bitwidth":8,"dtype":"MX"}])").status(), {"'MX'", "int, float"});
  ExpectInvalid(Read061(std::string("[") + kChannel061 + R"(,{"bitwidth":4,"scale":1,"offset":0}])").status(),
                {"'w'", "element 1", "bitwidth 4", "8"});
  ExpectInvalid(Read(R"({"version":"0.6.1","param_encodings":[]})").status(), {"'param_encodings' is not an object"});
  const std::string one = std::string("[") + kChannel061 + "]";
  ExpectInvalid(
      Read(R"({"version":"0.6.1","activation_encodings":{"w":)" + one + R"(},"param_encodings":{"w":)" + one + "}}")
          .status(),
      {"param_encodings[0]", "'w'", "second"});
  ExpectInvalid(Read(R"({"version":"0.6.1","param_encodings":{"":)" + one + "}}").status(), {"0 bytes"});
}

TEST(Encodings2Test, ChannelAxes) {
  const std::string six = R"("output_dtype":"int8","y_scale":[1,2,3,4,5,6])";
  EXPECT_EQ(Attached<PerChannel>(Read2(six + R"(,"axis":0)"), {6, 4}).axis, 0u);
  EXPECT_EQ(Attached<PerChannel>(Read2(six + R"(,"axis":-2)"), {6, 4}).axis, 0u);
  EXPECT_EQ(Attached<PerChannel>(Read2(six + R"(,"axis":-1)"), {4, 6}).axis, 1u);
  EXPECT_EQ(Attached<PerChannel>(Read2(six), {4, 6}).axis, 1u);  // the file does not say: the Gemm does
  const PerChannel e = Attached<PerChannel>(Read2(six), {6, 4});
  EXPECT_EQ(e.grid, (Grid{8, true}));
  EXPECT_EQ(e.offset, std::vector<int32_t>(6, 0));
  EXPECT_EQ(Attached<PerTensor>(Read2(R"("output_dtype":"uint8","y_scale":[0.5],"y_zero_point":[73])"), {6, 4}),
            (PerTensor{{8, false}, 0.5f, -73}));
  EXPECT_EQ(Attached<PerTensor>(Read2(R"("output_dtype":"int4","y_scale":0.5,"y_zero_point":-3.0)"), {6, 4}),
            (PerTensor{{4, true}, 0.5f, 3}));
  ExpectInvalid(AttachTo(Read2(six + R"(,"axis":2)"), {6, 4}), {"'w'", "axis 2", "(6, 4)"});
  ExpectInvalid(AttachTo(Read2(six + R"(,"axis":-3)"), {6, 4}), {"'w'", "axis -3", "(6, 4)"});
  ExpectInvalid(AttachTo(Read2(six + R"(,"axis":1)"), {6, 4}), {"'w'", "6 scales", "needs 4"});
}

// Block b of channel c has scale 10 c + b + 1, in every nesting that says so.
TEST(Encodings2Test, FloatBlocks) {
  const std::vector<float> want{1, 2, 11, 12, 21, 22, 31, 32, 41, 42, 51, 52};
  const std::string head = R"("output_dtype":"int4","block_size":2,"y_scale":)";
  const auto rows = Read2(head + R"([[1,2],[11,12],[21,22],[31,32],[41,42],[51,52]],"axis":1)");
  EXPECT_EQ(Attached<PerBlock>(rows, {6, 4}).scale, want);
  const auto columns = Read2(head + R"([[1,11,21,31,41,51],[2,12,22,32,42,52]],"axis":0)");
  const PerBlock e = Attached<PerBlock>(columns, {4, 6});
  EXPECT_EQ(e.scale, want);
  EXPECT_EQ(e.channel_axis, 1u);
  EXPECT_EQ(e.block_axis, 0u);
  const auto images = Read2(head + R"([[[[1]],[[2]]],[[[11]],[[12]]],[[[21]],[[22]]],[[[31]],[[32]]],[[[41]],[[42]]],)"
                                   R"([[[51]],[[52]]]],"axis":-3)");
  EXPECT_EQ(Attached<PerBlock>(images, {6, 4, 1, 1}).scale, want);
  const auto shared = Read2(head + R"([[3,4]],"axis":1)");  // one row for all channels
  EXPECT_EQ(Attached<PerBlock>(shared, {6, 4}).scale, (std::vector<float>{3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4}));
}

TEST(Encodings2Test, Lpbq) {
  const std::vector<uint32_t> want{16, 1, 2, 16, 16, 3, 4, 16, 16, 5, 6, 16};
  const std::string rows = "[[16,1],[2,16],[16,3],[4,16],[16,5],[6,16]]";
  const std::string columns = "[[16,2,16,4,16,6],[1,16,3,16,5,16]]";
  const std::string head = R"("output_dtype":"int4","block_size":2,)";
  const auto check = [&](const Result<EncodingsFile>& file, const std::vector<int64_t>& shape) {
    const Lpbq e = Attached<Lpbq>(file, shape);
    EXPECT_EQ(e.per_block_int_scale, want);
    EXPECT_EQ(e.channel_scale, (std::vector<float>{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(e.bitwidth, 4);
    EXPECT_EQ(e.decompressed_bitwidth, 8);
  };
  check(Read2(head + R"("axis":1,"per_channel_float_scale":[[1],[2],[3],[4],[5],[6]],"per_block_int_scale":)" + rows),
        {6, 4});
  check(Read2(head + R"("axis":0,"per_channel_float_scale":[[1,2,3,4,5,6]],"per_block_int_scale":)" + columns), {4, 6});
  check(Read2(head + R"("axis":1,"y_scale":{"x_scale":[1,2,3,4,5,6],"axis":-2,"x":)" + rows + "}", "2.1.0"), {6, 4});
  check(Read2(head + R"("axis":-2,"y_scale":{"x_scale":[1,2,3,4,5,6],"axis":1,"x":)" + columns + "}", "2.1.0"), {4, 6});
  const Lpbq one = Attached<Lpbq>(Read2(head + R"("axis":1,"y_scale":{"x_scale":7,"x":)" + rows + "}"), {6, 4});
  EXPECT_EQ(one.channel_scale, std::vector<float>(6, 7));
  const Lpbq wide = Attached<Lpbq>(
      Read2(head + R"("axis":1,"y_scale":{"x_scale":7,"x":[[64,1],[1,1],[1,1],[1,1],[1,1],[1,1]]})"), {6, 4});
  EXPECT_EQ(wide.decompressed_bitwidth, 10);
}

TEST(Encodings2Test, BlocksThatDoNotFit) {
  const std::string head = R"("output_dtype":"int4","block_size":2,"y_scale":)";
  ExpectInvalid(AttachTo(Read2(head + R"([[1,2]],"axis":1)"), {6, 4, 1, 1}), {"'w'", "2 dimensions", "(6, 4, 1, 1)"});
  ExpectInvalid(AttachTo(Read2(head + R"([[1,2],[1,2]],"axis":1)"), {6, 4}), {"'w'", "(2, 2)", "6 channels"});
  ExpectInvalid(AttachTo(Read2(head + R"([[1],[1],[1],[1],[1],[1]],"axis":1)"), {6, 4}), {"'w'", "6 scales", "12"});
  ExpectInvalid(AttachTo(Read2(head + R"([[1,2]],"axis":5)"), {6, 4}), {"'w'", "axis 5"});
  ExpectUnsupported(
      AttachTo(Read2(head + R"([[[[1,2]]],[[[1,2]]],[[[1,2]]],[[[1,2]]],[[[1,2]]],[[[1,2]]]],"axis":1)"), {6, 4, 1, 1}),
      {"'w'", "axes 0 and 3"});
  ExpectInvalid(
      AttachTo(Read2(R"("output_dtype":"int4","block_size":2,"axis":1,"y_scale":{"x":[[1,1],[1,1],[1,1],[1,1],)"
                     R"([1,1],[1,1]],"x_scale":[1,2],"axis":0})"),
               {6, 4}),
      {"'w'", "2 channel scales", "6 channels"});
}

TEST(Encodings2Test, BiasInCodes) {
  const auto bias = [](const std::string& fields) {
    return Read(R"({"version":"2.0.0","encodings":[{"name":"b","output_dtype":"int32",)" + fields + "}]}");
  };
  Graph graph = LayerGraph({6, 4});
  ASSERT_TRUE(Attach(bias(R"("y_scale":[0.4,0.4,2,0.25,0.25,3],"axis":0)"), graph).ok());
  const Value& value = FindValue(graph, "b");
  EXPECT_FALSE(value.encoding.has_value());
  ASSERT_EQ(value.constant->dtype, DType::kF64);
  const double s = 0.4f;  // 1 / s = 2.49999996; 3 / 2 is a tie: to even; 1e9 / 0.25 leaves 32 bits
  EXPECT_EQ(value.constant->f64, (std::vector<double>{2 * s, -2 * s, 4, 2147483647 * 0.25, -2147483648 * 0.25, 0}));
  ExpectInvalid(AttachTo(bias(R"("y_scale":[1,1],"axis":0)"), {6, 4}), {"'b'", "2 scales", "6"});
  ExpectInvalid(AttachTo(bias(R"("y_scale":0)"), {6, 4}), {"'b'", "scale 0 is 0"});
  ExpectInvalid(AttachTo(bias(R"("y_scale":-1)"), {6, 4}), {"'b'", "scale 0 is -1"});
  ExpectInvalid(AttachTo(bias(R"("y_scale":1e39)"), {6, 4}), {"'b'", "scale 0 is inf"});
  ExpectUnsupported(AttachTo(bias(R"("y_scale":1,"y_zero_point":3)"), {6, 4}), {"'b'", "zero point 0", "3"});
}

TEST(Encodings2Test, RefusesByNameWhatNetworksCannotHave) {
  ExpectUnsupported(AttachTo(Read2(R"("output_dtype":"int2","y_scale":1,"y_zero_point":-0.5)"), {6, 4}),
                    {"'w'", "zero_point_shift 0.5"});
  ExpectUnsupported(AttachTo(Read2(R"("output_dtype":"float8e4m3fn","y_scale":1)"), {6, 4}),
                    {"'w'", "float encoding of 8 bits"});
  ExpectUnsupported(Read2(R"("output_dtype":"int3","y_scale":1)").status(), {"encodings[0]", "'w'", "'int3'", "int4"});
}

TEST(Encodings2Test, NamesWhatIsWrong) {
  const std::string head = R"("output_dtype":"int8",)";
  ExpectInvalid(Read2(R"("y_scale":1)").status(), {"encodings[0]", "'w'", "'output_dtype' is missing"});
  ExpectInvalid(Read2(head + R"("axis":0)").status(), {"'w'", "'y_scale' is missing"});
  ExpectInvalid(Read2(head + R"("y_scale":[])").status(), {"'y_scale' is empty"});
  ExpectInvalid(Read2(head + R"("y_scale":"1")").status(), {"element 0 of 'y_scale' is not a number"});
  ExpectInvalid(Read2(head + R"("y_scale":[1,[2]])").status(), {"'y_scale' is no box"});
  ExpectInvalid(Read2(head + R"("y_scale":[[1],[2,3]],"axis":1,"block_size":2)").status(), {"'y_scale' is no box"});
  ExpectInvalid(Read2(head + R"("y_scale":[[1],2],"axis":1,"block_size":2)").status(), {"'y_scale' is no box"});
  ExpectInvalid(Read2(head + R"("y_scale":[[],[]],"axis":1,"block_size":2)").status(), {"'y_scale' is empty"});
  ExpectInvalid(Read2(head + R"("y_scale":[[1]],"axis":0)").status(), {"nested 2 deep", "no block_size"});
  ExpectInvalid(Read2(head + R"("y_scale":[[1]],"block_size":2)").status(), {"'block_size' without 'axis'"});
  ExpectInvalid(Read2(head + R"("y_scale":[[1]],"axis":1,"block_size":0)").status(), {"'block_size' is 0"});
  ExpectInvalid(Read2(head + R"("y_scale":[1,2],"axis":0.5)").status(), {"'axis' is 0.5"});
  ExpectInvalid(Read2(head + R"("y_scale":[1,2],"axis":1e300)").status(), {"'axis' is 1e+300"});
  ExpectInvalid(Read2(head + R"("y_scale":[1,2],"y_zero_point":[0])").status(), {"2 numbers", "y_zero_point 1"});
  ExpectUnsupported(Read2(head + R"("y_scale":[[[[[[[[[1]]]]]]]]],"axis":1,"block_size":2)").status(),
                    {"deeper than 8"});
  ExpectInvalid(Read(R"({"version":"2.0.0","encodings":{}})").status(), {"'encodings' is not a list"});
  ExpectInvalid(Read(R"({"version":"2.0.0","encodings":[3]})").status(), {"encodings[0]", "not an object"});
  const std::string one = R"({"name":"w","output_dtype":"int8","y_scale":1})";
  ExpectInvalid(Read(R"({"version":"2.1.0","encodings":[)" + one + "," + one + "]}").status(),
                {"encodings[1]", "'w'", "second"});
}

TEST(Encodings2Test, NamesWhatIsWrongInLpbq) {
  const std::string head = R"("output_dtype":"int4","axis":1,"block_size":2,)";
  ExpectInvalid(Read2(head + R"("per_block_int_scale":[[1]])").status(), {"'per_channel_float_scale' is missing"});
  ExpectInvalid(Read2(head + R"("per_block_int_scale":[[1]],"per_channel_float_scale":[1])").status(),
                {"nested 2 deep", "per_channel_float_scale 1"});
  ExpectInvalid(Read2(head + R"("per_block_int_scale":[[1.5]],"per_channel_float_scale":[[1]])").status(),
                {"integer scale 0 is 1.5"});
  ExpectInvalid(Read2(head + R"("per_block_int_scale":[[1e12]],"per_channel_float_scale":[[1]])").status(),
                {"integer scale 0 is 1000000000000"});
  ExpectUnsupported(Read2(head + R"("per_block_int_scale":[[1]],"per_channel_float_scale":[[1,2],[3,4]])").status(),
                    {"axes 0 and 1"});
  ExpectUnsupported(Read2(head + R"("y_scale":{"x":[[1]],"x_scale":1,"block_size":2})").status(), {"'block_size'"});
  ExpectUnsupported(Read2(head + R"("y_scale":{"x":[[1]],"x_scale":1,"x_zero_point":1})").status(), {"'x_zero_point'"});
  ExpectUnsupported(Read2(head + R"("y_scale":{"x":[[1]],"x_scale":[[1]]})").status(), {"nested 2 deep"});
  ExpectInvalid(Read2(R"("output_dtype":"int4","y_scale":{"x":[[1]],"x_scale":1})").status(), {"without 'block_size'"});
  ExpectUnsupported(
      Read2(R"("output_dtype":"uint4","axis":1,"block_size":2,"y_scale":{"x":[[1]],"x_scale":1})").status(),
      {"unsigned"});
}

// Cut after any byte, a file of each version is refused as no JSON; with any byte replaced it is read or refused.
TEST(EncodingsVersionsTest, EveryTruncationAndEveryByteReplaced) {
  const std::string files[] = {
      R"({"version":"0.6.1","param_encodings":{"w":[)" + std::string(kChannel061) + "," + kChannel061 + "]}}",
      R"({"version":"2.0.0","encodings":[{"name":"w","output_dtype":"int4","axis":1,"block_size":2,)"
      R"("per_block_int_scale":[[16,1],[2,16]],"per_channel_float_scale":[[1],[2]]}]})",
      R"({"version":"2.1.0","encodings":[{"name":"w","output_dtype":"int4","axis":1,"block_size":2,)"
      R"("y_scale":{"x":[[[[16]],[[1]]]],"x_scale":[0.5],"axis":-4}},)"
      R"({"name":"b","output_dtype":"uint8","y_scale":[[1,2]],"y_zero_point":[[3,4]],"axis":1,"block_size":2}]})"};
  const TempFolder folder;
  const auto read_json = [&](const std::string& json) { return ReadEncodings(folder.Write("e.json", json)); };
  const Graph graphs[] = {LayerGraph({6, 4}), LayerGraph({6, 4, 1, 1})};
  for (const std::string& file : files) {
    ASSERT_TRUE(read_json(file).ok()) << read_json(file).status().message();
    for (size_t size = 0; size < file.size(); ++size) {
      ExpectInvalid(read_json(file.substr(0, size)).status(), {"e.json", "not JSON"});
      for (const char byte : {'[', '9'}) {
        std::string changed = file;
        changed[size] = byte;
        const auto read = read_json(changed);
        ASSERT_EQ(read.ok(), read.status().message().empty());
        if (!read.ok()) continue;
        for (Graph graph : graphs) {
          const Status status = AttachEncodings(*read, graph);
          ASSERT_EQ(status.ok(), status.message().empty());
        }
      }
    }
  }
}

}  // namespace
}  // namespace lq
