// Matmul: the product of two activations that both have codes (ONNX MatMul, attention's Q * K^T and P * V).
#ifndef LANEQUANT_MATMUL_H_
#define LANEQUANT_MATMUL_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "lanequant/encoding.h"
#include "lanequant/executor.h"
#include "lanequant/export.h"
#include "lanequant/layer.h"
#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq {

struct MatmulSpec {
  std::string name;                 // for messages
  PerTensor a, b;                   // 2..16 bits each, any offsets
  bool b_is_transposed = false;     // b is [batch][n][k], else [batch][k][n]
  std::optional<PerTensor> output;  // 2..16 bits; absent: the output is real
};

// For each matrix of the batch, exactly (exact_simulator.md 4):
//   acc = sum over k of (q_a + o_a) * (q_b + o_b);  y = double(acc) * (s_a * s_b);  then quantize
// Prepared once, run with any sizes. Run is const, allocates nothing and may be called from any number of threads at
// once, each with its own workspace.
class LQ_EXPORT Matmul {
 public:
  // Where b has at most 8 bits, k is at most 65793 (255 * 128 * k < 2^31); else k * (2^31 + 2^15 * |o_a| + |o_b + 2^15|
  // * (2^16 + |o_a|)) < 2^53, which k = 2^19 keeps for offsets of 16-bit grids.
  static constexpr size_t kMaxK8 = 65793;

  // Errors: encodings that ValidateEncoding refuses.
  static Result<Matmul> Prepare(const MatmulSpec& spec, const PrepareOptions& options = {});
  Matmul(Matmul&&) noexcept;
  Matmul& operator=(Matmul&&) noexcept;
  ~Matmul();

  // The largest k that Run takes.
  size_t LargestK() const;

  struct Sizes {
    size_t batch, m, n, k;
  };
  // Bytes that Run needs on an executor of `workers` workers.
  size_t WorkspaceBytes(const Sizes& sizes, size_t workers) const;

  // a: [batch][m][k], b: as MatmulSpec says, codes as the grids say: u8 or s8, above 8 bits u16 or s16. out:
  // [batch][m][n], codes of the output encoding (likewise), or without one f16, bf16, f32 or f64 as Linear has them, or
  // s32: acc, where it cannot leave 32 bits. Errors: shapes, types, k beyond the limit, workspace too small.
  Status Run(ConstTensorView a, ConstTensorView b, TensorView out, std::span<std::byte> workspace,
             Executor& executor) const;

  const LayerInfo& info() const;

 private:
  struct Impl;
  explicit Matmul(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq

#endif  // LANEQUANT_MATMUL_H_
