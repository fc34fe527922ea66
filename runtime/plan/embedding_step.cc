// Embeddings: rows of a weight with scales per row or block, chosen by numbers that are known only in a run.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/plan/pieces.h"
#include "runtime/plan/steps.h"
#include "runtime/plan/value_codec.h"
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

class EmbeddingStep final : public Step {
 public:
  EmbeddingStep(Table table, const std::optional<PerTensor>& indices, const PrepareOptions& options)
      : table_(std::move(table)), decoder_(indices, options) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    const Shape indices = OnnxShape(in[0]);
    std::vector<int64_t> dims(indices.dims().begin(), indices.dims().end());
    dims.push_back(static_cast<int64_t>(table_.features));
    if (dims.size() <= Shape::kMaxRank) return PlanShape(Shape(dims));
    return Unsupported(fmt::format("{}: indices of shape {}; supported: {} dimensions", table_.name, indices.ToString(),
                                   Shape::kMaxRank - 1));
  }

  size_t ScratchBytes(std::span<const Shape> in, size_t) const override {
    Pieces pieces(nullptr);
    const auto count = static_cast<size_t>(in[0].NumElements());
    pieces.Take(count * sizeof(double));
    pieces.Take(count * sizeof(double));
    const Result<Shape> out = OutputShape(in);
    pieces.Take(out.ok() && IsTurned(*out) ? count * table_.features * sizeof(double) : 0);
    return pieces.used();
  }

  Status Run(const StepRun& run) const override {
    const ConstTensorView& in = run.in[0];
    const auto count = static_cast<size_t>(in.shape.NumElements());
    Pieces pieces(run.scratch.data());
    std::byte* ordered = pieces.Take(count * sizeof(double));
    ToOnnxOrder(in.bytes.data(), in.shape, SizeOf(in.dtype), ordered);
    auto* numbers = reinterpret_cast<double*>(pieces.Take(count * sizeof(double)));
    decoder_.Decode(ordered, in.dtype, count, ValueKind::kReal, reinterpret_cast<std::byte*>(numbers));
    for (size_t i = 0; i < count; ++i) {
      LQ_ASSIGN_OR_RETURN(numbers[i], RowOf(numbers[i]));
    }
    const bool turned = IsTurned(run.out.shape);
    std::byte* memory = turned ? pieces.Take(run.out.bytes.size()) : run.out.bytes.data();
    auto* out = reinterpret_cast<double*>(memory);
    RunRanges(run.executor, count, std::max<size_t>(1, kGrain / table_.features), [&](Range r) {
      for (size_t i = r.begin; i < r.end; ++i) {
        table_.Decode(static_cast<size_t>(numbers[i]), out + i * table_.features);
      }
    });
    if (turned) FromOnnxOrder(memory, run.out.shape, sizeof(double), run.out.bytes.data());
    return OkStatus();
  }

  LayerInfo info() const override {
    const size_t bytes = table_.codes.size() + table_.scale.size() * sizeof(float) +
                         table_.offset.size() * sizeof(int32_t) + table_.integer.size() * sizeof(uint16_t);
    return {"embedding", "", fmt::format("{}-bit rows, block {}", table_.packed ? 4 : 8, table_.run), bytes};
  }

 private:
  // The row that a number stands for, counted from the end where it is negative.
  Result<double> RowOf(double number) const {
    const auto rows = static_cast<double>(table_.rows);
    const double whole = std::trunc(number), row = whole < 0 ? whole + rows : whole;
    if (row >= 0 && row < rows) return row;
    return InvalidArgument(fmt::format("{}: index {} of {} rows", table_.name, number, table_.rows));
  }

  Table table_;
  ValueDecoder decoder_;
};

}  // namespace

Result<std::unique_ptr<Step>> MakeEmbeddingStep(const EmbeddingSpec& spec, const PrepareOptions& options) {
  LQ_ASSIGN_OR_RETURN(Table table, MakeTable(spec.name, *spec.weight, spec.encoding, options));
  return std::unique_ptr<Step>(std::make_unique<EmbeddingStep>(std::move(table), spec.indices, options));
}

}  // namespace lq
