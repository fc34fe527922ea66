// QuarkModel::Impl: a folder's tensors by name, and how each layer lies in them.
#ifndef LANEQUANT_RUNTIME_QUARK_IMPL_H_
#define LANEQUANT_RUNTIME_QUARK_IMPL_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lanequant/quark.h"
#include "runtime/io/quark_codes.h"
#include "runtime/io/quark_config.h"
#include "runtime/io/safetensors.h"

namespace lq {

struct QuarkStored {
  const Safetensors* file = nullptr;
  const SafetensorsTensor* tensor = nullptr;
};

// How the weight of a layer is stored.
struct QuarkLayout {
  const QuarkFormat* format = nullptr;
  bool is_transposed = false;             // [in][out]: integers in groups
  bool is_plain = false;                  // bfloat16, float16: values, whose scale means nothing
  std::string weight, scale, zero_point;  // tensors
  std::string outer;                      // of two levels: the tensor with the one scale more
  QuarkLayerQuantizers quantizers;

  // Whole words or bytes hold so many codes.
  size_t Padded(size_t count) const { return (count + format->elements - 1) / format->elements * format->elements; }
};

struct QuarkModel::Impl {
  QuarkConfig config;
  std::vector<Safetensors> files;
  std::map<std::string, QuarkStored> tensors;
  std::vector<QuarkLayer> layers;
  std::vector<QuarkLayout> layouts;

  Status Open(const std::string& folder);
  Status AddLayer(const std::string& name);
  void NameTensors(const std::string& name, QuarkLayout& layout) const;
  Result<QuarkLayout> LayoutOf(const std::string& name) const;

  QuarkStored Find(const std::string& name) const {
    const auto at = tensors.find(name);
    return at == tensors.end() ? QuarkStored{} : at->second;
  }
  // Integers, or nothing where the tensor is absent.
  Result<std::vector<int32_t>> Integers(const std::string& name, const QuarkFormat& packing) const;
  // Errors: absent, no floats.
  Result<std::vector<float>> Floats(const std::string& name) const;
  Result<float> Outer(const QuarkLayout& layout) const;
  Result<std::vector<int32_t>> ZeroPoints(const QuarkLayout& layout, size_t out, size_t groups) const;
  Result<std::vector<float>> BlockScales(const QuarkLayout& layout) const;
  Result<std::optional<PerTensor>> Activation(const std::string& name, const char* side,
                                              const std::optional<QuarkQuantizer>& quantizer) const;
  Status LoadIntegers(const QuarkLayer& layer, const QuarkLayout& layout, QuarkLinear& out) const;
  Status LoadBlocks(const QuarkLayer& layer, const QuarkLayout& layout, QuarkLinear& out) const;
  Status LoadFloats(const QuarkLayer& layer, const QuarkLayout& layout, QuarkLinear& out) const;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_QUARK_IMPL_H_
