// Functions of one coded tensor: requantization, Relu, Clip, an unfolded batch normalization of codes.
#include "runtime/plan/steps.h"
#include "runtime/run_tasks.h"
#include "runtime/variants.h"

namespace lq {
namespace {

constexpr size_t kTableSize = 256;
constexpr size_t kCodesPerTask = 1 << 17;  // codes that are worth a task

class LookupStep final : public Step {
 public:
  LookupStep(std::vector<uint8_t> tables, const PrepareOptions& options)
      : tables_(std::move(tables)), kernel_(Choose(kernels::LookupVariants(), options.max_isa)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override { return in[0]; }

  Status Run(const StepRun& run) const override {
    const auto* in = run.in[0].data<uint8_t>();
    auto* out = run.out.data<uint8_t>();
    const auto n = static_cast<size_t>(run.out.shape.NumElements());
    const size_t channels = tables_.size() / kTableSize;
    RunRanges(run.executor, n, kCodesPerTask, [&](Range r) {
      if (channels == 1) {
        kernel_.run({in + r.begin, r.end - r.begin, tables_.data(), out + r.begin});
        return;
      }
      for (size_t i = r.begin; i < r.end; ++i) out[i] = tables_[i % channels * kTableSize + in[i]];
    });
    return OkStatus();
  }

  LayerInfo info() const override {
    if (tables_.size() > kTableSize) return {"table per channel", "", "", tables_.size()};
    return {"lookup/" + kernel_.name, kernel_.why_not_better, "", tables_.size()};
  }
  bool KeepsImagesApart() const override { return true; }

 private:
  std::vector<uint8_t> tables_;
  Chosen<kernels::LookupFn> kernel_;
};

class WideLookupStep final : public Step {
 public:
  explicit WideLookupStep(std::vector<uint16_t> table) : table_(std::move(table)) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override { return in[0]; }

  Status Run(const StepRun& run) const override {
    if (run.in[0].dtype == DType::kU8) {
      LookUp<uint8_t, uint16_t>(run);
    } else if (run.out.dtype == DType::kU8) {
      LookUp<uint16_t, uint8_t>(run);
    } else {
      LookUp<uint16_t, uint16_t>(run);
    }
    return OkStatus();
  }

  LayerInfo info() const override { return {"table of 16 bits", "", "", table_.size() * sizeof(uint16_t)}; }
  bool KeepsImagesApart() const override { return true; }

 private:
  template <class In, class Out>
  void LookUp(const StepRun& run) const {
    const In* in = run.in[0].data<In>();
    Out* out = run.out.data<Out>();
    RunRanges(run.executor, static_cast<size_t>(run.out.shape.NumElements()), kCodesPerTask / 4, [&](Range r) {
      for (size_t i = r.begin; i < r.end; ++i) out[i] = static_cast<Out>(table_[in[i]]);
    });
  }

  std::vector<uint16_t> table_;
};

}  // namespace

std::unique_ptr<Step> MakeWideLookupStep(std::vector<uint16_t> table) {
  return std::make_unique<WideLookupStep>(std::move(table));
}

std::unique_ptr<Step> MakeLookupStep(std::vector<uint8_t> tables, const PrepareOptions& options) {
  return std::make_unique<LookupStep>(std::move(tables), options);
}

}  // namespace lq
