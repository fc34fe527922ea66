#include "kernels/matmul_amx_model.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul_amx_model.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/amx_model.h"
#include "kernels/matmul_amx-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lq::kernels {
namespace HWY_NAMESPACE {

void MatmulU8S4(const MatmulArgs& args);
void MatmulU16S4(const MatmulArgs& args);

void MatmulU8S8AmxModel(const MatmulArgs& args) { amx_panels::MultiplyS8<AmxModel, 1>(args); }

void MatmulU8S4AmxModel(const MatmulArgs& args) {
  if (!amx_panels::MultiplyS4<AmxModel, 1>(args)) MatmulU8S4(args);
}

void MatmulU16S8AmxModel(const MatmulArgs& args) { amx_panels::MultiplyS8<AmxModel, 2>(args); }

void MatmulU16S4AmxModel(const MatmulArgs& args) {
  if (!amx_panels::MultiplyS4<AmxModel, 2>(args)) MatmulU16S4(args);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace lq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/runnable.h"

namespace lq::kernels {

std::span<const Variant<MatmulFn>> MatmulU8S8AmxModels() {
  static const std::vector<Variant<MatmulFn>> variants = Runnable<MatmulFn>(LQ_VARIANTS(MatmulU8S8AmxModel));
  return variants;
}

std::span<const Variant<MatmulFn>> MatmulU8S4AmxModels() {
  static const std::vector<Variant<MatmulFn>> variants = Runnable<MatmulFn>(LQ_VARIANTS(MatmulU8S4AmxModel));
  return variants;
}

std::span<const Variant<MatmulFn>> MatmulU16S8AmxModels() {
  static const std::vector<Variant<MatmulFn>> variants = Runnable<MatmulFn>(LQ_VARIANTS(MatmulU16S8AmxModel));
  return variants;
}

std::span<const Variant<MatmulFn>> MatmulU16S4AmxModels() {
  static const std::vector<Variant<MatmulFn>> variants = Runnable<MatmulFn>(LQ_VARIANTS(MatmulU16S4AmxModel));
  return variants;
}

}  // namespace lq::kernels
#endif  // HWY_ONCE
