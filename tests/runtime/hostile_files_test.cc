// Encodings and npz files made to harm (ONNX: hostile_onnx_test.cc): each is refused by a sentence with names and
// numbers. Run it under -fsanitize=address,undefined too.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

#include "lanequant/model.h"
#include "runtime/io/encodings_reader.h"
#include "runtime/io/npz.h"
#include "tests/support/expect_error.h"
#include "tests/support/random.h"
#include "tests/support/survivors.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::Cases;
using testing::ExpectInvalid;
using testing::ExpectUnsupported;
using testing::GoldenPath;
using testing::Random;
using testing::ReadWhole;
using testing::Survivors;
using testing::TempFolder;

std::string FlipBits(std::string bytes, Random& random) {
  for (int64_t flips = random.Int(1, 3); flips > 0; --flips) {
    const size_t at = random.Size(0, bytes.size() - 1);
    bytes[at] = static_cast<char>(bytes[at] ^ 1 << random.Int(0, 7));
  }
  return bytes;
}

// Numbers that JSON takes, other than the file's.
std::string ChangeDigits(std::string text, Random& random) {
  for (int64_t changes = random.Int(1, 3); changes > 0; --changes) {
    const size_t at = text.find_first_of("0123456789", random.Size(0, text.size() - 1));
    if (at != std::string::npos) text[at] = static_cast<char>('0' + random.Int(0, 9));
  }
  return text;
}

// ---- Encodings -----------------------------------------------------------------------------------------------------

Status ReadJson(const std::string& text) {
  const TempFolder folder;
  return ReadEncodings(folder.Write("e.json", text)).status();
}

TEST(HostileEncodingsTest, EveryTruncationOfARealFile) {
  const TempFolder folder;
  std::string text = ReadWhole(GoldenPath("digits_cnn/w4a8_lpbq/model.encodings"));  // the demo's
  while (text.back() != '}') text.pop_back();
  ASSERT_TRUE(ReadEncodings(folder.Write("e.json", text)).ok());
  for (size_t size = text.size(); size-- > 0;) {
    ASSERT_EQ(truncate((folder / "e.json").c_str(), static_cast<off_t>(size)), 0);
    const Status status = ReadEncodings(folder / "e.json").status();
    ASSERT_FALSE(status.ok()) << size;
    ASSERT_NE(status.message().find("e.json: not JSON of " + std::to_string(size) + " bytes"), std::string::npos)
        << status.message();
  }
}

TEST(HostileEncodingsTest, FlippedBitsOfARealFile) {
  const TempFolder folder;
  const std::string onnx = GoldenPath("mlp/w4a8_lpbq/model.onnx");
  const std::string text = ReadWhole(GoldenPath("mlp/w4a8_lpbq/model.encodings"));
  Random random(2);
  size_t refused = 0;
  Survivors survivors;
  for (size_t i = 0; i < Cases(1000); ++i) {
    const std::string broken = random.Chance(0.5) ? ChangeDigits(text, random) : FlipBits(text, random);
    const auto model = Model::Load(onnx, folder.Write("e.json", broken));
    refused += !model.ok();
    ASSERT_EQ(model.ok(), model.status().message().empty());
    if (!model.ok()) continue;
    ASSERT_NO_FATAL_FAILURE(survivors.Try(*model)) << i;
  }
  EXPECT_GT(refused, Cases(1000) / 4);
  EXPECT_GT(survivors.ran(), Cases(1000) / 20);
}

TEST(HostileEncodingsTest, FilesThatAreNoEncodings) {
  ExpectInvalid(ReadJson(""), {"e.json", "not JSON of 0 bytes"});
  ExpectInvalid(ReadJson("[]"), {"not an object"});
  ExpectInvalid(ReadJson("{}"), {"'version' is missing"});
  ExpectInvalid(ReadJson(R"({"version":1.0})"), {"'version' is not a string"});
  ExpectInvalid(ReadJson(R"({"version":"1.0.0","param_encodings":{"w":[]}})"), {"'param_encodings' is not a list"});
  ExpectInvalid(ReadJson(R"({"version":"1.0.0","producer":"me"})"), {"'producer' is not an object"});
  ExpectInvalid(ReadJson("{\"version\":\"1.0.0\xff\"}"), {"not JSON"});
}

TEST(HostileEncodingsTest, NamesTheEncodingsOfAnotherModel) {
  const TempFolder folder;
  const auto load = [&](int strangers) {
    std::string list;
    for (int i = 0; i < strangers; ++i) {
      list += (i > 0 ? "," : "") + (R"({"name":"stranger)" + std::to_string(i) + R"(","dtype":"INT","bw":8,)") +
              R"("enc_type":"PER_TENSOR","scale":[1],"offset":[0]})";
    }
    const std::string text = R"({"version":"1.0.0","param_encodings":[)" + list + "]}";
    return Model::Load(GoldenPath("mlp/w8a8/model.onnx"), folder.Write("e.json", text)).status();
  };
  EXPECT_TRUE(load(0).ok());
  ExpectInvalid(load(1), {"e.json", "1 tensors that are none of the model's", ": 'stranger0'"});
  const Status six = load(6);
  ExpectInvalid(six, {"6 tensors", "'stranger0', 'stranger1', 'stranger2', 'stranger3', 'stranger4', ..."});
  EXPECT_EQ(six.message().find("stranger5"), std::string::npos);
}

TEST(HostileEncodingsTest, DeepNesting) {
  for (const size_t depth : {65, 2000, 1000000}) {
    const std::string deep = R"({"version":"1.0.0","a":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
    ExpectInvalid(ReadJson(deep), {"nested at most 64 deep"});
    ExpectInvalid(ReadJson(std::string(depth, '[')), {"not JSON"});
  }
  EXPECT_TRUE(ReadJson(R"({"version":"1.0.0","a":)" + std::string(50, '[') + std::string(50, ']') + "}").ok());
}

TEST(HostileEncodingsTest, NumbersThatJsonLacks) {
  const auto with_scale = [](const std::string& scale) {
    return ReadJson(R"({"version":"1.0.0","param_encodings":[{"name":"w","dtype":"INT","enc_type":"PER_TENSOR","bw":8,)"
                    R"("scale":[)" +
                    scale + R"(],"offset":[0]}]})");
  };
  EXPECT_TRUE(with_scale("0.5").ok());
  ExpectInvalid(with_scale("NaN"), {"the first NaN is at byte 104", "finite"});
  ExpectInvalid(with_scale("-Infinity"), {"the first Infinity is at byte 105", "finite"});
  ExpectInvalid(with_scale("1e999"), {"not JSON"});
  ExpectInvalid(with_scale("0x10"), {"not JSON"});
}

// Numbers that JSON has and scales may not be, up to the message of Model::Load.
TEST(HostileEncodingsTest, ScalesThatAreNone) {
  const TempFolder folder;
  const auto load = [&](const std::string& fields) {
    return Model::Load(GoldenPath("mlp/w8a8/model.onnx"),
                       folder.Write("e.json", R"({"version":"1.0.0","activation_encodings":[{"name":"output",)"
                                              R"("dtype":"INT","enc_type":"PER_TENSOR",)" +
                                                  fields + "}]}"))
        .status();
  };
  EXPECT_TRUE(load(R"("bw":8,"scale":[0.5],"offset":[-3])").ok());
  ExpectInvalid(load(R"("bw":8,"scale":[0],"offset":[0])"), {"e.json", "'output'", "scale 0 is 0"});
  ExpectInvalid(load(R"("bw":8,"scale":[-0.5],"offset":[0])"), {"'output'", "scale 0 is -0.5"});
  ExpectInvalid(load(R"("bw":8,"scale":[1e39],"offset":[0])"), {"'output'", "scale 0 is inf"});
  ExpectInvalid(load(R"("bw":8,"scale":[1e-60],"offset":[0])"), {"'output'", "scale 0 is 0"});
  ExpectInvalid(load(R"("bw":8,"scale":[1],"offset":[1e300])"), {"'output'", "offset 0 is 1e+300"});
  ExpectInvalid(load(R"("bw":8,"scale":[1],"offset":[-99999999])"), {"'output'", "offset 0 is -99999999"});
  ExpectUnsupported(load(R"("bw":1,"scale":[1],"offset":[0])"), {"'output'", "bitwidth 1"});
  ExpectUnsupported(load(R"("bw":17,"scale":[1],"offset":[0])"), {"'output'", "bitwidth 17"});
  ExpectInvalid(load(R"("bw":1e10,"scale":[1],"offset":[0])"), {"'output'", "'bw' is 10000000000"});
}

// ---- npz -----------------------------------------------------------------------------------------------------------

Status ReadZip(const std::string& bytes, uint64_t max_bytes = kMaxNpzBytes) {
  const TempFolder folder;
  return ReadNpz(folder.Write("a.npz", bytes), max_bytes).status();
}

// A bare .npy file.
Status ReadNpy(const std::string& dict, const std::string& data) {
  std::string bytes = "\x93NUMPY";
  bytes += {'\x01', '\x00', static_cast<char>(dict.size() & 255), static_cast<char>(dict.size() >> 8)};
  return ReadZip(bytes + dict + data);
}

// An archive as WriteNpz makes it.
std::string ArchiveOf(const std::vector<std::string>& names) {
  const TempFolder folder;
  std::vector<NamedArray> arrays;
  for (const std::string& name : names)
    arrays.push_back({name, DType::kU8, {5}, std::vector<std::byte>(5, std::byte{42})});
  EXPECT_TRUE(WriteNpz(folder / "a.npz", arrays).ok());
  return ReadWhole(folder / "a.npz");
}

// Replaces every occurrence; lengths must be equal.
std::string Replace(std::string bytes, const std::string& from, const std::string& to) {
  EXPECT_EQ(from.size(), to.size());
  for (size_t at = bytes.find(from); at != std::string::npos; at = bytes.find(from, at + 1))
    bytes.replace(at, from.size(), to);
  return bytes;
}

TEST(HostileNpzTest, EveryTruncationOfARealArchive) {
  const TempFolder folder;
  const std::string bytes = ReadWhole(GoldenPath("mlp/w8a8/layers.npz"));
  const std::string path = folder.Write("a.npz", bytes);
  ASSERT_TRUE(ReadNpz(path).ok());
  for (size_t size = bytes.size(); size-- > 0;) {
    ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(size)), 0);
    const Status status = ReadNpz(path).status();
    ASSERT_FALSE(status.ok()) << size;
    ASSERT_NE(status.message().find("a.npz: "), std::string::npos) << status.message();
  }
}

TEST(HostileNpzTest, FlippedBitsOfARealArchive) {
  const std::string bytes = ReadWhole(GoldenPath("mlp/w8a8/layers.npz"));
  Random random(3);
  size_t refused = 0;
  for (size_t i = 0; i < Cases(2000); ++i) refused += !ReadZip(FlipBits(bytes, random)).ok();
  EXPECT_GT(refused, Cases(2000) / 2);  // the checksum finds most
}

TEST(HostileNpzTest, ChangedData) {
  const std::string bytes = ArchiveOf({"x"});
  ASSERT_TRUE(ReadZip(bytes).ok());
  ExpectInvalid(ReadZip(Replace(bytes, "*****", "****+")), {"a.npz", "array 'x'", "CRC"});
  ExpectInvalid(ReadZip(Replace(bytes, "(5, )", "(6, )")), {"array 'x'", "5 bytes", "u8 of shape (6)", "6"});
  ExpectInvalid(ReadZip(Replace(bytes, "(5, )", "(4, )")), {"array 'x'", "5 bytes", "4"});
  ExpectInvalid(ReadZip(Replace(bytes, "\x93NUMPY", "\x93NUMPX")), {"array 'x'", ".npy"});
  ExpectInvalid(ReadZip(Replace(bytes, "x.npy", "x.txt")), {"entry 0", "'x.txt'"});
  ExpectInvalid(ReadZip(Replace(ArchiveOf({"x", "y"}), "y.npy", "x.npy")), {"array 'x'", "twice"});
}

// The central directory's record of the first entry: compressed size at byte 20, uncompressed size at 24.
TEST(HostileNpzTest, SizesThatLie) {
  const std::string bytes = ReadWhole(GoldenPath("digits_cnn/w8a8/data.npz"));
  const size_t record = bytes.find("PK\x01\x02");
  ASSERT_NE(record, std::string::npos);
  uint32_t size = 0;
  std::memcpy(&size, bytes.data() + record + 24, sizeof(size));
  ASSERT_EQ(size, 128u + 360 * 64 * 4);
  const auto with_size = [&](uint32_t lie) {
    std::string changed = bytes;
    std::memcpy(changed.data() + record + 24, &lie, sizeof(lie));
    return ReadZip(changed);
  };
  EXPECT_TRUE(with_size(size).ok());
  ExpectInvalid(with_size(0x7fffffff), {"array 'input'", "2147483647", "deflate cannot"});
  ExpectInvalid(with_size(size + 4), {"array 'input'", "92164 bytes", "(360, 1, 8, 8)", "92160"});
  ExpectInvalid(with_size(size - 4), {"array 'input'", "92156 bytes", "92160"});
  ExpectInvalid(with_size(3), {"array 'input'"});
  ExpectInvalid(with_size(0), {"array 'input'"});
}

TEST(HostileNpzTest, UnpacksNoMoreThanTheBudget) {
  const std::string bytes = ReadWhole(GoldenPath("digits_cnn/w8a8/data.npz"));
  // input 92160 bytes, output 14400, label 2880, output_ort 14400
  EXPECT_TRUE(ReadZip(bytes, 123840).ok());
  ExpectInvalid(ReadZip(bytes, 123839), {"array 'output_ort'", "14400", "14399", "123839"});
  ExpectInvalid(ReadZip(bytes, 92159), {"array 'input'", "92160", "92159"});
}

TEST(HostileNpzTest, HeadersThatLie) {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }";
  EXPECT_TRUE(ReadNpy(good, "1234").ok());
  const auto shape = [](const std::string& text) {
    return ReadNpy("{'descr': '<f4', 'fortran_order': False, 'shape': " + text + "}", "1234");
  };
  ExpectInvalid(shape("(1000000,)"), {"4 bytes", "(1000000)", "4000000"});
  ExpectInvalid(shape("(4294967296, 4294967296)"), {"(4294967296, 4294967296)", "2^63"});
  ExpectInvalid(shape("(4611686018427387904,)"), {"(4611686018427387904)", "2^63"});
  ExpectInvalid(shape("(9223372036854775808,)"), {"dimension"});
  ExpectInvalid(shape("(-1,)"), {"dimension"});
  ExpectUnsupported(shape("(1,1,1,1,1,1,1,1,1)"), {"9 dimensions"});
  ExpectInvalid(shape("(1"), {"')'"});
  ExpectInvalid(shape("1"), {"'('"});
  ExpectInvalid(shape("(,)"), {"dimension"});
}

TEST(HostileNpzTest, HeadersThatAreNone) {
  for (const char* descr : {"'>f4'", "'|O'", "'>f2'", "'<u4'", "'<U8'", "'<c8'"}) {
    const std::string dict = std::string("{'descr': ") + descr + ", 'fortran_order': False, 'shape': (1,)}";
    ExpectUnsupported(ReadNpy(dict, "1234"), {"supported: little-endian f2 f4"});
  }
  ExpectUnsupported(ReadNpy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "1234"),
                    {"structured"});
  ExpectInvalid(ReadNpy("{'descr': '<f4', 'shape': (1,)}", "1234"), {"missing"});
  ExpectInvalid(ReadNpy("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", "1234"), {"neither True nor False"});
  ExpectInvalid(ReadNpy("{'descr': '<f4", "1234"), {"does not end"});
  ExpectInvalid(ReadNpy("{'evil': '<f4'}", "1234"), {"unknown key"});
  ExpectInvalid(ReadNpy("{'descr' '<f4'}", "1234"), {"':'"});
  ExpectInvalid(ReadNpy("{'descr': '<f4' 'shape': (1,)}", "1234"), {"','"});
  ExpectInvalid(ReadNpy("", ""), {"'{' is missing"});
  ExpectInvalid(ReadZip(std::string("\x93NUMPY\x01\x00\xff\xff{", 11)), {"a.npz", "ends inside"});
  ExpectInvalid(ReadZip(std::string("\x93NUMPY\x02\x00\x00\x00\x00\x7f{", 13)), {"2130706432 bytes", "65536"});
  ExpectUnsupported(ReadZip(std::string("\x93NUMPY\x09\x00\x10\x00  ", 12)), {"version 9"});
  ExpectInvalid(ReadZip(""), {"a.npz", ".npy"});
  ExpectInvalid(ReadZip("PK and no more"), {"not a zip archive"});
}

}  // namespace
}  // namespace lq
