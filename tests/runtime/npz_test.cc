#include "runtime/io/npz.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <limits>

#include "runtime/io/array_element.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::ExpectInvalid;
using testing::GoldenPath;
using testing::ReadWhole;
using testing::TempFolder;

std::string Npy(const std::string& dict, const std::string& data) {
  std::string header = "\x93NUMPY";
  header += {'\x01', '\x00', static_cast<char>(dict.size() & 255), static_cast<char>(dict.size() >> 8)};
  return header + dict + data;
}

template <class T>
NamedArray MakeArray(const std::string& name, DType dtype, Shape shape, const std::vector<T>& values) {
  NamedArray array{name, dtype, shape, std::vector<std::byte>(values.size() * sizeof(T))};
  std::memcpy(array.bytes.data(), values.data(), array.bytes.size());
  return array;
}

// Values as numpy.load shows them.
TEST(NpzTest, ReadsDeflatedArraysOfNumpy) {
  const auto arrays = ReadNpz(GoldenPath("digits_cnn/w8a8/data.npz"));
  ASSERT_TRUE(arrays.ok()) << arrays.status().message();
  ASSERT_EQ(arrays->size(), 4u);
  const NamedArray& output = (*arrays)[1];
  EXPECT_EQ(output.name, "output");
  EXPECT_EQ(output.dtype, DType::kF32);
  EXPECT_EQ(output.shape, (Shape{360, 10}));
  const std::array<float, 4> expected{-0x1.0734b4p+1f, -0x1.370fbep+1f, 0x1.4efd42p+3f, -0x1.4efd42p-1f};
  EXPECT_EQ(0, std::memcmp(output.bytes.data(), expected.data(), sizeof(expected)));
  const NamedArray& label = (*arrays)[2];
  EXPECT_EQ(label.name, "label");
  ASSERT_EQ(label.dtype, DType::kS64);
  const std::array<int64_t, 6> first{2, 8, 2, 6, 6, 7};
  EXPECT_EQ(0, std::memcmp(label.bytes.data(), first.data(), sizeof(first)));
  int64_t sum = 0;
  for (size_t i = 0; i < 360; ++i) sum += label.view().data<int64_t>()[i];
  EXPECT_EQ(sum, 1732);
}

// 1.5, -2^-24 (the smallest one) and infinity, as NumPy writes them.
TEST(NpzTest, ReadsFloat16) {
  const TempFolder folder;
  const std::string path = folder.Write(
      "a.npy", Npy("{'descr': '<f2', 'fortran_order': False, 'shape': (3,)}", std::string("\0>\1\x80\0|", 6)));
  const auto arrays = ReadNpz(path);
  ASSERT_TRUE(arrays.ok()) << arrays.status().message();
  const NamedArray& array = arrays->front();
  ASSERT_EQ(array.dtype, DType::kF16);
  EXPECT_TRUE(IsFloat(array.dtype));
  EXPECT_EQ(NumberAt(array, 0), 1.5);
  EXPECT_EQ(NumberAt(array, 1), -0x1p-24);
  EXPECT_EQ(NumberAt(array, 2), std::numeric_limits<double>::infinity());
  ASSERT_TRUE(WriteNpz(folder / "b.npz", {array}).ok());
  EXPECT_EQ(ReadNpz(folder / "b.npz")->front().bytes, array.bytes);
}

TEST(NpzTest, ReadsBinary64AndNamesWithSlashes) {
  const auto arrays = ReadNpz(GoldenPath("digits_cnn/w8a8/layers_fp64.npz"));
  ASSERT_TRUE(arrays.ok()) << arrays.status().message();
  double sum = 0, last = 0;
  for (const NamedArray& array : *arrays) {
    if (array.name != "/relu/Relu_output_0") continue;
    ASSERT_EQ(array.dtype, DType::kF64);
    ASSERT_EQ(array.shape, (Shape{4, 128, 4, 4}));
    for (size_t i = 0; i < 4 * 128 * 16; ++i) sum += array.view().data<double>()[i];
    last = array.view().data<double>()[4 * 128 * 16 - 1];
  }
  EXPECT_EQ(last, 0x1.8a72468p+0);
  EXPECT_NEAR(sum, 7246.245004147291, 1e-6);
}

TEST(NpzTest, ReadsEveryTypeOfABareFile) {
  struct Case {
    const char* descr;
    DType dtype;
    size_t bytes;
  };
  const TempFolder folder;
  for (const Case& c : {Case{"<f4", DType::kF32, 4},
                        {"<f8", DType::kF64, 8},
                        {"|u1", DType::kU8, 1},
                        {"|i1", DType::kS8, 1},
                        {"<u2", DType::kU16, 2},
                        {"<i2", DType::kS16, 2},
                        {"<i4", DType::kS32, 4},
                        {"<i8", DType::kS64, 8},
                        {"|b1", DType::kU8, 1}}) {
    const std::string dict = std::string("{'descr': '") + c.descr + "', 'fortran_order': False, 'shape': (3,), }\n";
    const std::string data = std::string("abcdefghijklmnopqrstuvwx").substr(0, 3 * c.bytes);
    const auto arrays = ReadNpz(folder.Write("a.npy", Npy(dict, data)));
    ASSERT_TRUE(arrays.ok()) << c.descr << arrays.status().message();
    EXPECT_EQ((*arrays)[0].name, "");
    EXPECT_EQ((*arrays)[0].dtype, c.dtype) << c.descr;
    EXPECT_EQ((*arrays)[0].shape, Shape{3});
    EXPECT_EQ(0, std::memcmp((*arrays)[0].bytes.data(), data.data(), data.size()));
  }
}

TEST(NpzTest, ReadsScalarsEmptyArraysAndVersion2) {
  const TempFolder folder;
  const std::string scalar = Npy("{'descr': '|u1', 'fortran_order': False, 'shape': ()}", "x");
  const auto read = ReadNpz(folder.Write("scalar.npy", scalar));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ((*read)[0].shape.rank(), 0u);
  const std::string dict = "{\"shape\": (0, 7), \"descr\": \"<f4\", \"fortran_order\": True}";
  const std::string version2 =
      std::string("\x93NUMPY\x02\x00", 8) + static_cast<char>(dict.size()) + std::string(3, '\0') + dict;
  const auto empty = ReadNpz(folder.Write("empty.npy", version2));
  ASSERT_TRUE(empty.ok()) << empty.status().message();
  EXPECT_EQ((*empty)[0].shape, (Shape{0, 7}));
  EXPECT_TRUE((*empty)[0].bytes.empty());
}

TEST(NpzTest, TransposesFortranOrder) {
  const TempFolder folder;
  // a[i][j][k] = 100 i + 10 j + k, shape (2, 3, 2), first index fastest.
  std::vector<int16_t> columns;
  for (int k = 0; k < 2; ++k) {
    for (int j = 0; j < 3; ++j) {
      for (int i = 0; i < 2; ++i) columns.push_back(static_cast<int16_t>(100 * i + 10 * j + k));
    }
  }
  const std::string data(reinterpret_cast<const char*>(columns.data()), columns.size() * 2);
  const auto arrays =
      ReadNpz(folder.Write("f.npy", Npy("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3, 2), }", data)));
  ASSERT_TRUE(arrays.ok()) << arrays.status().message();
  const std::array<int16_t, 12> rows{0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121};
  EXPECT_EQ(0, std::memcmp((*arrays)[0].bytes.data(), rows.data(), sizeof(rows)));
}

TEST(NpzTest, WritesWhatNumpyWrites) {
  const TempFolder folder;
  const std::vector<NamedArray> arrays{MakeArray<float>("/a/b", DType::kF32, {2, 2}, {1, 2, 3, -0.0f}),
                                       MakeArray<int64_t>("scalar", DType::kS64, {}, {-7})};
  const std::string path = folder / "out.npz";
  ASSERT_TRUE(WriteNpz(path, arrays).ok());
  // numpy.lib.format pads the header with spaces so that data begin at 128.
  std::string dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2, ), }";
  dict += std::string(117 - dict.size(), ' ') + "\n";
  const std::string expected = Npy(dict, std::string(reinterpret_cast<const char*>(arrays[0].bytes.data()), 16));
  ASSERT_EQ(expected.size(), 144u);
  EXPECT_NE(ReadWhole(path).find(expected), std::string::npos);
  const auto read = ReadNpz(path);
  ASSERT_TRUE(read.ok()) << read.status().message();
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[0].name, "/a/b");
  EXPECT_EQ((*read)[0].bytes, arrays[0].bytes);
  EXPECT_EQ((*read)[1].shape.rank(), 0u);
  EXPECT_EQ((*read)[1].bytes, arrays[1].bytes);
}

TEST(NpzTest, WritesTheSameBytesTwiceAndReplacesWholeFiles) {
  const TempFolder folder;
  const auto array = MakeArray<float>("x", DType::kF32, {1}, {1});
  ASSERT_TRUE(WriteNpz(folder / "a.npz", {array}).ok());
  ASSERT_TRUE(WriteNpz(folder.Write("b.npz", std::string(10000, 'z')), {array}).ok());
  EXPECT_EQ(ReadWhole(folder / "a.npz"), ReadWhole(folder / "b.npz"));
  size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) ++files;
  EXPECT_EQ(files, 2u);  // no temporary is left
}

TEST(NpzTest, RefusesToWriteWhatIsNoArchive) {
  const TempFolder folder;
  ExpectInvalid(WriteNpz(folder / "a.npz", {}), {"no arrays"});
  const auto array = MakeArray<float>("x", DType::kF32, {2}, {1, 2});
  ExpectInvalid(WriteNpz(folder / "a.npz", {array, array}), {"array 'x'"});
  ExpectInvalid(WriteNpz(folder / "a.npz", {MakeArray<float>("y", DType::kF32, {3}, {1, 2})}),
                {"'y'", "8 bytes", "(3)"});
  EXPECT_FALSE(WriteNpz(folder / "missing/a.npz", {array}).ok());
}

}  // namespace
}  // namespace lq
