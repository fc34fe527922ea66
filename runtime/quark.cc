#include "lanequant/quark.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "runtime/quark_impl.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

namespace fs = std::filesystem;

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

// What is not read, by the quantizers alone.
Status CheckQuantizers(const QuarkLayerQuantizers& quantizers) {
  if (quantizers.bias) return Unsupported("a quantized bias; supported: float");
  const QuarkQuantizer& weight = *quantizers.weight;
  if (weight.float_zero_points) {
    return Unsupported("zero points of float32, which the file holds cut to integers; supported: int32");
  }
  const QuarkFormat* format = FindQuarkFormat(weight.dtype);
  if (format == nullptr || (weight.dtype == "int3" && weight.scheme == "per_group")) {
    return Unsupported(
        fmt::format("weights of '{}'; supported: int2, int3 per channel, int4, uint4, int8, uint8, fp4, fp6_e2m3, "
                    "fp6_e3m2, fp8_e4m3, fp8_e5m2, bfloat16, float16",
                    weight.dtype));
  }
  const bool has_blocks = format->is_float() && format->type == "U8";
  if ((weight.quantizes_scales && !has_blocks) || (!weight.outer.empty() && format->is_float())) {
    return Unsupported(fmt::format("{}; supported: integers within another format, fp4 and fp6 with scales in fp8_e4m3",
                                   weight.Describe()));
  }
  return OkStatus();
}

}  // namespace

Status QuarkModel::Impl::Open(const std::string& folder) {
  LQ_ASSIGN_OR_RETURN(config, ReadQuarkConfig((fs::path(folder) / "config.json").string()));
  LQ_ASSIGN_OR_RETURN(const std::vector<std::string> paths, FilesOf(folder));
  files.reserve(paths.size());  // `tensors` points into them
  std::vector<std::string> found;
  const std::string_view suffix = config.is_awq ? ".qweight" : ".weight";
  for (const std::string& path : paths) {
    LQ_ASSIGN_OR_RETURN(Safetensors file, Safetensors::Open(path));
    files.push_back(std::move(file));
    for (const SafetensorsTensor& tensor : files.back().tensors()) {
      if (!tensors.emplace(tensor.name, QuarkStored{&files.back(), &tensor}).second) {
        return InvalidArgument(fmt::format("{}: tensor '{}' is in another file too", path, tensor.name));
      }
      if (tensor.name.ends_with(suffix) && tensor.name.size() > suffix.size()) {
        found.push_back(tensor.name.substr(0, tensor.name.size() - suffix.size()));
      }
    }
  }
  for (const std::string& name : found) {
    if (Find(name + (config.is_awq ? ".scales" : ".weight_scale")).file == nullptr) continue;
    const Status status = AddLayer(name);
    if (!status.ok()) return Status(status.code(), fmt::format("{}: layer '{}': {}", folder, name, status.message()));
  }
  return OkStatus();
}

// Names of the tensors, after the quantizers are known.
void QuarkModel::Impl::NameTensors(const std::string& name, QuarkLayout& layout) const {
  layout.weight = name + (config.is_awq ? ".qweight" : ".weight");
  layout.scale = name + (config.is_awq ? ".scales" : ".weight_scale");
  layout.zero_point = name + (config.is_awq ? ".qzeros" : ".weight_zero_point");
  const QuarkQuantizer& weight = *layout.quantizers.weight;
  if (weight.quantizes_scales) layout.outer = layout.scale + "_2";
  if (weight.outer.empty()) return;
  layout.outer = layout.scale;
  layout.scale += "_2";
  layout.zero_point += "_2";
}

Result<QuarkLayout> QuarkModel::Impl::LayoutOf(const std::string& name) const {
  QuarkLayout layout;
  layout.quantizers = config.Of(name);
  if (config.is_fp8) {
    const std::string dtype = Find(name + ".weight").tensor->type == "F8_E5M2" ? "fp8_e5m2" : "fp8_e4m3";
    QuarkQuantizer& whole = layout.quantizers.weight.emplace();
    whole.dtype = dtype;
    whole.scheme = "per_tensor";
    if (Find(name + ".input_scale").file != nullptr) layout.quantizers.input = layout.quantizers.weight;
  }
  const std::optional<QuarkQuantizer>& weight = layout.quantizers.weight;
  if (!weight) return InvalidArgument("it has a weight_scale, but config.json has no quantizer for its weight");
  NameTensors(name, layout);
  if (layout.outer.empty() && Find(layout.scale + "_2").file != nullptr) {
    return InvalidArgument(fmt::format("'{}_2' is a second level of scales, but config.json has one", layout.scale));
  }
  if (Find(name + ".bias_scale").file != nullptr) return Unsupported("a quantized bias; supported: float");
  LQ_RETURN_IF_ERROR(CheckQuantizers(layout.quantizers));
  layout.format = FindQuarkFormat(weight->dtype);
  layout.is_plain = layout.format->type.empty();
  layout.is_transposed = !layout.format->is_float() && weight->scheme == "per_group";
  const std::string& type = Find(layout.weight).tensor->type;
  if (!layout.is_plain && type != layout.format->type) {
    return InvalidArgument(
        fmt::format("its weight is {}, but {} is stored as {}", type, weight->dtype, layout.format->type));
  }
  return layout;
}

Status QuarkModel::Impl::AddLayer(const std::string& name) {
  LQ_ASSIGN_OR_RETURN(QuarkLayout layout, LayoutOf(name));
  const SafetensorsTensor& weight = *Find(layout.weight).tensor;
  if (weight.shape.rank() != 2) {
    return Unsupported(fmt::format("a weight of shape {}; supported: Linear layers", weight.shape.ToString()));
  }
  const size_t width = layout.format->type == "I32" ? 4 : 1;
  const auto rows = static_cast<size_t>(weight.shape[0]), stored = static_cast<size_t>(weight.shape[1]);
  const size_t columns = layout.is_plain ? stored : stored * width / layout.format->bytes * layout.format->elements;
  if (rows == 0 || columns == 0 || (!layout.is_plain && stored * width % layout.format->bytes != 0)) {
    return InvalidArgument(fmt::format("a weight of shape {} is no {}", weight.shape.ToString(), layout.format->name));
  }
  size_t in = columns, out = rows;
  if (layout.is_transposed) {
    const SafetensorsTensor* scale = Find(layout.scale).tensor;  // [groups][out], without the padding of the codes
    in = rows;
    out = scale != nullptr && scale->shape.rank() == 2 ? static_cast<size_t>(scale->shape[1]) : 0;
    if (out == 0 || layout.Padded(out) != columns) {
      return InvalidArgument(fmt::format("a weight of shape {} holds {} outputs, but '{}' has {}",
                                         weight.shape.ToString(), columns, layout.scale, out));
    }
  }
  const auto describe = [](const std::optional<QuarkQuantizer>& quantizer) {
    return quantizer ? quantizer->Describe() : std::string();
  };
  layers.push_back({name, in, out, describe(layout.quantizers.weight), describe(layout.quantizers.input),
                    describe(layout.quantizers.output)});
  layouts.push_back(std::move(layout));
  return OkStatus();
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

}  // namespace lq
