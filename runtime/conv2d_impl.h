// The run path of Conv2d: which window each output pixel sees, and how pixels become tasks.
#ifndef LANEQUANT_RUNTIME_CONV2D_IMPL_H_
#define LANEQUANT_RUNTIME_CONV2D_IMPL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "kernels/contracts.h"
#include "lanequant/conv2d.h"
#include "runtime/depthwise_layer.h"
#include "runtime/float_depthwise.h"
#include "runtime/float_gemm.h"
#include "runtime/gemm.h"
#include "runtime/image_lines.h"
#include "runtime/partition.h"
#include "runtime/patches.h"

namespace lq {

struct Conv2d::Impl {
  std::string name;
  size_t in_channels = 0, out_channels = 0, groups = 1;
  std::array<size_t, 2> kernel{}, stride{}, dilation{};
  std::array<size_t, 4> padding{};
  size_t zero_columns = 0;         // of the filter and of the padding, which they make wider than they were given
  std::optional<PerTensor> input;  // absent: floats
  std::optional<PerTensor> output;
  uint16_t zero_code = 0;
  std::variant<Gemm, DepthwiseLayer, FloatGemm, FloatDepthwise> engine;

  // Choose the engine; the sizes are there.
  Status PrepareCodes(const Conv2dSpec& spec, const PrepareOptions& options);
  Status PrepareFloats(const Conv2dSpec& spec, const PrepareOptions& options);
  size_t WorkspaceBytes(const Shape& in, const Shape& out, size_t workers) const;
  // Views are checked, the output is not empty.
  void Run(const ConstTensorView& in, const TensorView& out, kernels::OutputType type, std::byte* workspace,
           Executor& executor) const;

 private:
  struct Image;  // one call's pointers and sizes
  kernels::Window MakeWindow(const Shape& in, const Shape& out) const;
  // A 1x1 filter without stride or padding reads the image as it is, if the last quad of each row of u8 codes is whole.
  bool ReadsImage() const;
  size_t ElementBytes() const;  // of the input
  void GatherRows(const PatchSpec& spec, const std::byte* in, Range rows, std::byte* out) const;
  // AnyGemm: Gemm or FloatGemm; Depthwise: DepthwiseLayer or FloatDepthwise.
  template <class AnyGemm>
  size_t PatchStride(const AnyGemm& gemm) const;  // bytes
  template <class AnyGemm>
  Partition Cut(const AnyGemm& gemm, const Shape& out, size_t workers) const;
  template <class AnyGemm>
  size_t WorkerBytes(const AnyGemm& gemm, const Partition& cut) const;
  template <class AnyGemm>
  size_t GemmBytes(const AnyGemm& gemm, const Shape& out, size_t workers) const;
  template <class AnyGemm>
  void RunGemm(const AnyGemm& gemm, const Image& image, std::byte* scratch, Executor& executor) const;
  // The same where the kernel reads patches in the image, line by line: null if it does not.
  const Gemm* LineGemm(const kernels::Window& window) const;
  Partition CutLines(const Gemm& gemm, const ImageLines& lines, const Shape& out, size_t workers) const;
  size_t LineWorkerBytes(const Gemm& gemm, const ImageLines& lines, const Partition& cut, size_t width) const;
  void RunLines(const Gemm& gemm, const Image& image, std::byte* scratch, Executor& executor) const;
  template <class Depthwise>
  void RunDepthwise(const Depthwise& layer, const Image& image, Executor& executor) const;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_CONV2D_IMPL_H_
