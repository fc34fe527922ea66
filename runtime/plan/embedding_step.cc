// Embeddings: rows of a weight with scales per row or block, chosen by numbers that are known only in a run.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runtime/plan/indexed_step.h"
#include "runtime/plan/steps.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"
#include "runtime/weight_codes.h"

namespace lq {
namespace {

constexpr size_t kPanel = 64;  // rows that are quantized at a time
constexpr size_t kGrain = 4096;

// Codes of up to 4 bits lie two in a byte, the first one in the low bits, 8 added to each.
struct Table {
  std::string name;
  size_t rows = 0, features = 0, run = 0;  // of features with one scale
  bool packed = false;
  std::vector<uint8_t> codes;
  std::vector<float> scale;       // [row][block]; LPBQ: [row]
  std::vector<int32_t> offset;    // [row][block], or empty
  std::vector<uint16_t> integer;  // LPBQ: [row][block]

  size_t row_bytes() const { return packed ? (features + 1) / 2 : features; }

  // The reals of a row: (q + offset) * integer scale * scale, each product exact in binary64.
  void Decode(size_t row, double* out) const {
    const uint8_t* in = codes.data() + row * row_bytes();
    const size_t blocks = features / run;
    for (size_t b = 0; b < blocks; ++b) {
      const size_t at = row * blocks + b;
      const double factor = integer.empty() ? double{scale[at]} : integer[at] * double{scale[row]};
      const int32_t o = offset.empty() ? 0 : offset[at];
      for (size_t i = b * run; i < (b + 1) * run; ++i) {
        const int32_t q = packed ? (in[i / 2] >> (i % 2 * 4) & 15) - 8 : static_cast<int8_t>(in[i]);
        out[i] = static_cast<double>(q + o) * factor;
      }
    }
  }
};

void Append(CodePanel& panel, size_t count, Table& table) {
  for (size_t c = 0; c < count; ++c) {
    const auto* codes = panel.Channel<int8_t>(c);
    uint8_t* out = table.codes.data() + (panel.first + c) * table.row_bytes();
    for (size_t i = 0; i < table.features; ++i) {
      if (table.packed) {
        out[i / 2] = static_cast<uint8_t>(out[i / 2] | (codes[i] + 8) << (i % 2 * 4));
      } else {
        out[i] = static_cast<uint8_t>(codes[i]);
      }
    }
  }
}

void SetScales(const WeightCodes& weights, Table& table) {
  const size_t blocks = table.features / table.run;
  for (size_t row = 0; row < table.rows; ++row) {
    if (weights.block() != 0) table.scale.push_back(static_cast<float>(weights.ChannelScale(row)));
    for (size_t b = 0; b < blocks; ++b) {
      if (weights.block() != 0) {
        table.integer.push_back(static_cast<uint16_t>(weights.BlockScales(row)[b]));
        continue;
      }
      table.scale.push_back(weights.Scale(row, b));
      if (weights.HasOffsets()) table.offset.push_back(weights.Offset(row, b));
    }
  }
}

Result<Table> MakeTable(const std::string& name, const Constant& weight, const Encoding& encoding,
                        const PrepareOptions& options) {
  Table table;
  table.name = name;
  table.rows = static_cast<size_t>(weight.shape[0]);
  table.features = static_cast<size_t>(weight.shape[1]);
  const FloatWeights floats{name, weight.f32, table.rows, table.features, 1};
  LQ_ASSIGN_OR_RETURN(const WeightCodes weights, WeightCodes::Make(floats, encoding, options));
  if (weights.wide() || (weights.block() != 0 && weights.LargestBlockScale() > 65535)) {
    return Unsupported(fmt::format("{}: a table of {} bits; supported: 2 to 8", name, weights.bitwidth()));
  }
  table.packed = weights.bitwidth() <= 4;
  table.run = weights.block() != 0 ? weights.block() : weights.scale_run();
  table.codes.resize(table.rows * table.row_bytes());
  CodePanel panel;
  for (size_t first = 0; first < table.rows; first += kPanel) {
    const size_t count = std::min(kPanel, table.rows - first);
    weights.Quantize(first, count, panel);
    Append(panel, count, table);
  }
  SetScales(weights, table);
  return table;
}

class EmbeddingStep final : public IndexedStep {
 public:
  EmbeddingStep(Table table, const std::optional<PerTensor>& indices, const PrepareOptions& options)
      : IndexedStep(indices, DType::kF64, options), table_(std::move(table)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    const Shape indices = OnnxShape(in[0]);
    std::vector<int64_t> dims(indices.dims().begin(), indices.dims().end());
    dims.push_back(static_cast<int64_t>(table_.features));
    if (dims.size() <= Shape::kMaxRank) return PlanShape(Shape(dims));
    return Unsupported(fmt::format("{}: indices of shape {}; supported: {} dimensions", table_.name, indices.ToString(),
                                   Shape::kMaxRank - 1));
  }

  LayerInfo info() const override {
    const size_t bytes = table_.codes.size() + table_.scale.size() * sizeof(float) +
                         table_.offset.size() * sizeof(int32_t) + table_.integer.size() * sizeof(uint16_t);
    return {"embedding", "", fmt::format("{}-bit rows, block {}", table_.packed ? 4 : 8, table_.run), bytes};
  }

 private:
  size_t length() const override { return table_.rows; }

  Status Outside(double number) const override {
    return InvalidArgument(fmt::format("{}: index {} of {} rows", table_.name, number, table_.rows));
  }

  void Copy(std::span<const uint64_t> indices, Executor& executor, std::byte* out) const override {
    auto* reals = reinterpret_cast<double*>(out);
    RunRanges(executor, indices.size(), std::max<size_t>(1, kGrain / table_.features), [&](Range r) {
      for (size_t i = r.begin; i < r.end; ++i) table_.Decode(indices[i], reals + i * table_.features);
    });
  }

  Table table_;
};

}  // namespace

Result<std::unique_ptr<Step>> MakeEmbeddingStep(const EmbeddingSpec& spec, const PrepareOptions& options) {
  LQ_ASSIGN_OR_RETURN(Table table, MakeTable(spec.name, *spec.weight, spec.encoding, options));
  return std::unique_ptr<Step>(std::make_unique<EmbeddingStep>(std::move(table), spec.indices, options));
}

}  // namespace lq
