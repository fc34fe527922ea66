// LinearCase: a Linear layer of random weights to be timed: its sizes, how it is quantized, and its operands.
#ifndef LANEQUANT_RUNTIME_MEASURE_LINEAR_CASE_H_
#define LANEQUANT_RUNTIME_MEASURE_LINEAR_CASE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lanequant/linear.h"
#include "lanequant/status.h"
#include "runtime/aligned_buffer.h"

namespace lq::measure {

// "a8w8": 8-bit weights per channel; "a16w4-lpbq64": 4-bit LPBQ weights of block 64. Activations are unsigned, in and
// out.
struct Precision {
  int activation_bits = 8;  // 8 or 16
  int64_t block = 0;        // of LPBQ; 0: 8-bit weights

  std::string ToString() const;
};
// Errors: any other text, with the forms that exist.
Result<Precision> ParsePrecision(const std::string& text);

struct LinearCase {
  size_t m = 1, n = 4096, k = 4096;
  Precision precision;

  // Multiplications and additions of 8-bit numbers; a 16-bit one is two of them.
  double Operations() const;
};

// Prepared layers with operands for their runs. The weights of several layers stand for those of a network: between two
// runs of one layer everything else passes through the caches.
class LinearRing {
 public:
  // As many layers as fill `weight_bytes`, at least one. Errors: those of Linear::Prepare, too little memory.
  static Result<LinearRing> Make(const LinearCase& layer, size_t weight_bytes, size_t workers,
                                 const PrepareOptions& options);

  // The next layer, once.
  void Run(Executor& executor);

  const LayerInfo& info() const { return layers_.front().info(); }
  // What one run has to move: packed weights, activations in and out.
  double BytesPerRun() const;

 private:
  LinearRing() = default;

  Shape in_shape_, out_shape_;
  DType type_ = DType::kU8;
  std::vector<Linear> layers_;
  AlignedBuffer in_, out_, workspace_;
  size_t next_ = 0;
};

}  // namespace lq::measure

#endif  // LANEQUANT_RUNTIME_MEASURE_LINEAR_CASE_H_
