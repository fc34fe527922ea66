// IndexedStep: what the steps share that copy slices of a table of their own, chosen by the numbers of an activation.
#ifndef LANEQUANT_RUNTIME_PLAN_INDEXED_STEP_H_
#define LANEQUANT_RUNTIME_PLAN_INDEXED_STEP_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "runtime/plan/step.h"
#include "runtime/plan/value_codec.h"

namespace lq {

class IndexedStep : public Step {
 public:
  // `indices`: the encoding of the activation, if it has one. `dtype`: of the slices' elements.
  IndexedStep(const std::optional<PerTensor>& indices, DType dtype, const PrepareOptions& options)
      : decoder_(indices, options), dtype_(dtype) {}

  size_t ScratchBytes(std::span<const Shape> in, size_t workers) const final;
  Status Run(const StepRun& run) const final;

 private:
  // How many slices the table has.
  virtual size_t length() const = 0;
  // The error of a number that is none of them.
  virtual Status Outside(double number) const = 0;
  // The slices of these indices, each below length(), to the output in ONNX's order.
  virtual void Copy(std::span<const uint64_t> indices, Executor& executor, std::byte* out) const = 0;

  ValueDecoder decoder_;
  DType dtype_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_PLAN_INDEXED_STEP_H_
