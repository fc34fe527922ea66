#include "lanequant/quark.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "runtime/io/memory_budget.h"
#include "runtime/io/quark_codes.h"
#include "runtime/io/quark_config.h"
#include "runtime/io/safetensors.h"
#include "runtime/status_macros.h"
#include "runtime/transpose.h"

namespace lq {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kScale = ".weight_scale";

// What an element takes in memory at most: a code, the same in another order, a value; or two bytes and two floats.
constexpr uint64_t kBytesPerElement = 12;

struct Stored {
  const Safetensors* file = nullptr;
  const SafetensorsTensor* tensor = nullptr;
};

Result<std::vector<std::string>> FilesOf(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() == ".safetensors") paths.push_back(entry->path().string());
  }
  if (error) return NotFound(fmt::format("{}: {}", folder, error.message()));
  if (paths.empty()) return NotFound(fmt::format("{}: no file *.safetensors", folder));
  std::sort(paths.begin(), paths.end());
  return paths;
}

// How the weight of a layer is stored.
struct StoredWeight {
  const QuarkFormat* format = nullptr;
  bool is_transposed = false;  // [in][out]: integers in groups
  bool is_plain = false;       // bfloat16, float16: values, whose scale means nothing
  QuarkLayerQuantizers quantizers;
};

}  // namespace

struct QuarkModel::Impl {
  QuarkConfig config;
  std::vector<Safetensors> files;
  std::map<std::string, Stored> tensors;
  std::vector<QuarkLayer> layers;
  std::vector<StoredWeight> layouts;

  Status Open(const std::string& folder);
  Status AddLayer(const std::string& name);
  Result<StoredWeight> LayoutOf(const std::string& name) const;

  Stored Find(const std::string& name) const {
    const auto at = tensors.find(name);
    return at == tensors.end() ? Stored{} : at->second;
  }
  // Integers, or nothing where the tensor is absent.
  Result<std::vector<int32_t>> Integers(const std::string& name, const QuarkFormat& packing) const;
  // Errors: absent, no floats.
  Result<std::vector<float>> Floats(const std::string& name) const;
  Result<std::vector<int32_t>> ZeroPoints(const std::string& name, const StoredWeight& layout, size_t scales,
                                          size_t groups) const;
  Result<std::optional<PerTensor>> Activation(const std::string& name, const char* side,
                                              const std::optional<QuarkQuantizer>& quantizer) const;
  Status LoadIntegers(const QuarkLayer& layer, const StoredWeight& layout, QuarkLinear& out) const;
  Status LoadBlocks(const QuarkLayer& layer, const StoredWeight& layout, QuarkLinear& out) const;
  Status LoadFloats(const QuarkLayer& layer, const StoredWeight& layout, QuarkLinear& out) const;
};

Status QuarkModel::Impl::Open(const std::string& folder) {
  LQ_ASSIGN_OR_RETURN(config, ReadQuarkConfig((fs::path(folder) / "config.json").string()));
  LQ_ASSIGN_OR_RETURN(const std::vector<std::string> paths, FilesOf(folder));
  files.reserve(paths.size());  // `tensors` points into them
  std::vector<std::string> found;
  for (const std::string& path : paths) {
    LQ_ASSIGN_OR_RETURN(Safetensors file, Safetensors::Open(path));
    files.push_back(std::move(file));
    for (const SafetensorsTensor& tensor : files.back().tensors()) {
      if (!tensors.emplace(tensor.name, Stored{&files.back(), &tensor}).second) {
        return InvalidArgument(fmt::format("{}: tensor '{}' is in another file too", path, tensor.name));
      }
      if (tensor.name.ends_with(".weight") && tensor.name.size() > 7) {
        found.push_back(tensor.name.substr(0, tensor.name.size() - 7));
      }
    }
  }
  for (const std::string& name : found) {
    if (Find(name + std::string(kScale)).file == nullptr) continue;
    const Status status = AddLayer(name);
    if (!status.ok()) return Status(status.code(), fmt::format("{}: layer '{}': {}", folder, name, status.message()));
  }
  return OkStatus();
}

Result<StoredWeight> QuarkModel::Impl::LayoutOf(const std::string& name) const {
  StoredWeight layout;
  layout.quantizers = config.Of(name);
  const std::string& type = Find(name + ".weight").tensor->type;
  if (config.is_fp8) {
    const std::string dtype = type == "F8_E5M2" ? "fp8_e5m2" : "fp8_e4m3";
    layout.quantizers.weight = QuarkQuantizer{dtype, "per_tensor"};
    if (Find(name + ".input_scale").file != nullptr) layout.quantizers.input = layout.quantizers.weight;
  }
  const std::optional<QuarkQuantizer>& weight = layout.quantizers.weight;
  if (!weight) return InvalidArgument("it has a weight_scale, but config.json has no quantizer for its weight");
  if (weight->levels > 1 || Find(name + ".weight_scale_2").file != nullptr) {
    return Unsupported(fmt::format("{} levels of scales; supported: 1", std::max(weight->levels, 2)));
  }
  if (layout.quantizers.bias || Find(name + ".bias_scale").file != nullptr) {
    return Unsupported("a quantized bias; supported: float");
  }
  layout.format = FindQuarkFormat(weight->dtype);
  if (layout.format == nullptr) {
    return Unsupported(
        fmt::format("weights of '{}'; supported: int2, int4, uint4, int8, uint8, fp4, fp6_e2m3, fp6_e3m2, fp8_e4m3, "
                    "fp8_e5m2, bfloat16, float16",
                    weight->dtype));
  }
  layout.is_plain = layout.format->type.empty();
  layout.is_transposed = !layout.format->is_float() && weight->scheme == "per_group";
  if (!layout.is_plain && type != layout.format->type) {
    return InvalidArgument(
        fmt::format("its weight is {}, but {} is stored as {}", type, weight->dtype, layout.format->type));
  }
  return layout;
}

Status QuarkModel::Impl::AddLayer(const std::string& name) {
  LQ_ASSIGN_OR_RETURN(StoredWeight layout, LayoutOf(name));
  const SafetensorsTensor& weight = *Find(name + ".weight").tensor;
  if (weight.shape.rank() != 2) {
    return Unsupported(fmt::format("a weight of shape {}; supported: Linear layers", weight.shape.ToString()));
  }
  const size_t width = layout.format->type == "I32" ? 4 : 1;
  const auto rows = static_cast<size_t>(weight.shape[0]), stored = static_cast<size_t>(weight.shape[1]);
  const size_t columns = layout.is_plain ? stored : stored * width / layout.format->bytes * layout.format->elements;
  if (rows == 0 || columns == 0 || (!layout.is_plain && stored * width % layout.format->bytes != 0)) {
    return InvalidArgument(fmt::format("a weight of shape {} is no {}", weight.shape.ToString(), layout.format->name));
  }
  const auto describe = [](const std::optional<QuarkQuantizer>& quantizer) {
    return quantizer ? quantizer->Describe() : std::string();
  };
  layers.push_back({name, layout.is_transposed ? rows : columns, layout.is_transposed ? columns : rows,
                    describe(layout.quantizers.weight), describe(layout.quantizers.input),
                    describe(layout.quantizers.output)});
  layouts.push_back(std::move(layout));
  return OkStatus();
}

Result<std::vector<float>> QuarkModel::Impl::Floats(const std::string& name) const {
  const Stored stored = Find(name);
  if (stored.file == nullptr) return NotFound(fmt::format("no tensor '{}'", name));
  LQ_RETURN_IF_ERROR(MemoryBudget().Take(name, stored.tensor->bytes / 2 * kBytesPerElement));
  LQ_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, stored.file->Read(*stored.tensor));
  std::vector<float> values = WidenQuark(stored.tensor->type, bytes);
  if (values.empty() && !bytes.empty()) {
    return Unsupported(fmt::format("'{}' is {}; supported: F32, F16, BF16", name, stored.tensor->type));
  }
  return values;
}

Result<std::vector<int32_t>> QuarkModel::Impl::Integers(const std::string& name, const QuarkFormat& packing) const {
  const Stored stored = Find(name);
  if (stored.file == nullptr) return std::vector<int32_t>();
  if (stored.tensor->type != packing.type) {
    return InvalidArgument(fmt::format("'{}' is {}, not {}", name, stored.tensor->type, packing.type));
  }
  const uint64_t elements = stored.tensor->bytes / packing.bytes * packing.elements;
  LQ_RETURN_IF_ERROR(MemoryBudget().Take(name, elements * kBytesPerElement));
  LQ_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, stored.file->Read(*stored.tensor));
  std::vector<int32_t> codes = UnpackQuark(packing, bytes, config.reorders);
  const auto [low, high] = std::minmax_element(codes.begin(), codes.end());
  if (!packing.is_float() && !codes.empty() && (*low < packing.grid.qmin() || *high > packing.grid.qmax())) {
    return InvalidArgument(
        fmt::format("'{}' has codes from {} to {}, which are no {}", name, *low, *high, packing.name));
  }
  return codes;
}

// Of [groups][out] or of one for each output; absent: zeros. Packed as the weight.
Result<std::vector<int32_t>> QuarkModel::Impl::ZeroPoints(const std::string& name, const StoredWeight& layout,
                                                          size_t scales, size_t groups) const {
  LQ_ASSIGN_OR_RETURN(std::vector<int32_t> zeros, Integers(name, *layout.format));
  if (zeros.empty()) zeros.assign(scales, 0);
  if (zeros.size() != scales) {
    return InvalidArgument(fmt::format("'{}' has {} zero points for {} scales", name, zeros.size(), scales));
  }
  return groups > 0 ? Transposed(zeros, groups, scales / groups) : zeros;
}

Status QuarkModel::Impl::LoadIntegers(const QuarkLayer& layer, const StoredWeight& layout, QuarkLinear& out) const {
  const size_t n = layer.out_features, k = layer.in_features;
  LQ_ASSIGN_OR_RETURN(std::vector<int32_t> codes, Integers(layer.name + ".weight", *layout.format));
  LQ_ASSIGN_OR_RETURN(std::vector<float> scales, Floats(layer.name + std::string(kScale)));
  const size_t groups = layout.is_transposed ? scales.size() / n : 1;
  const bool per_tensor = !layout.is_transposed && scales.size() == 1;
  const QuarkQuantizer& quantizer = *layout.quantizers.weight;
  const int64_t size = groups == 0 ? 0 : static_cast<int64_t>(k / groups);
  if ((!per_tensor && scales.size() != groups * n) || groups == 0 || k % groups != 0 ||
      (layout.is_transposed && quantizer.group_size > 0 && quantizer.group_size != size)) {
    return InvalidArgument(fmt::format("'{}{}' has {} scales for {} x {} features, {}", layer.name, kScale,
                                       scales.size(), n, k, quantizer.Describe()));
  }
  LQ_ASSIGN_OR_RETURN(std::vector<int32_t> zeros, ZeroPoints(layer.name + ".weight_zero_point", layout, scales.size(),
                                                             layout.is_transposed ? groups : 0));
  if (layout.is_transposed) {
    codes = Transposed(codes, k, n);
    scales = Transposed(scales, groups, n);
  }
  out.weight.resize(n * k);
  for (size_t i = 0; i < n * k; ++i) {
    const size_t at = per_tensor ? 0 : i / k * groups + i % k / static_cast<size_t>(size);
    out.weight[i] = static_cast<float>(codes[i] - zeros[at]) * scales[at];
  }
  for (int32_t& zero : zeros) zero = -zero;  // now offsets
  const Grid grid = layout.format->grid;
  if (per_tensor) {
    out.weight_encoding = PerTensor{grid, scales[0], zeros[0]};
  } else if (layout.is_transposed) {
    out.weight_encoding = PerBlock{grid, 0, 1, size, std::move(scales), std::move(zeros)};
  } else {
    out.weight_encoding = PerChannel{grid, 0, std::move(scales), std::move(zeros)};
  }
  return OkStatus();
}

// fp4 and fp6: a power of two for each block of a row.
Status QuarkModel::Impl::LoadBlocks(const QuarkLayer& layer, const StoredWeight& layout, QuarkLinear& out) const {
  const size_t n = layer.out_features, k = layer.in_features;
  const QuarkFormat& format = *layout.format;
  constexpr QuarkFormat kBytes{"", "U8", 1, 1, {8, false}};
  LQ_ASSIGN_OR_RETURN(const std::vector<int32_t> codes, Integers(layer.name + ".weight", format));
  LQ_ASSIGN_OR_RETURN(const std::vector<int32_t> powers, Integers(layer.name + std::string(kScale), kBytes));
  const size_t blocks = powers.size() / n;
  if (blocks == 0 || powers.size() % n != 0 || k % blocks != 0) {
    return InvalidArgument(
        fmt::format("'{}{}' has {} scales for {} x {} features", layer.name, kScale, powers.size(), n, k));
  }
  if (const auto bad = std::find(powers.begin(), powers.end(), 255); bad != powers.end()) {
    return InvalidArgument(fmt::format("'{}{}': scale {} is NaN", layer.name, kScale, bad - powers.begin()));
  }
  const size_t size = k / blocks;
  out.weight.resize(n * k);
  for (size_t i = 0; i < n * k; ++i) {
    out.weight[i] = QuarkFloat(format, codes[i]) * std::ldexp(1.0f, powers[i / size] - 127);
  }
  if (format.grid.bitwidth == 0) return OkStatus();
  PerBlock encoding{format.grid, 0, 1, static_cast<int64_t>(size), {}, std::vector<int32_t>(powers.size(), 0)};
  for (int32_t power : powers) encoding.scale.push_back(std::ldexp(1.0f, power - 127 - format.shift));
  out.weight_encoding = std::move(encoding);
  return OkStatus();
}

// fp8 with one scale or one for each output; bfloat16 and float16.
Status QuarkModel::Impl::LoadFloats(const QuarkLayer& layer, const StoredWeight& layout, QuarkLinear& out) const {
  if (layout.is_plain) {
    LQ_ASSIGN_OR_RETURN(out.weight, Floats(layer.name + ".weight"));
    return OkStatus();
  }
  LQ_ASSIGN_OR_RETURN(const std::vector<int32_t> codes, Integers(layer.name + ".weight", *layout.format));
  LQ_ASSIGN_OR_RETURN(const std::vector<float> scales, Floats(layer.name + std::string(kScale)));
  if (scales.size() != 1 && scales.size() != layer.out_features) {
    return Unsupported(fmt::format("'{}{}' has {} scales; supported: 1, or one for each of {} outputs", layer.name,
                                   kScale, scales.size(), layer.out_features));
  }
  out.weight.resize(codes.size());
  for (size_t i = 0; i < codes.size(); ++i) {
    out.weight[i] = QuarkFloat(*layout.format, codes[i]) * scales[scales.size() == 1 ? 0 : i / layer.in_features];
  }
  return OkStatus();
}

Result<std::optional<PerTensor>> QuarkModel::Impl::Activation(const std::string& name, const char* side,
                                                              const std::optional<QuarkQuantizer>& quantizer) const {
  const bool is_integer = quantizer && (quantizer->dtype == "int8" || quantizer->dtype == "uint8");
  if (!is_integer || quantizer->scheme != "per_tensor" || quantizer->is_dynamic) return std::optional<PerTensor>();
  LQ_ASSIGN_OR_RETURN(const std::vector<float> scale, Floats(fmt::format("{}.{}_scale", name, side)));
  const QuarkFormat& format = *FindQuarkFormat(quantizer->dtype);
  const std::string zero_name = fmt::format("{}.{}_zero_point", name, side);
  LQ_ASSIGN_OR_RETURN(const std::vector<int32_t> zero, Integers(zero_name, format));
  if (scale.size() != 1 || zero.size() > 1) {
    return InvalidArgument(
        fmt::format("'{}' has {} zero points for {} scales; one each is read", zero_name, zero.size(), scale.size()));
  }
  const PerTensor encoding{format.grid, scale[0], zero.empty() ? 0 : -zero[0]};
  LQ_RETURN_IF_ERROR(ValidateEncoding(fmt::format("{}.{}", name, side), encoding, Shape{1}));
  return std::optional<PerTensor>(encoding);
}

QuarkModel::QuarkModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
QuarkModel::QuarkModel(QuarkModel&&) noexcept = default;
QuarkModel& QuarkModel::operator=(QuarkModel&&) noexcept = default;
QuarkModel::~QuarkModel() = default;

Result<QuarkModel> QuarkModel::Open(const std::string& folder) {
  auto impl = std::make_unique<Impl>();
  LQ_RETURN_IF_ERROR(impl->Open(folder));
  return QuarkModel(std::move(impl));
}

const std::vector<QuarkLayer>& QuarkModel::layers() const { return impl_->layers; }

Result<QuarkLinear> QuarkModel::Load(size_t index) const {
  if (index >= impl_->layers.size()) {
    return InvalidArgument(fmt::format("layer {} of {}", index, impl_->layers.size()));
  }
  const QuarkLayer& layer = impl_->layers[index];
  const StoredWeight& layout = impl_->layouts[index];
  QuarkLinear out;
  if (layout.format->type == "U8" && layout.format->is_float()) {
    LQ_RETURN_IF_ERROR(impl_->LoadBlocks(layer, layout, out));
  } else if (layout.format->is_float()) {
    LQ_RETURN_IF_ERROR(impl_->LoadFloats(layer, layout, out));
  } else {
    LQ_RETURN_IF_ERROR(impl_->LoadIntegers(layer, layout, out));
  }
  if (out.weight_encoding) {
    const Shape shape{static_cast<int64_t>(layer.out_features), static_cast<int64_t>(layer.in_features)};
    LQ_RETURN_IF_ERROR(ValidateEncoding(layer.name + ".weight", *out.weight_encoding, shape));
  }
  if (impl_->Find(layer.name + ".bias").file != nullptr) {
    LQ_ASSIGN_OR_RETURN(out.bias, impl_->Floats(layer.name + ".bias"));
    if (out.bias.size() != layer.out_features) {
      return InvalidArgument(
          fmt::format("'{}.bias' has {} values for {} outputs", layer.name, out.bias.size(), layer.out_features));
    }
  }
  LQ_ASSIGN_OR_RETURN(out.input, impl_->Activation(layer.name, "input", layout.quantizers.input));
  LQ_ASSIGN_OR_RETURN(out.output, impl_->Activation(layer.name, "output", layout.quantizers.output));
  return out;
}

}  // namespace lq
