#include "runtime/plan/indexed_step.h"

#include <cmath>

#include "runtime/plan/pieces.h"

namespace lq {

size_t IndexedStep::ScratchBytes(std::span<const Shape> in, size_t) const {
  Pieces pieces(nullptr);
  const auto count = static_cast<size_t>(in[0].NumElements());
  pieces.Take(count * sizeof(double));
  pieces.Take(count * sizeof(double));
  const Result<Shape> out = OutputShape(in);
  pieces.Take(out.ok() && IsTurned(*out) ? static_cast<size_t>(out->NumElements()) * SizeOf(dtype_) : 0);
  return pieces.used();
}

Status IndexedStep::Run(const StepRun& run) const {
  const ConstTensorView& in = run.in[0];
  const auto count = static_cast<size_t>(in.shape.NumElements());
  Pieces pieces(run.scratch.data());
  std::byte *ordered = pieces.Take(count * sizeof(double)), *decoded = pieces.Take(count * sizeof(double));
  ToOnnxOrder(in.bytes.data(), in.shape, SizeOf(in.dtype), ordered);
  decoder_.Decode(ordered, in.dtype, count, ValueKind::kReal, decoded);
  const auto* numbers = reinterpret_cast<const double*>(decoded);
  auto* indices = reinterpret_cast<uint64_t*>(ordered);
  const auto size = static_cast<double>(length());
  for (size_t i = 0; i < count; ++i) {
    const double whole = std::trunc(numbers[i]), index = whole < 0 ? whole + size : whole;  // negative: from the end
    if (!(index >= 0 && index < size)) return Outside(numbers[i]);
    indices[i] = static_cast<uint64_t>(index);
  }
  const bool turned = IsTurned(run.out.shape);
  std::byte* out = turned ? pieces.Take(run.out.bytes.size()) : run.out.bytes.data();
  Copy({indices, count}, run.executor, out);
  if (turned) FromOnnxOrder(out, run.out.shape, SizeOf(dtype_), run.out.bytes.data());
  return OkStatus();
}

}  // namespace lq
