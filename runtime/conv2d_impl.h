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
#include "runtime/gemm.h"
#include "runtime/partition.h"

namespace lq {

struct Conv2d::Impl {
  std::string name;
  size_t in_channels = 0, out_channels = 0, groups = 1;
  std::array<size_t, 2> kernel{}, stride{}, dilation{};
  std::array<size_t, 4> padding{};
  PerTensor input;
  std::optional<PerTensor> output;
  uint16_t zero_code = 0;
  std::variant<Gemm, DepthwiseLayer> engine;

  size_t WorkspaceBytes(const Shape& in, const Shape& out, size_t workers) const;
  // Views are checked, the output is not empty.
  void Run(const ConstTensorView& in, const TensorView& out, kernels::OutputType type, std::byte* workspace,
           Executor& executor) const;

 private:
  struct Image;  // one call's pointers and sizes
  kernels::Window MakeWindow(const Shape& in, const Shape& out) const;
  // A 1x1 filter without stride or padding reads the image as it is, if the last quad of each row of u8 codes is whole.
  bool ReadsImage() const;
  size_t PatchStride(const Gemm& gemm) const;  // bytes
  size_t CodeBytes() const;                    // of the input
  Partition Cut(const Gemm& gemm, const Shape& out, size_t workers) const;
  size_t WorkerBytes(const Gemm& gemm, const Partition& cut) const;
  void RunGemm(const Gemm& gemm, const Image& image, std::byte* scratch, Executor& executor) const;
  void RunDepthwise(const DepthwiseLayer& layer, const Image& image, Executor& executor) const;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_CONV2D_IMPL_H_
