#include "runtime/io/encodings_reader.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::ExpectInvalid;
using testing::ExpectUnsupported;
using testing::GoldenPath;
using testing::TempFolder;

// A file of version 1.0.0 with this list of param_encodings.
Result<EncodingsFile> ReadParams(const std::string& entries) {
  const TempFolder folder;
  return ReadEncodings(
      folder.Write("e.json", R"({"version":"1.0.0","activation_encodings":[],"param_encodings":[)" + entries + "]}"));
}

const EncodingEntry* Find(const EncodingsFile& file, const std::string& name) {
  for (const EncodingEntry& entry : file.entries) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

// Numbers of the file, as a text editor shows them.
TEST(EncodingsReaderTest, ReadsLpbqExport) {
  const auto file = ReadEncodings(GoldenPath("digits_cnn/w4a8_lpbq/model.encodings"));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->version, "1.0.0");
  EXPECT_EQ(file->producer, "aimet-torch");
  EXPECT_EQ(file->entries.size(), 23u);
  const EncodingEntry* conv2 = Find(*file, "conv2.conv.weight");
  ASSERT_NE(conv2, nullptr);
  EXPECT_EQ(conv2->type, EncodingType::kLpbq);
  EXPECT_EQ(conv2->bitwidth, 8);
  EXPECT_EQ(conv2->compressed_bitwidth, 4);
  EXPECT_EQ(conv2->block_size, 16);
  EXPECT_TRUE(conv2->is_symmetric);
  ASSERT_EQ(conv2->scale.size(), 64u);
  EXPECT_EQ(conv2->scale[0], static_cast<float>(0.0012553069973364472));
  EXPECT_EQ(conv2->offset, std::vector<double>(64, -128));
  ASSERT_EQ(conv2->per_block_int_scale.size(), 128u);
  EXPECT_EQ(conv2->per_block_int_scale[0], 16u);
  EXPECT_EQ(conv2->per_block_int_scale[1], 15u);
  const EncodingEntry* res3 = Find(*file, "/res3/conv/Conv_output_0");
  ASSERT_NE(res3, nullptr);
  EXPECT_EQ(res3->type, EncodingType::kPerTensor);
  EXPECT_FALSE(res3->is_symmetric);
  EXPECT_EQ(res3->offset, std::vector<double>{-111});
}

// Bytes in messages are those of the file.
TEST(EncodingsReaderTest, ReadsAFileWithAByteOrderMark) {
  const TempFolder folder;
  EXPECT_TRUE(ReadEncodings(folder.Write("e.json", "\xef\xbb\xbf{\"version\":\"1.0.0\"}")).ok());
  ExpectInvalid(ReadEncodings(folder.Write("e.json", "\xef\xbb\xbf[NaN]")).status(), {"NaN is at byte 4"});
  ExpectInvalid(ReadEncodings(folder.Write("e.json", "\xef\xbb\xbf")).status(), {"not JSON of 3 bytes"});
  ExpectInvalid(ReadEncodings(folder.Write("e.json", "\xef\xbb")).status(), {"not JSON of 2 bytes"});
}

TEST(EncodingsReaderTest, ReadsEveryGoldenFile) {
  for (const char* name : {"digits_cnn/w8a8", "digits_cnn/w8a8_bn", "mlp/w8a8", "mlp/w4a8_lpbq"}) {
    const auto file = ReadEncodings(GoldenPath(std::string(name) + "/model.encodings"));
    ASSERT_TRUE(file.ok()) << file.status().message();
    EXPECT_EQ(file->entries.size(), name[0] == 'm' ? 7u : 23u) << name;
  }
}

// aimet_onnx writes -128.0, and more digits than a float32 has.
TEST(EncodingsReaderTest, ReadsFloatOffsetsBlocksAndFloatEntries) {
  const auto file = ReadParams(
      R"({"name":"b","dtype":"INT","enc_type":"PER_BLOCK","bw":4.0,"is_sym":true,"block_size":4,"scale":[0.1,0.125],)"
      R"("offset":[-8.0,-8]},)"
      R"({"bw":16,"enc_type":"PER_TENSOR","name":"f","dtype":"FLOAT"},)"
      R"({"name":"s","dtype":"INT","enc_type":"PER_TENSOR","bw":2,"is_sym":true,"scale":[1],"offset":[-2],)"
      R"("zero_point_shift":[0.5],"unknown":{"a":[1]}})");
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->entries[0].type, EncodingType::kPerBlock);
  EXPECT_EQ(file->entries[0].bitwidth, 4);
  EXPECT_EQ(file->entries[0].scale, (std::vector<float>{0.1f, 0.125f}));
  EXPECT_EQ(file->entries[0].offset, (std::vector<double>{-8, -8}));
  EXPECT_TRUE(file->entries[1].is_float);
  EXPECT_EQ(file->entries[1].bitwidth, 16);
  EXPECT_EQ(file->entries[2].zero_point_shift, 0.5);
  EXPECT_EQ(file->producer, "");
}

TEST(EncodingsReaderTest, RefusesOtherVersionsByName) {
  const TempFolder folder;
  for (const char* version : {"0.6.0", "1.0.1", "2.2.0", ""}) {
    const std::string text = std::string(R"({"version":")") + version + R"(","encodings":[]})";
    ExpectUnsupported(ReadEncodings(folder.Write("e.json", text)).status(),
                      {"e.json", version, "supported: 0.6.1, 1.0.0, 2.0.0, 2.1.0"});
  }
}

TEST(EncodingsReaderTest, NamesTheEntryThatIsWrong) {
  const std::string head = R"({"name":"w","dtype":"INT","enc_type":"PER_CHANNEL","is_sym":true,)";
  ExpectInvalid(ReadParams(head + R"("scale":[1],"offset":[0]})").status(), {"'w'", "'bw' is missing"});
  ExpectInvalid(ReadParams(head + R"("bw":33,"scale":[1],"offset":[0]})").status(), {"'w'", "33", "1..32"});
  ExpectInvalid(ReadParams(head + R"("bw":0,"scale":[1],"offset":[0]})").status(), {"'w'", "0", "1..32"});
  ExpectInvalid(ReadParams(head + R"("bw":7.5,"scale":[1],"offset":[0]})").status(), {"'w'", "7.5"});
  ExpectInvalid(ReadParams(head + R"("bw":"8","scale":[1],"offset":[0]})").status(), {"'w'", "'bw' is not a number"});
  ExpectInvalid(ReadParams(head + R"("bw":8,"scale":[1,2,3],"offset":[0]})").status(),
                {"'w'", "3 scales", "1 offsets"});
  ExpectInvalid(ReadParams(head + R"("bw":8,"scale":[],"offset":[]})").status(), {"'w'", "no scale"});
  ExpectInvalid(ReadParams(head + R"("bw":8,"scale":[1,"x"],"offset":[0,0]})").status(),
                {"'w'", "element 1 of 'scale'"});
  ExpectInvalid(ReadParams(head + R"("bw":8,"scale":0.5,"offset":[0]})").status(), {"'w'", "'scale' is not a list"});
  ExpectUnsupported(ReadParams(R"({"name":"w","dtype":"INT","enc_type":"VECTOR","bw":8})").status(), {"'w'", "VECTOR"});
  ExpectUnsupported(ReadParams(R"({"name":"w","dtype":"MX","bw":8})").status(), {"'w'", "'MX'", "INT, FLOAT"});
  ExpectInvalid(ReadParams(R"({"dtype":"INT","bw":8})").status(), {"param_encodings[0]", "'name' is missing"});
  ExpectInvalid(ReadParams(R"({"name":"","dtype":"INT","bw":8})").status(), {"param_encodings[0]", "0 bytes"});
  ExpectInvalid(ReadParams("7").status(), {"param_encodings[0]", "not an object"});
  const std::string twice = R"({"name":"w","dtype":"FLOAT","bw":16})";
  ExpectInvalid(ReadParams(twice + "," + twice).status(), {"param_encodings[1]", "'w'", "second"});
}

TEST(EncodingsReaderTest, RefusesBadLpbqFields) {
  const std::string head = R"({"name":"w","dtype":"INT","enc_type":"LPBQ","bw":8,"scale":[1],"offset":[-128],)";
  ExpectInvalid(ReadParams(head + R"("block_size":0,"compressed_bw":4,"per_block_int_scale":[1]})").status(),
                {"'w'", "'block_size' is 0"});
  ExpectInvalid(ReadParams(head + R"("block_size":-1,"compressed_bw":4,"per_block_int_scale":[1]})").status(),
                {"'w'", "'block_size' is -1"});
  ExpectInvalid(ReadParams(head + R"("block_size":4,"per_block_int_scale":[1]})").status(),
                {"'w'", "'compressed_bw' is missing"});
  ExpectInvalid(ReadParams(head + R"("block_size":4,"compressed_bw":4,"per_block_int_scale":[1,-2]})").status(),
                {"'w'", "integer scale 1 is -2"});
  ExpectInvalid(ReadParams(head + R"("block_size":4,"compressed_bw":4,"per_block_int_scale":[1e300]})").status(),
                {"'w'", "integer scale 0 is 1e+300"});
}

// Lists are cut into items while the file is read in pieces of 256 KB: brackets, commas and quotes inside of names cut
// nothing, wherever the pieces end.
TEST(EncodingsReaderTest, CutsListsBetweenItemsOnly) {
  const std::string name = R"(a]}\",[{\\)";
  std::string items;
  for (int i = 0; items.size() < 600'000; ++i) {
    if (i > 0) items += i % 3 == 0 ? " ,\n" : ",";
    items += R"({"dtype":"FLOAT","bw":16,"name":")" + name + std::to_string(i) + R"(","x":[[],{"y":","}]})";
  }
  const auto file = ReadParams(items);
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_GT(file->entries.size(), 8000u);
  for (size_t i = 0; i < file->entries.size(); ++i) {
    ASSERT_EQ(file->entries[i].name, R"(a]}",[{\)" + std::to_string(i));
  }
}

TEST(EncodingsReaderTest, ListsThatAreNoLists) {
  const std::string item = R"({"name":"w","dtype":"FLOAT","bw":16})";
  EXPECT_TRUE(ReadParams(" \n").ok());
  for (const std::string& items : {item + ",", "," + item, item + ",," + item, item + item, std::string("]["),
                                   "}" + item, item + "}", std::string(",")}) {
    ExpectInvalid(ReadParams(items).status(), {"not JSON"});
  }
  const TempFolder folder;
  const auto read = [&](const std::string& members) {
    return ReadEncodings(folder.Write("e.json", "{" + members + R"("version":"1.0.0"})"));
  };
  const std::string list = R"("param_encodings":[)" + item;
  EXPECT_TRUE(read(list + "],").ok());  // the version may come last
  ExpectInvalid(read(list + "},").status(), {"not JSON"});
  ExpectInvalid(read(R"("a":"param_encodings",[)" + item + "],").status(), {"not JSON"});
  const auto twice = read(list + R"(],"param_encodings":[],)");
  ASSERT_TRUE(twice.ok()) << twice.status().message();
  EXPECT_EQ(twice->entries.size(), 1u);  // as simdjson has it: the first member of a name
}

TEST(EncodingsReaderTest, MissingFileAndFolder) {
  const TempFolder folder;
  testing::ExpectError(ReadEncodings(folder / "none").status(), StatusCode::kNotFound, {"none"});
  ExpectInvalid(ReadEncodings(folder.path()).status(), {"not a regular file"});
}

}  // namespace
}  // namespace lq
