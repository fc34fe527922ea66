// Linear layers quantized by AMD Quark's torch stack, from the folder that its export_safetensors writes: config.json
// and *.safetensors. A layer that is read has what LinearSpec and FloatLinearSpec ask for.
#ifndef LANEQUANT_QUARK_H_
#define LANEQUANT_QUARK_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lanequant/encoding.h"
#include "lanequant/export.h"
#include "lanequant/status.h"

namespace lq {

// What the files say of a layer, without its weights. Formats are in Quark's words: "int4, per group of 32".
struct QuarkLayer {
  std::string name;
  size_t in_features = 0, out_features = 0;
  std::string weight;         // the format. Its codes may be padded: in_features of int4 per channel is a multiple of 8
  std::string input, output;  // the format of the activations; empty: they stay floats
};

struct QuarkLinear {
  // [out_features][in_features]: the values that Quark's simulation multiplies with, bit for bit, where it computes in
  // float32: (code - zero_point) * scale; of two levels int4 within fp8, that times fp8's scale.
  std::vector<float> weight;
  // Channel axis 0, block axis 1; quantizing `weight` by it gives the codes in the file. fp4 and fp6_e2m3 have one too,
  // as their values are integers of 5 and 7 bits under half and an eighth of the block's scale (1 where that is 0).
  // Absent: fp8, fp6_e3m2, bfloat16, float16, whose values lie on no grid of up to 8 bits.
  std::optional<Encoding> weight_encoding;
  std::vector<float> bias;  // one per output feature, or empty
  // int8 and uint8 per tensor, calibrated. Other activations (fp8, MX, dynamic) are for the quantizers of
  // quantize.h, float_quantize.h and block_quantize.h.
  std::optional<PerTensor> input, output;
};

class LQ_EXPORT QuarkModel {
 public:
  // Reads config.json and the headers, of custom_mode quark, fp8 and awq. Layers are all that have a `weight_scale`:
  // those that Quark left out are not listed. Scales: per tensor, output channel or group along the input features;
  // float32, float16, bfloat16; of fp4 and fp6 also E8M0 (MX), e5m3 (amdfp4) and fp8_e4m3 with a scale of their own
  // (NVFP4). Errors name file, tensor and numbers; refused by name: fake_quantized weights, zero points of float32,
  // formats other than int2, int3 per channel, int4, uint4, int8, uint8, these within fp8 per tensor, fp4, fp6,
  // fp8_e4m3, fp8_e5m2, bfloat16, float16.
  static Result<QuarkModel> Open(const std::string& folder);
  QuarkModel(QuarkModel&&) noexcept;
  QuarkModel& operator=(QuarkModel&&) noexcept;
  ~QuarkModel();

  // In the order of the files.
  const std::vector<QuarkLayer>& layers() const;

  // Reads and unpacks one layer, index < layers().size(): a model may be larger than the memory. Errors: index, a file
  // that was changed, scales and zero points that no encoding can hold.
  Result<QuarkLinear> Load(size_t index) const;

 private:
  struct Impl;
  explicit QuarkModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq

#endif  // LANEQUANT_QUARK_H_
