#include "runtime/measure/linear_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <random>
#include <span>
#include <string_view>

#include "runtime/status_macros.h"

namespace lq::measure {
namespace {

constexpr float kChannelScale = 1.0f / 1024;

// mt19937 gives the same numbers everywhere, std::uniform_*_distribution does not.
uint32_t Below(std::mt19937& engine, uint32_t bound) { return static_cast<uint32_t>(engine() % bound); }

Encoding RandomEncoding(const LinearCase& layer, std::mt19937& engine) {
  const std::vector<float> scale(layer.n, kChannelScale);
  const int64_t block = layer.precision.block;
  if (block == 0) return PerChannel{{8, true}, 0, scale, std::vector<int32_t>(layer.n)};
  Lpbq lpbq{4, 8, 0, 1, block, scale, std::vector<uint32_t>(layer.n * (layer.k / static_cast<size_t>(block)))};
  for (uint32_t& integer : lpbq.per_block_int_scale) integer = 1 + Below(engine, 16);
  return lpbq;
}

// Codes that spread over their grid: products of random operands have a deviation of about 1e4 * sqrt(k), for 16-bit
// activations 256 times as much. No round number between the scales: it would make ties common (one sum in 3200 with
// 200 and k = 256), which they are not in networks.
LinearSpec MakeSpec(const LinearCase& layer, std::span<const float> weight, std::mt19937& engine) {
  LinearSpec spec;
  spec.name = fmt::format("{}x{}", layer.n, layer.k);
  spec.in_features = layer.k;
  spec.out_features = layer.n;
  spec.weight = weight;
  spec.weight_encoding = RandomEncoding(layer, engine);
  const Grid grid{layer.precision.activation_bits, false};
  const int32_t middle = static_cast<int32_t>(-(grid.qmax() + 1) / 2);
  spec.input = {grid, 1.0f, middle};
  spec.output.encoding =
      PerTensor{grid, kChannelScale * 201.3f * static_cast<float>(std::sqrt(static_cast<double>(layer.k))), middle};
  return spec;
}

Result<AlignedBuffer> RandomBytes(const std::string& name, size_t bytes, std::mt19937& engine) {
  LQ_ASSIGN_OR_RETURN(AlignedBuffer buffer, AlignedBuffer::Make(name, bytes));
  std::generate_n(buffer.as<uint8_t>(), bytes, [&] { return static_cast<uint8_t>(Below(engine, 256)); });
  return buffer;
}

}  // namespace

std::string Precision::ToString() const {
  return block == 0 ? fmt::format("a{}w8", activation_bits) : fmt::format("a{}w4-lpbq{}", activation_bits, block);
}

Result<Precision> ParsePrecision(const std::string& text) {
  Precision precision;
  const std::string_view weights = text.rfind("a16", 0) == 0  ? std::string_view(text).substr(3)
                                   : text.rfind("a8", 0) == 0 ? std::string_view(text).substr(2)
                                                              : std::string_view();
  precision.activation_bits = text.rfind("a16", 0) == 0 ? 16 : 8;
  if (weights == "w8") return precision;
  constexpr std::string_view kLpbq = "w4-lpbq";
  if (weights.substr(0, kLpbq.size()) == kLpbq) {
    const char* const end = weights.data() + weights.size();
    const auto [last, error] = std::from_chars(weights.data() + kLpbq.size(), end, precision.block);
    if (error == std::errc() && last == end && precision.block > 0) return precision;
  }
  return InvalidArgument(
      fmt::format("precision '{}' is none of: a8w8, a16w8, a8w4-lpbqB, a16w4-lpbqB with a block size B", text));
}

double LinearCase::Operations() const {
  return (precision.activation_bits > 8 ? 2 : 1) * 2.0 * static_cast<double>(m) * static_cast<double>(n) *
         static_cast<double>(k);
}

Result<LinearRing> LinearRing::Make(const LinearCase& layer, size_t weight_bytes, size_t workers,
                                    const PrepareOptions& options) {
  std::mt19937 engine(1);
  std::vector<float> weight(layer.n * layer.k);
  for (float& value : weight) value = kChannelScale * (static_cast<float>(Below(engine, 256)) - 128.0f);
  const LinearSpec spec = MakeSpec(layer, weight, engine);
  LinearRing ring;
  do {
    LQ_ASSIGN_OR_RETURN(Linear prepared, Linear::Prepare(spec, options));
    ring.layers_.push_back(std::move(prepared));
  } while (ring.layers_.size() * ring.info().packed_bytes < weight_bytes);

  const auto rows = static_cast<int64_t>(layer.m);
  ring.type_ = layer.precision.activation_bits > 8 ? DType::kU16 : DType::kU8;
  const size_t element = ring.type_ == DType::kU16 ? 2 : 1;
  ring.in_shape_ = {rows, static_cast<int64_t>(layer.k)};
  ring.out_shape_ = {rows, static_cast<int64_t>(layer.n)};
  LQ_ASSIGN_OR_RETURN(ring.in_, RandomBytes("activations", layer.m * layer.k * element, engine));
  LQ_ASSIGN_OR_RETURN(ring.out_, AlignedBuffer::Make("output", layer.m * layer.n * element));
  LQ_ASSIGN_OR_RETURN(ring.workspace_,
                      AlignedBuffer::Make("workspace", ring.layers_.front().WorkspaceBytes(layer.m, workers)));
  return ring;
}

void LinearRing::Run(Executor& executor) {
  const ConstTensorView in(type_, in_shape_, in_.span());
  const TensorView out{type_, out_shape_, out_.span()};
  // The operands were made for these layers: nothing that Run checks can fail.
  (void)layers_[next_].Run(in, out, workspace_.span(), executor);
  next_ = (next_ + 1) % layers_.size();
}

double LinearRing::BytesPerRun() const { return static_cast<double>(info().packed_bytes + in_.size() + out_.size()); }

}  // namespace lq::measure
