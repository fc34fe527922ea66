#include <gtest/gtest.h>

#include "runtime/passes/passes.h"
#include "tests/support/expect_error.h"
#include "tests/support/read_graph.h"

namespace lq {
namespace {

using testing::ExpectInvalid;
using testing::ExpectUnsupported;
using testing::FloatAttribute;
using testing::FloatTensor;
using testing::IntAttribute;
using testing::IntsAttribute;
using testing::OnnxNode;
using testing::OnnxValue;
using testing::Proto;
using testing::ReadGraph;
using testing::StringAttribute;

using Attributes = std::vector<Proto>;

// Constants that the nodes below may use.
std::vector<Proto> Constants() {
  return {FloatTensor("w", {6, 4, 3, 3}, std::vector<float>(216, 1)),
          FloatTensor("w2", {4, 6}, std::vector<float>(24, 1)),
          FloatTensor("v6", {6}, std::vector<float>(6, 1)),
          FloatTensor("v4", {4}, std::vector<float>(4, 1)),
          FloatTensor("scalar", {}, {6}),
          FloatTensor("one", {1}, {6}),
          testing::TensorHead("shape", {2}, 7).Int(7, 0).Int(7, -1)};
}

Status CheckNode(const Proto& node, int64_t opset = 17) {
  Graph graph = ReadGraph({{node}, Constants(), {OnnxValue("x", {-1, 4, 8, 8})}, {OnnxValue("y", {-1})}}, opset);
  return CheckOperators(graph);
}

Status CheckOp(const std::string& op, const std::vector<std::string>& inputs, const Attributes& attributes = {}) {
  return CheckNode(OnnxNode(op, "n", inputs, {"y"}, attributes));
}

TEST(CheckOperatorsTest, AcceptsWhatIsSupported) {
  const Attributes window{StringAttribute("auto_pad", "SAME_UPPER"), IntsAttribute("kernel_shape", {3, 3}),
                          IntsAttribute("strides", {2, 2}), IntsAttribute("pads", {0, 1, 0, 1})};
  const auto with = [&window](const Attributes& more) {
    Attributes all = window;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  for (const Status& status :
       {CheckOp("Conv", {"x", "w", "v6"}, with({IntAttribute("group", 1), IntsAttribute("dilations", {1, 2})})),
        CheckOp("Conv", {"x", "w"}), CheckOp("Conv", {"x", "w", ""}),
        CheckOp("Gemm", {"x", "w2", "v6"}, {FloatAttribute("alpha", 2), FloatAttribute("beta", 2)}),
        CheckOp("Gemm", {"x", "w2", "v4"}, {IntAttribute("transB", 1), IntAttribute("transA", 0)}),
        CheckOp("MatMul", {"x", "w2"}), CheckOp("MatMul", {"x", "x"}),
        CheckOp("BatchNormalization", {"x", "v4", "v4", "v4", "v4"}, {FloatAttribute("epsilon", 1e-5f)}),
        CheckOp("Add", {"x", "v4"}), CheckOp("Relu", {"x"}), CheckOp("Clip", {"x", "scalar", "one"}),
        CheckOp("Clip", {"x", "", "scalar"}), CheckOp("Clip", {"x"}, {FloatAttribute("min", 0)}),
        CheckOp("GlobalAveragePool", {"x"}),
        CheckOp("AveragePool", {"x"}, with({IntAttribute("count_include_pad", 1)})),
        CheckOp("MaxPool", {"x"}, with({IntAttribute("ceil_mode", 1), IntAttribute("storage_order", 1)})),
        CheckOp("Flatten", {"x"}, {IntAttribute("axis", -1)}), CheckOp("Identity", {"x"}),
        CheckOp("Reshape", {"x", "shape"}, {IntAttribute("allowzero", 0)})}) {
    EXPECT_TRUE(status.ok()) << status.message();
  }
}

TEST(CheckOperatorsTest, RefusesOperatorsAndDomainsByName) {
  ExpectUnsupported(CheckOp("Hardmax", {"x"}),
                    {"Hardmax 'n' of tensor 'y'", "supported in domain ''", "Conv", "Constant"});
  ExpectUnsupported(CheckNode(OnnxNode("Conv", "n", {"x", "w"}, {"y"}).Bytes(7, "com.microsoft")),
                    {"com.microsoft.Conv 'n'", "domain 'com.microsoft'"});
  EXPECT_TRUE(CheckNode(OnnxNode("Relu", "n", {"x"}, {"y"}).Bytes(7, "ai.onnx")).ok());
}

TEST(CheckOperatorsTest, RefusesOtherOperatorSets) {
  for (int64_t opset : {7, 25}) EXPECT_TRUE(CheckNode(OnnxNode("Relu", "n", {"x"}, {"y"}), opset).ok());
  ExpectUnsupported(CheckNode(OnnxNode("Relu", "n", {"x"}, {"y"}), 6), {"operator set 6", "7 to 25"});
  ExpectUnsupported(CheckNode(OnnxNode("Relu", "n", {"x"}, {"y"}), 26), {"operator set 26", "7 to 25"});
  ExpectUnsupported(CheckNode(OnnxNode("Relu", "n", {"x"}, {"y"}), -1), {"operator set -1"});
}

TEST(CheckOperatorsTest, RefusesAttributesByName) {
  ExpectUnsupported(CheckOp("Relu", {"x"}, {IntAttribute("foo", 1)}), {"Relu 'n'", "'foo'", "supported: none"});
  ExpectUnsupported(CheckOp("Flatten", {"x"}, {IntAttribute("foo", 1)}), {"'foo'", "supported: axis"});
  ExpectInvalid(CheckOp("Flatten", {"x"}, {FloatAttribute("axis", 1)}), {"'axis'", "not an integer"});
  ExpectInvalid(CheckOp("Gemm", {"x", "w2"}, {IntAttribute("alpha", 1)}), {"'alpha'", "not a float"});
  ExpectUnsupported(CheckOp("Gemm", {"x", "w2"}, {IntAttribute("transA", 1)}), {"'transA' is 1", "0 to 0"});
  ExpectUnsupported(CheckOp("Conv", {"x", "w"}, {StringAttribute("auto_pad", "SAME")}), {"'SAME'", "SAME_UPPER"});
  EXPECT_TRUE(CheckOp("Resize", {"x"}, {StringAttribute("keep_aspect_ratio_policy", "stretch")}).ok());
  ExpectUnsupported(CheckOp("Resize", {"x"}, {StringAttribute("keep_aspect_ratio_policy", "not_larger")}),
                    {"'not_larger'", "stretch"});
  ExpectInvalid(CheckOp("Conv", {"x", "w"}, {IntAttribute("auto_pad", 1)}), {"'auto_pad'", "not a string"});
  ExpectInvalid(CheckOp("Conv", {"x", "w"}, {IntAttribute("pads", 1)}), {"'pads'", "not a list"});
  ExpectUnsupported(CheckOp("Conv", {"x", "w"}, {IntsAttribute("pads", {1, 1})}), {"'pads' has 2 numbers", "4"});
  ExpectUnsupported(CheckOp("Conv", {"x", "w"}, {IntsAttribute("pads", {0, 0, -1, 0})}),
                    {"'pads' is -1", "0 to 32767"});
  ExpectUnsupported(CheckOp("Conv", {"x", "w"}, {IntsAttribute("strides", {1, 0})}), {"'strides' is 0", "1 to"});
  ExpectUnsupported(CheckOp("Conv", {"x", "w"}, {IntsAttribute("dilations", {1, 1 << 20})}),
                    {"'dilations' is 1048576"});
  ExpectUnsupported(CheckOp("Conv", {"x", "w"}, {IntAttribute("group", 0)}), {"'group' is 0"});
  ExpectUnsupported(CheckOp("BatchNormalization", {"x", "v4", "v4", "v4", "v4"}, {IntAttribute("training_mode", 1)}),
                    {"'training_mode' is 1"});
  ExpectUnsupported(CheckOp("MaxPool", {"x"}, {IntsAttribute("kernel_shape", {3, 3}), IntAttribute("ceil_mode", 2)}),
                    {"'ceil_mode' is 2", "0 to 1"});
  ExpectInvalid(CheckOp("MaxPool", {"x"}), {"'kernel_shape'", "missing"});
}

TEST(CheckOperatorsTest, RefusesOperandsByNumber) {
  ExpectInvalid(CheckOp("Add", {"x"}), {"Add 'n'", "1 inputs"});
  ExpectInvalid(CheckOp("Relu", {"x", "x"}), {"2 inputs"});
  ExpectInvalid(CheckOp("Add", {"", "x"}), {"input 0 is left out"});
  ExpectUnsupported(
      CheckNode(OnnxNode("MaxPool", "n", {"x"}, {"y", "indices"}, {IntsAttribute("kernel_shape", {3, 3})})),
      {"2 outputs"});
  ExpectUnsupported(CheckNode(OnnxNode("Relu", "n", {"x"}, {})), {"Relu 'n'", "0 outputs"});
  ExpectUnsupported(CheckNode(OnnxNode("Relu", "n", {"x"}, {""})), {"Relu 'n'", "1"});
}

TEST(CheckOperatorsTest, RefusesConstantsOfOtherShapes) {
  ExpectUnsupported(CheckOp("Conv", {"x", "x"}), {"'x'", "computed"});
  ExpectUnsupported(CheckOp("Conv", {"x", "w2"}), {"'w2'", "(4, 6)", "4 dimensions"});
  ExpectInvalid(CheckOp("Conv", {"x", "shape"}), {"'shape'", "s64", "f32"});
  ExpectInvalid(CheckOp("Conv", {"x", "w", "v4"}), {"'v4'", "4 elements", "6 channels"});
  ExpectInvalid(CheckOp("Conv", {"x", "w"}, {IntsAttribute("kernel_shape", {3, 5})}), {"(3, 5)", "(6, 4, 3, 3)"});
  ExpectInvalid(CheckOp("Conv", {"x", "w"}, {IntAttribute("group", 4)}), {"6 output channels", "4 groups"});
  ExpectUnsupported(CheckOp("Gemm", {"x", "w"}), {"'w'", "2 dimensions"});
  ExpectInvalid(CheckOp("Gemm", {"x", "w2", "v4"}), {"'v4'", "6 channels"});
  ExpectInvalid(CheckOp("BatchNormalization", {"x", "v4", "v4", "v6", "v4"}), {"'v6'", "4 channels"});
  ExpectUnsupported(CheckOp("Clip", {"x", "x"}), {"'x'", "computed"});
  ExpectUnsupported(CheckOp("Clip", {"x", "v4"}), {"'v4'", "0 dimensions"});
  ExpectInvalid(CheckOp("Clip", {"x", "scalar"}, {FloatAttribute("min", 0)}), {"1 inputs", "1 attributes"});
  ExpectInvalid(CheckOp("Reshape", {"x", "v4"}), {"'v4'", "f32", "s64"});
  ExpectUnsupported(CheckOp("Reshape", {"x", "x"}), {"'x'", "computed"});
}

}  // namespace
}  // namespace lq
