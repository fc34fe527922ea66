// lanequant quantize, quantizers other than affine ones: float formats, block formats, LPBQ.
#ifndef LANEQUANT_RUNTIME_CLI_OTHER_QUANTIZERS_H_
#define LANEQUANT_RUNTIME_CLI_OTHER_QUANTIZERS_H_

#include <optional>
#include <string>
#include <vector>

#include "lanequant/quantize.h"
#include "runtime/cli/quantizer_options.h"
#include "runtime/io/npz.h"

namespace CLI {
class App;
}  // namespace CLI

namespace lq::cli {

enum class Operation { kQuantize, kDequantize, kBoth };

struct QuantizeJob {
  Operation operation;
  const NamedArray& in;
  std::optional<DType> dtype;  // of the result
  const QuantizerOptions& affine;
  const BulkOptions& bulk;
};

struct FloatOptions {
  std::string format;  // "": not asked for
  bool overflows = false;

  void AddTo(CLI::App& command);
  Result<std::vector<NamedArray>> Apply(const QuantizeJob& job) const;
};

struct BlockOptions {
  std::string format;  // "": not asked for
  std::string element = "e2m1", exponent = "floor", ties = "even";
  int bit_width = 16;
  int64_t block_size = 0;  // 0: the format's own

  void AddTo(CLI::App& command);
  Result<std::vector<NamedArray>> Apply(const QuantizeJob& job) const;
};

struct LpbqOptions {
  bool chosen = false;
  int decompressed_bitwidth = 8;
  std::vector<int64_t> block_grouping;
  std::string int_scale, channel_scale;  // FILE.npz[:key]

  void AddTo(CLI::App& command);
  Result<std::vector<NamedArray>> Apply(const QuantizeJob& job) const;
};

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_OTHER_QUANTIZERS_H_
