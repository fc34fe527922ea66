// config.json of Quark's torch exports: how each layer's weights and activations were quantized.
#ifndef LANEQUANT_RUNTIME_IO_QUARK_CONFIG_H_
#define LANEQUANT_RUNTIME_IO_QUARK_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lanequant/status.h"

namespace lq {

// One tensor's quantizer, in Quark's words.
struct QuarkQuantizer {
  std::string dtype;               // "int4", "fp4", "fp8_e4m3", ...
  std::string scheme;              // "per_tensor", "per_channel", "per_group", or "" (bfloat16)
  int64_t group_size = 0;          // per_group
  bool is_dynamic = false;         // of activations: scales from the data
  std::string scale_format;        // of fp4 and fp6: "e8m0", "e5m3" (amdfp4), or another, whose scales are floats
  bool float_zero_points = false;  // which files hold cut to integers
  // Two levels. NVFP4: the scales are fp8 themselves. Else the codes above stand for those of a coarser format, which
  // has one scale more, and this is its name.
  bool quantizes_scales = false;
  std::string outer;

  // "int4, per group of 32"
  std::string Describe() const;
};

struct QuarkLayerQuantizers {
  std::optional<QuarkQuantizer> weight, input, output, bias;
};

struct QuarkConfig {
  bool reorders = true;  // eight 4-bit codes lie in a word in the order of AWQ (pack_method "reorder")
  bool is_fp8 = false;   // custom_mode "fp8": one scale for each tensor, and the files' own types say the rest
  bool is_awq = false;   // custom_mode "awq", and AutoAWQ: tensors have other names
  QuarkLayerQuantizers all;
  std::vector<std::pair<std::string, QuarkLayerQuantizers>> by_name;  // shell patterns, the first one that fits counts
  std::optional<QuarkLayerQuantizers> linear;                         // by type

  const QuarkLayerQuantizers& Of(const std::string& layer) const;
};

// Errors: not JSON, no quantization_config of Quark, members of other types; refused by name: fake_quantized, more than
// two levels.
Result<QuarkConfig> ReadQuarkConfig(const std::string& path);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_QUARK_CONFIG_H_
