// Encodings files of all versions that AIMET wrote, against the quantizers that it wrote them from
// (tests/golden/encodings), and on the golden networks.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "lanequant/model.h"
#include "runtime/compare/reference_layers.h"
#include "runtime/compare/validation.h"
#include "runtime/io/encodings_reader.h"
#include "runtime/output_arrays.h"
#include "runtime/passes/entry_encoding.h"
#include "tests/support/expect_error.h"
#include "tests/support/golden_bundle.h"
#include "tests/support/read_graph.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::Arrays;
using testing::ExpectUnsupported;
using testing::FindValue;
using testing::GoldenPath;
using testing::TempFolder;

const Arrays& Golden() {
  static const Arrays arrays = [] {
    Result<Arrays> read = testing::ReadArrays(GoldenPath("encodings/encodings.npz"));
    EXPECT_TRUE(read.ok()) << read.status().message();
    return *std::move(read);
  }();
  return arrays;
}

std::string JsonOf(const std::string& key) {
  const NamedArray& text = Golden().at("json|" + key);
  return std::string(reinterpret_cast<const char*>(text.bytes.data()), text.bytes.size());
}

// Null where the golden data has none.
template <class T>
const T* Numbers(const std::string& key) {
  const auto found = Golden().find(key);
  return found != Golden().end() ? found->second.view().data<T>() : nullptr;
}

template <class T>
std::vector<T> List(const std::string& key) {
  const auto found = Golden().find(key);
  if (found == Golden().end()) return {};
  const T* first = found->second.view().data<T>();
  return std::vector<T>(first, first + found->second.bytes.size() / sizeof(T));
}

// sim.export's names of the tensors that sim.onnx.export calls x, relu, y.
std::string TensorOf(const std::string& name) {
  if (name == "t.1") return "x";
  if (name == "/relu/Relu_output_0" || name == "view") return "relu";
  return name == "16" ? "y" : name;
}

const Shape& ShapeOf(const std::string& tensor) {
  static const Shape conv{4, 4, 3, 3}, fc{3, 16}, none;
  return tensor == "conv.weight" ? conv : tensor == "fc.weight" ? fc : none;
}

// Offsets of the unsigned grid, from those of the encoding's own.
template <class E>
void ExpectOffsets(const E& e, const std::vector<int32_t>& offsets, const std::vector<double>& want) {
  ASSERT_EQ(offsets.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) EXPECT_EQ(static_cast<double>(offsets[i] + e.grid.qmin()), want[i]);
}

struct Expected {
  int bitwidth;
  std::vector<float> scale;
  std::vector<double> offset;

  void operator()(const PerTensor& e) const { Expect(e, {e.scale}, {e.offset}); }
  void operator()(const PerChannel& e) const {
    EXPECT_EQ(e.axis, 0u);
    Expect(e, e.scale, e.offset);
  }
  void operator()(const PerBlock& e) const {
    EXPECT_EQ(e.block_axis, 1u);
    EXPECT_EQ(e.block_size, 2);
    Expect(e, e.scale, e.offset);
  }
  void operator()(const Lpbq&) const { ADD_FAILURE() << "LPBQ"; }

 private:
  template <class E>
  void Expect(const E& e, const std::vector<float>& scales, const std::vector<int32_t>& offsets) const {
    EXPECT_EQ(e.grid.bitwidth, bitwidth);
    EXPECT_EQ(scales, scale);
    ExpectOffsets(e, offsets, offset);
  }
};

// What became of one entry: "float", "blocks without a size", "LPBQ" or "integers", each compared with AIMET's numbers.
std::string CheckEntry(const EncodingEntry& entry, const std::string& network, const std::string& version) {
  const std::string tensor = TensorOf(entry.name), key = network + "|" + tensor + "|";
  if (const int32_t* bits = Numbers<int32_t>(key + "float")) {
    EXPECT_TRUE(entry.is_float);
    EXPECT_EQ(entry.bitwidth, *bits);
    return "float";
  }
  EXPECT_FALSE(entry.is_float);
  EXPECT_EQ(entry.zero_point_shift, *Numbers<double>(key + "shift"));
  const auto scale = List<float>(key + "scale");
  const auto integers = List<int32_t>(key + "int_scale");
  if (entry.type == EncodingType::kPerChannel && version == "0.6.1" && scale.size() > size_t(ShapeOf(tensor)[0])) {
    EXPECT_EQ(entry.scale, scale);
    EXPECT_EQ(entry.offset, List<double>(key + "offset"));
    return "blocks without a size";
  }
  const Result<Encoding> encoding = ToEncoding(entry, ShapeOf(tensor), {WeightAxes{0, 1}, false});
  EXPECT_TRUE(encoding.ok()) << encoding.status().message();
  if (!encoding.ok()) return "error";
  if (ShapeOf(tensor).rank() > 0) {
    EXPECT_TRUE(ValidateEncoding(tensor, *encoding, ShapeOf(tensor)).ok());
  }
  if (integers.empty()) {
    std::visit(Expected{*Numbers<int32_t>(key + "bitwidth"), scale, List<double>(key + "offset")}, *encoding);
    return "integers";
  }
  const Lpbq* lpbq = std::get_if<Lpbq>(&*encoding);
  if (lpbq == nullptr) return "not LPBQ";
  EXPECT_EQ(lpbq->bitwidth, 4);
  EXPECT_EQ(lpbq->decompressed_bitwidth, 8);
  EXPECT_EQ(lpbq->channel_axis, 0u);
  EXPECT_EQ(lpbq->block_axis, 1u);
  EXPECT_EQ(lpbq->block_size, 2);
  EXPECT_EQ(lpbq->channel_scale, List<float>(key + "channel_scale"));
  EXPECT_EQ(lpbq->per_block_int_scale, std::vector<uint32_t>(integers.begin(), integers.end()));
  return "LPBQ";
}

TEST(EncodingsGoldenTest, EveryFileHoldsItsQuantizersNumbers) {
  const TempFolder folder;
  std::map<std::string, size_t> seen;
  for (const auto& [array, bytes] : Golden()) {
    if (array.rfind("json|torch", 0) != 0 && array.rfind("json|onnx", 0) != 0) continue;
    SCOPED_TRACE(array);
    const size_t bar = array.find('|', 5);
    const std::string network = array.substr(5, bar - 5);
    const auto file = ReadEncodings(folder.Write("e.json", JsonOf(array.substr(5))));
    ASSERT_TRUE(file.ok()) << file.status().message();
    EXPECT_EQ(file->version, array.substr(bar + 1, 5));
    EXPECT_EQ(file->producer, network[0] == 't' ? "aimet-torch" : "aimet-onnx");
    ++seen["file"];
    for (const EncodingEntry& entry : file->entries) {
      SCOPED_TRACE(entry.name);
      const bool is_bias = entry.name.find(".bias") != std::string::npos;
      if (is_bias) {
        EXPECT_EQ(entry.bitwidth, 32);
      }
      ++seen[is_bias ? "bias" : CheckEntry(entry, network, file->version)];
    }
  }
  // Counted in the files.
  EXPECT_EQ(seen["file"], 71u);
  EXPECT_EQ(seen["integers"], 291u);
  EXPECT_EQ(seen["LPBQ"], 12u);
  EXPECT_EQ(seen["float"], 32u);
  EXPECT_EQ(seen["bias"], 40u);
  EXPECT_EQ(seen["blocks without a size"], 10u);
  EXPECT_EQ(seen.size(), 6u);
}

// ---- Networks ------------------------------------------------------------------------------------------------------

Result<Model> LoadWith(const std::string& network, const std::string& version) {
  const TempFolder folder;
  return Model::Load(GoldenPath(network + "/model.onnx"), folder.Write("e.json", JsonOf(network + "|" + version)));
}

// Versions 2.x name the codes of symmetric activations on the unsigned grid.
Encoding Canonical(const Encoding& encoding) {
  const auto* e = std::get_if<PerTensor>(&encoding);
  return e != nullptr && e->grid.bitwidth <= 8 ? Encoding(ToUnsigned(*e)) : encoding;
}

bool Same(const Encoding& one, const Encoding& other) {
  const Encoding a = Canonical(one), b = Canonical(other);
  if (a.index() != b.index()) return false;
  if (const auto* x = std::get_if<PerTensor>(&a)) return *x == std::get<PerTensor>(b);
  if (const auto* x = std::get_if<PerChannel>(&a)) {
    const auto& y = std::get<PerChannel>(b);
    return x->grid == y.grid && x->axis == y.axis && x->scale == y.scale && x->offset == y.offset;
  }
  const auto *x = std::get_if<Lpbq>(&a), *y = std::get_if<Lpbq>(&b);
  return x != nullptr && x->bitwidth == y->bitwidth && x->decompressed_bitwidth == y->decompressed_bitwidth &&
         x->channel_axis == y->channel_axis && x->block_axis == y->block_axis && x->block_size == y->block_size &&
         x->channel_scale == y->channel_scale && x->per_block_int_scale == y->per_block_int_scale;
}

TEST(EncodingsGoldenTest, VersionsOfOneExportAgree) {
  for (const auto& [network, version, biases] : {std::tuple("digits_cnn/w8a8", "0.6.1", 0),
                                                 {"digits_cnn/w8a8", "2.0.0", 8},
                                                 {"digits_cnn/w8a8", "2.1.0", 8},
                                                 {"digits_cnn/w4a8_lpbq", "2.0.0", 8},
                                                 {"digits_cnn/w4a8_lpbq", "2.1.0", 8},
                                                 {"mlp/w8a8", "2.0.0", 3},
                                                 {"mlp/w4a8_lpbq", "2.0.0", 3}}) {
    SCOPED_TRACE(std::string(network) + " " + version);
    const auto bundle = testing::LoadBundle(GoldenPath(network));
    ASSERT_TRUE(bundle.ok()) << bundle.status().message();
    const auto model = LoadWith(network, version);
    ASSERT_TRUE(model.ok()) << model.status().message();
    int real_biases = 0;
    for (const Value& value : model->graph().values) {
      const Value& want = FindValue(bundle->model.graph(), value.name);
      real_biases += value.constant.has_value() && value.constant->dtype == DType::kF64;
      ASSERT_EQ(value.encoding.has_value(), want.encoding.has_value()) << value.name;
      if (value.encoding.has_value()) {
        EXPECT_TRUE(Same(*value.encoding, *want.encoding)) << value.name;
      }
    }
    EXPECT_EQ(real_biases, biases);
  }
}

TEST(EncodingsGoldenTest, Version061DoesNotSayBlocks) {
  ExpectUnsupported(LoadWith("digits_cnn/w4a8_lpbq", "0.6.1").status(),
                    {"'conv2.conv.weight'", "128 scales for 64 channels", "0.6.1", "1.0.0 or later"});
}

// The int32 biases of version 2.0.0 give the codes of AIMET's binary64 simulation of its QDQ export, which has them
// too.
TEST(EncodingsGoldenTest, BiasCodesAreFollowed) {
  auto bundle = testing::LoadBundle(GoldenPath("digits_cnn/w8a8"));
  ASSERT_TRUE(bundle.ok()) << bundle.status().message();
  auto model = LoadWith("digits_cnn/w8a8", "2.0.0");
  ASSERT_TRUE(model.ok()) << model.status().message();
  bundle->model = *std::move(model);
  for (const BiasMode mode : {BiasMode::kFloat, BiasMode::kInt32}) {  // codes are rounded in neither mode
    SimulatorOptions options;
    options.bias = mode;
    const auto with_codes = testing::ReadArrays(bundle->path + "/layers_fp64_int32_bias.npz");
    ASSERT_TRUE(with_codes.ok());
    const auto compared = testing::Compare(*bundle, *with_codes, testing::Feed::kCumulative, options);
    ASSERT_TRUE(compared.status.ok()) << compared.status.message();
    EXPECT_EQ(compared.codes, 49960u);
    EXPECT_EQ(compared.differing, 0u) << compared.where;
    const auto with_floats = testing::ReadArrays(bundle->path + "/layers_fp64.npz");
    ASSERT_TRUE(with_floats.ok());
    EXPECT_GT(testing::Compare(*bundle, *with_floats, testing::Feed::kCumulative, options).differing, 0u);
  }
}

// Layers that AIMET computed with float biases, against the file that has them in codes: half a step of each bias
// explains every difference, but not one that is put in.
TEST(EncodingsGoldenTest, FloatBiasesBehindBiasCodesAreRecognized) {
  const auto bundle = testing::LoadBundle(GoldenPath("digits_cnn/w8a8"));
  ASSERT_TRUE(bundle.ok()) << bundle.status().message();
  const auto model = LoadWith("digits_cnn/w8a8", "2.0.0");
  ASSERT_TRUE(model.ok()) << model.status().message();
  const std::vector<ConstTensorView> inputs{bundle->data.at("input").view()};
  const auto validate = [&](std::span<const NamedArray> layers) {
    const auto reference = ReferenceLayers::Make(model->graph(), layers);
    EXPECT_TRUE(reference.ok()) << reference.status().message();
    auto validation = Validate({*model, {}, inputs, *reference, SerialExecutor(), nullptr});
    EXPECT_TRUE(validation.ok()) << validation.status().message();
    return validation.ok() ? *std::move(validation) : Validation();
  };
  auto with_floats = ReadNpz(bundle->path + "/layers_fp64.npz");
  auto with_codes = ReadNpz(bundle->path + "/layers_fp64_int32_bias.npz");
  ASSERT_TRUE(with_floats.ok() && with_codes.ok());
  const Validation explained = validate(*with_floats);
  EXPECT_FALSE(explained.Passed());
  EXPECT_TRUE(explained.float_bias_explains);
  EXPECT_TRUE(validate(*with_codes).Passed());
  for (NamedArray& layer : *with_floats) {
    if (layer.name == "output") std::fill_n(layer.bytes.begin(), layer.bytes.size() / 2, std::byte{0});
  }
  EXPECT_FALSE(validate(*with_floats).float_bias_explains);
}

}  // namespace
}  // namespace lq
