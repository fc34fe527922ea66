#include "tests/support/layer_cases.h"

#include <algorithm>
#include <cmath>

#include "kernels/reference/reference.h"

namespace lq::testing {
namespace {

std::vector<float> Floats(Random& random, size_t count, float low, float high) {
  std::vector<float> values(count);
  for (float& v : values) v = random.Float(low, high);
  return values;
}

Encoding DrawPerChannel(Random& random, size_t channels) {
  const bool wide = random.Chance(0.15);
  PerChannel e{{wide ? 16 : static_cast<int>(random.Int(2, 8)), random.Chance(0.8)},
               0,
               Floats(random, channels, 0.001f, 0.02f),
               {}};
  if (wide) e.grid.is_signed = true;
  for (size_t i = 0; i < channels; ++i) {
    e.offset.push_back(e.grid.is_signed ? 0 : static_cast<int32_t>(random.Int(-e.grid.qmax(), 0)));
  }
  return e;
}

Encoding DrawLpbq(Random& random, size_t channels, int64_t reduction) {
  Lpbq e;
  e.bitwidth = static_cast<int>(random.Chance(0.8) ? 4 : random.Int(2, 5));
  e.decompressed_bitwidth = random.Chance(0.7) ? 8 : random.Chance(0.5) ? 12 : 16;
  std::vector<int64_t> divisors;
  for (int64_t b = 1; b <= reduction; ++b) {
    if (reduction % b == 0) divisors.push_back(b);
  }
  e.block_size = divisors[random.Size(0, divisors.size() - 1)];
  e.channel_scale = Floats(random, channels, 0.0005f, 0.002f);
  const auto blocks = static_cast<size_t>(reduction / e.block_size);
  const int64_t largest = int64_t{1} << (e.decompressed_bitwidth - e.bitwidth);
  for (size_t i = 0; i < channels * blocks; ++i)
    e.per_block_int_scale.push_back(static_cast<uint32_t>(random.Int(1, largest)));
  return e;
}

PerTensor DrawActivation(Random& random) {
  const int64_t bitwidth = random.Chance(0.5) ? 8 : random.Chance(0.6) ? 16 : random.Int(2, 15);
  PerTensor e{{static_cast<int>(bitwidth), random.Chance(0.3)}, random.Float(0.002f, 0.05f), 0};
  if (bitwidth > 8) e.scale = std::ldexp(e.scale, static_cast<int>(8 - bitwidth));
  // 0 is on the grid, as padding needs.
  e.offset = static_cast<int32_t>(-random.Int(e.grid.qmin(), e.grid.qmax()));
  return e;
}

// The largest weight that the encoding can hold, about: weights beyond it saturate.
double LargestWeight(const Encoding& encoding) {
  if (const auto* e = std::get_if<PerTensor>(&encoding)) return e->scale * double(e->grid.qmax() + 1);
  if (const auto* e = std::get_if<PerChannel>(&encoding)) return e->scale[0] * double(e->grid.qmax() + 1);
  const auto& e = std::get<Lpbq>(encoding);
  return e.channel_scale[0] * double(1 << (e.decompressed_bitwidth - 1));
}

// A batch normalization, or now and then a Gemm's alpha.
void DrawBatchNorm(Random& random, size_t channels, LayerCase& c) {
  c.batch_norm = random.Chance(0.3);
  if (c.batch_norm) {
    c.gamma = Floats(random, channels, -1.5f, 1.5f);
    c.beta = Floats(random, channels, -1, 1);
    c.mean = Floats(random, channels, -1, 1);
    c.variance = Floats(random, channels, 0.1f, 2);
  } else if (random.Chance(0.2)) {
    c.alpha = random.Float(-2, 2);
  }
}

}  // namespace

OutputStage LayerCase::Stage() const {
  OutputStage stage;
  stage.alpha = alpha;
  stage.bias = bias;
  if (batch_norm) stage.batch_norm = BatchNorm{gamma, beta, mean, variance, 1e-5f};
  stage.clip_min = clip_min;
  stage.clip_max = clip_max;
  stage.encoding = output;
  return stage;
}

LayerCase DrawLayer(Random& random, const Shape& weight_shape) {
  LayerCase c;
  c.weight_shape = weight_shape;
  const auto channels = static_cast<size_t>(weight_shape[0]);
  switch (random.Int(0, 4)) {
    case 0:
      c.weight_encoding = PerTensor{{8, true}, random.Float(0.001f, 0.02f), 0};
      break;
    case 1:
    case 2:
      c.weight_encoding = DrawPerChannel(random, channels);
      break;
    default:
      c.weight_encoding = DrawLpbq(random, channels, weight_shape[1]);
  }
  const auto largest = static_cast<float>(LargestWeight(c.weight_encoding) * 1.1);
  c.weight = Floats(random, static_cast<size_t>(weight_shape.NumElements()), -largest, largest);
  c.input = DrawActivation(random);
  if (random.Chance(0.8)) c.bias = Floats(random, channels, -2, 2);
  DrawBatchNorm(random, channels, c);
  if (random.Chance(0.5)) c.clip_min = 0;
  if (random.Chance(0.2)) c.clip_max = 6;
  c.options.profile = random.Chance(0.7) ? RoundingProfile::kAimetDiv : RoundingProfile::kAimetOnnx;
  c.options.bias = random.Chance(0.3) ? BiasMode::kInt32 : BiasMode::kFloat;
  if (random.Chance(0.8)) {
    c.output = DrawActivation(random);
    // About the spread of the outputs, so that few codes saturate.
    const double spread = largest * c.input.scale * std::exp2(c.input.grid.bitwidth - 1.4) *
                          std::sqrt(double(weight_shape.NumElements()) / double(channels));
    c.output->scale = static_cast<float>(std::max(spread, 1.0) / std::exp2(c.output->grid.bitwidth - 1.4));
  }
  return c;
}

std::vector<int32_t> ExpectedWeights(const LayerCase& layer) {
  return reference::QuantizeWeights(layer.weight, layer.weight_shape, 0, layer.weight_encoding, layer.options.profile)
      .w_int;
}

Expected ExpectedOutputs(const LayerCase& layer, std::span<const int64_t> acc, size_t inner) {
  const std::vector<double> scale =
      reference::QuantizeWeights(layer.weight, layer.weight_shape, 0, layer.weight_encoding, layer.options.profile)
          .scale;
  Expected expected;
  for (size_t i = 0; i < acc.size(); ++i) {
    const size_t c = i / inner % scale.size();
    const double s_x = layer.input.scale;
    double y = reference::LayerOutput(acc[i], s_x, scale[c], nullptr);
    if (layer.alpha != 1.0f) y = double{layer.alpha} * y;
    if (!layer.bias.empty()) {
      const bool coded = layer.options.bias == BiasMode::kInt32;
      y = y + (coded ? reference::Int32Bias(layer.bias[c], s_x, scale[c]) : double{layer.bias[c]});
    }
    if (layer.batch_norm) {
      y = reference::BatchNormalize(y, layer.gamma[c], layer.beta[c], layer.mean[c], layer.variance[c], 1e-5f);
    }
    y = std::min(std::max(y, double{layer.clip_min}), double{layer.clip_max});
    expected.reals.push_back(y);
    if (!layer.output) continue;
    const PerTensor& e = *layer.output;
    expected.codes.push_back(reference::QuantizeReal(y, e.grid, e.scale, e.offset, layer.options.profile).code);
  }
  return expected;
}

std::vector<int32_t> DrawCodes(Random& random, const PerTensor& encoding, size_t count) {
  const int64_t low = encoding.grid.qmin(), high = encoding.grid.qmax();
  const auto zero = static_cast<int32_t>(std::clamp<int64_t>(-int64_t{encoding.offset}, low, high));
  std::vector<int32_t> codes(count, zero);
  if (random.Chance(0.05)) return codes;  // sums of zero, whose sign shows in real outputs
  for (int32_t& code : codes) {
    code = static_cast<int32_t>(random.Chance(0.9) ? random.Int(low, high) : random.Chance(0.5) ? low : high);
  }
  return codes;
}

void StoreCodes(std::span<const int32_t> codes, std::span<std::byte> out) {
  const size_t size = out.size() / codes.size();
  for (size_t i = 0; i < codes.size(); ++i) {
    for (size_t b = 0; b < size; ++b) out[i * size + b] = static_cast<std::byte>(codes[i] >> 8 * b);
  }
}

std::vector<int32_t> LoadCodes(std::span<const std::byte> in, const Grid& grid) {
  const size_t size = grid.bitwidth > 8 ? 2 : 1;
  std::vector<int32_t> codes(in.size() / size);
  for (size_t i = 0; i < codes.size(); ++i) {
    for (size_t b = 0; b < size; ++b) codes[i] |= std::to_integer<int32_t>(in[i * size + b]) << 8 * b;
    const int32_t range = 1 << 8 * size;
    if (grid.is_signed && codes[i] >= range / 2) codes[i] -= range;
  }
  return codes;
}

}  // namespace lq::testing
