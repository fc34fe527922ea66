// WeightStore: what is shared gives the same codes, what is another layer's is never taken, and no file harms.
#include "lanequant/weight_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <vector>

#include "lanequant/float_linear.h"
#include "lanequant/linear.h"
#include "lanequant/model.h"
#include "tests/support/executors.h"
#include "tests/support/expect_error.h"
#include "tests/support/forged_weights.h"
#include "tests/support/golden_bundle.h"
#include "tests/support/random.h"
#include "tests/support/temp_folder.h"

namespace lq {
namespace {

using testing::ExpectError;
using testing::ExpectInvalid;
using testing::ReadWhole;
using testing::TempFolder;

// A layer of each packed format.
enum class Kind { kS8, kS4, kS16, kBlockS8, kBlockS4, kBlockF32 };
constexpr Kind kKinds[] = {Kind::kS8, Kind::kS4, Kind::kS16, Kind::kBlockS8, Kind::kBlockS4, Kind::kBlockF32};
constexpr size_t kOut = 70, kIn = 48, kBlock = 16, kBlocks = kIn / kBlock;

std::vector<float> Weights(uint64_t seed) {
  testing::Random random(seed);
  std::vector<float> weights(kOut * kIn);
  for (float& w : weights) w = 0.01f * static_cast<float>(random.Int(-128, 127));
  return weights;
}

Encoding EncodingOf(Kind kind) {
  const std::vector<float> channels(kOut, 0.01f), blocks(kOut * kBlocks, 0.03f);
  switch (kind) {
    case Kind::kS8:
      return PerChannel{{8, true}, 0, channels, std::vector<int32_t>(kOut)};
    case Kind::kS4:
      return Lpbq{4, 8, 0, 1, kBlock, channels, std::vector<uint32_t>(kOut * kBlocks, 5)};
    case Kind::kS16:
      return PerChannel{{12, true}, 0, channels, std::vector<int32_t>(kOut)};
    case Kind::kBlockS8:
      return PerBlock{{8, false}, 0, 1, kBlock, blocks, std::vector<int32_t>(kOut * kBlocks, -100)};
    case Kind::kBlockS4:
    case Kind::kBlockF32:
      break;
  }
  return PerBlock{{4, true}, 0, 1, kBlock, blocks, std::vector<int32_t>(kOut * kBlocks)};
}

// The outputs of three rows.
template <class Layer>
std::vector<float> Outputs(const Layer& layer, DType in_type, std::span<std::byte> in) {
  std::vector<std::byte> workspace(layer.WorkspaceBytes(3, 1));
  std::vector<float> out(3 * kOut);
  const TensorView view{DType::kF32, {3, kOut}, std::as_writable_bytes(std::span(out))};
  const Status status = layer.Run({in_type, {3, kIn}, in}, view, workspace, SerialExecutor());
  EXPECT_TRUE(status.ok()) << status.message();
  return out;
}

struct Prepared {
  std::string info;
  std::vector<float> out;
};

Prepared Prepare(Kind kind, std::span<const float> weight, WeightStore* store, Executor* executor = nullptr) {
  PrepareOptions options;
  options.store = store;
  options.executor = executor;
  if (kind >= Kind::kBlockS8) {
    FloatLinearSpec spec;
    spec.name = "fc";
    spec.in_features = kIn;
    spec.out_features = kOut;
    spec.weight = weight;
    if (kind != Kind::kBlockF32) spec.weight_encoding = EncodingOf(kind);
    const Result<FloatLinear> layer = FloatLinear::Prepare(spec, options);
    EXPECT_TRUE(layer.ok()) << layer.status().message();
    std::vector<float> in(3 * kIn);
    for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i % 31) - 11;
    return {layer->info().weights, Outputs(*layer, DType::kF32, std::as_writable_bytes(std::span(in)))};
  }
  LinearSpec spec;
  spec.name = "fc";
  spec.in_features = kIn;
  spec.out_features = kOut;
  spec.weight = weight;
  spec.weight_encoding = EncodingOf(kind);
  spec.input = {{8, false}, 0.1f, -100};
  const Result<Linear> layer = Linear::Prepare(spec, options);
  EXPECT_TRUE(layer.ok()) << layer.status().message();
  std::vector<uint8_t> in(3 * kIn);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint8_t>(i * 37);
  return {layer->info().weights, Outputs(*layer, DType::kU8, std::as_writable_bytes(std::span(in)))};
}

// A file of one layer of each kind.
std::string SaveAll(const TempFolder& folder) {
  WeightStore store;
  for (const Kind kind : kKinds) (void)Prepare(kind, Weights(1), &store);
  const std::string path = folder / "all.lqw";
  const Status status = store.Save(path);
  EXPECT_TRUE(status.ok()) << status.message();
  return path;
}

TEST(WeightStore, MappedLayersGiveTheSameBits) {
  const TempFolder folder;
  Result<WeightStore> mapped = WeightStore::Map(SaveAll(folder));
  ASSERT_TRUE(mapped.ok()) << mapped.status().message();
  EXPECT_EQ(mapped->layers(), std::size(kKinds));
  testing::ThreadExecutor two(2);  // the key does not depend on how the hash was shared out
  for (const Kind kind : kKinds) {
    const Prepared fresh = Prepare(kind, Weights(1), nullptr), found = Prepare(kind, Weights(1), &*mapped, &two);
    EXPECT_EQ(found.out, fresh.out);
    EXPECT_EQ(found.info, fresh.info);
  }
  EXPECT_EQ(mapped->packed(), 0u);
}

TEST(WeightStore, OtherContentsArePackedAnew) {
  const TempFolder folder;
  Result<WeightStore> mapped = WeightStore::Map(SaveAll(folder));
  ASSERT_TRUE(mapped.ok());
  std::vector<float> weights = Weights(1);
  for (const size_t at : {size_t{0}, size_t{1001}, weights.size() - 1}) {
    weights[at] += 0.05f;
    for (const Kind kind : kKinds) {
      EXPECT_EQ(Prepare(kind, weights, &*mapped).out, Prepare(kind, weights, nullptr).out);
    }
  }
  EXPECT_EQ(mapped->packed(), 3 * std::size(kKinds));
  EXPECT_EQ(mapped->layers(), 4 * std::size(kKinds));
}

// What decides how weights are packed is part of the key.
TEST(WeightStore, TheInputsRangeIsPartOfTheKey) {
  WeightStore store;
  PrepareOptions options;
  options.store = &store;
  const std::vector<float> weights = Weights(2);
  LinearSpec spec;
  spec.name = "fc";
  spec.in_features = kIn;
  spec.out_features = kOut;
  spec.weight = weights;
  spec.weight_encoding = EncodingOf(Kind::kS8);
  for (const PerTensor& input :
       {PerTensor{{8, false}, 1.0f, 0}, {{8, false}, 2.0f, 0}, {{8, false}, 1.0f, -(1 << 23)}}) {
    spec.input = input;
    ASSERT_TRUE(Linear::Prepare(spec, options).ok());
  }
  EXPECT_EQ(store.packed(), 2u);  // another scale takes the same weights, another offset need not
}

TEST(WeightStore, SessionsOfAModelShareWeights) {
  const Result<testing::Bundle> bundle = testing::LoadBundle(testing::GoldenPath("digits_cnn/w4a8_lpbq"));
  ASSERT_TRUE(bundle.ok());
  WeightStore store;
  SessionOptions options;
  options.store = &store;
  const Result<Session> first = Session::Prepare(bundle->model, options);
  ASSERT_TRUE(first.ok());
  const size_t packed = store.packed();
  EXPECT_GT(packed, 0u);
  const Result<Session> second = Session::Prepare(bundle->model, options);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(store.packed(), packed);
}

TEST(WeightStore, SaveReplacesWholeFilesAndReports) {
  const TempFolder folder;
  const std::string path = SaveAll(folder);
  Result<WeightStore> mapped = WeightStore::Map(path);
  ASSERT_TRUE(mapped.ok());
  (void)Prepare(Kind::kS8, Weights(3), &*mapped);
  ASSERT_TRUE(mapped->Save(path).ok());  // over the file that is mapped
  EXPECT_EQ(Prepare(Kind::kS4, Weights(1), &*mapped).out, Prepare(Kind::kS4, Weights(1), nullptr).out);
  const Result<WeightStore> again = WeightStore::Map(path);
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(again->layers(), std::size(kKinds) + 1);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  ExpectError(mapped->Save(folder / "none/all.lqw"), StatusCode::kIo, {"none/all.lqw", "No such file"});
  ExpectError(WeightStore::Map(folder / "none.lqw").status(), StatusCode::kNotFound, {"none.lqw"});
}

TEST(WeightStore, EveryTruncationAndEveryFlippedBitIsRefused) {
  const TempFolder folder;
  WeightStore store;
  (void)Prepare(Kind::kS4, Weights(1), &store);
  const std::string path = folder / "s4.lqw";
  ASSERT_TRUE(store.Save(path).ok());
  const std::string whole = ReadWhole(path);
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string bytes = whole;
    bytes[i] = static_cast<char>(bytes[i] ^ 1 << i % 8);
    const Status status = WeightStore::Map(folder.Write("flipped.lqw", bytes)).status();
    ASSERT_FALSE(status.ok()) << "byte " << i;
    ASSERT_NE(status.message().find("flipped.lqw: "), std::string::npos);
  }
  for (size_t size = whole.size(); size-- > 0;) {
    ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(size)), 0);
    ASSERT_FALSE(WeightStore::Map(path).ok()) << size;
  }
}

std::string Forge(std::string file, size_t field, uint64_t value) {
  std::memcpy(&file[testing::kRecordBegin + field], &value, sizeof(value));
  return testing::WithChecksum(file);
}

TEST(WeightStore, ForgedRecordsAreRefusedOrHarmless) {
  const TempFolder folder;
  for (const Kind kind : kKinds) {
    WeightStore store;
    (void)Prepare(kind, Weights(1), &store);
    ASSERT_TRUE(store.Save(folder / "one.lqw").ok());
    const std::string whole = ReadWhole(folder / "one.lqw");
    ASSERT_TRUE(WeightStore::Map(folder.Write("f.lqw", Forge(whole, 32, kIn))).ok());  // its checksum is right
    for (size_t field = 16; field < 72; field += 8) {                                  // format .. largest sum
      for (const uint64_t value :
           {uint64_t{0}, uint64_t{1}, uint64_t{2}, uint64_t{3}, uint64_t{4}, uint64_t{12}, uint64_t{64},
            uint64_t{1} << 32, uint64_t{1} << 40, uint64_t{1} << 63, ~uint64_t{0}}) {
        Result<WeightStore> forged = WeightStore::Map(folder.Write("f.lqw", Forge(whole, field, value)));
        ASSERT_EQ(forged.ok(), forged.status().message().empty());
        if (!forged.ok()) continue;
        (void)Prepare(kind, Weights(1), &*forged);  // under -fsanitize=address: touches nothing else
      }
    }
  }
}

TEST(WeightStore, OtherFilesAreNamed) {
  const TempFolder folder;
  std::string whole = ReadWhole(SaveAll(folder));
  whole[8] = 9;
  ExpectError(WeightStore::Map(folder.Write("v.lqw", whole)).status(), StatusCode::kUnsupported,
              {"v.lqw", "version 9", "version 1"});
  ExpectInvalid(WeightStore::Map(folder.Write("o.onnx", std::string(100, 'x'))).status(), {"o.onnx"});
  ExpectInvalid(WeightStore::Map(folder.Write("empty.lqw", "")).status(), {"empty.lqw", "0 bytes"});
  ExpectInvalid(WeightStore::Map(folder.path()).status(), {"not a regular file"});
}

}  // namespace
}  // namespace lq
