#include "runtime/io/layer_outputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "runtime/io/file.h"
#include "runtime/io/memory_budget.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

namespace fs = std::filesystem;

// AIMET's re.sub(r"\W+", "_", name). Bytes above 127 are letters of other scripts, most of which Python keeps.
std::string FileNameOf(const std::string& tensor) {
  std::string name;
  bool replaced = false;
  for (char c : tensor) {
    const unsigned char byte = static_cast<unsigned char>(c);
    const bool is_word = std::isalnum(byte) != 0 || c == '_' || byte > 127;
    if (is_word) name += c;
    if (!is_word && !replaced) name += '_';
    replaced = !is_word;
  }
  return name;
}

// File name -> tensor; nothing where several tensors share the name (AIMET let one overwrite the other).
std::map<std::string, std::optional<ValueId>> FileNames(const Graph& graph) {
  std::map<std::string, std::optional<ValueId>> names;
  for (size_t i = 0; i < graph.values.size(); ++i) {
    const auto [found, is_new] = names.emplace(FileNameOf(graph.values[i].name), static_cast<ValueId>(i));
    if (!is_new) found->second.reset();
  }
  return names;
}

// Names without extension of the .raw files of a folder, sorted.
Result<std::vector<std::string>> ListRaw(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() == ".raw") names.push_back(entry->path().stem().string());
  }
  if (error) return NotFound(fmt::format("{}: {}", folder, error.message()));
  std::sort(names.begin(), names.end());
  return names;
}

bool Exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// The shape of `runs` stacked runs of `elements` elements.
Shape StackedShape(const Value& value, size_t runs, size_t elements) {
  const Shape flat{static_cast<int64_t>(runs), static_cast<int64_t>(elements)};
  if (!value.shape.has_value() || value.shape->rank() == 0) return flat;
  Shape shape = *value.shape;
  shape[0] = static_cast<int64_t>(runs);
  return shape.NumElements() == flat.NumElements() ? shape : flat;
}

class Stacker {
 public:
  // Reads `paths`, one file per run, as one array.
  Result<NamedArray> Stack(const Value& value, const std::vector<std::string>& paths) {
    NamedArray array{value.name, DType::kF32, {}, {}};
    uint64_t size = 0;
    for (size_t i = 0; i < paths.size(); ++i) {
      LQ_ASSIGN_OR_RETURN(const File file, File::Open(paths[i]));
      if (i == 0) size = file.size();
      if (file.size() != size || size % sizeof(float) != 0) {
        return InvalidArgument(fmt::format("{}: {} bytes, but run 0 has {}, and they must be a multiple of 4", paths[i],
                                           file.size(), size));
      }
      LQ_RETURN_IF_ERROR(budget_.Take(paths[i], size));
      array.bytes.resize((i + 1) * size);
      LQ_RETURN_IF_ERROR(file.ReadAt(0, std::span(array.bytes).subspan(i * size)));
    }
    array.shape = StackedShape(value, paths.size(), size / sizeof(float));
    return array;
  }

 private:
  MemoryBudget budget_;
};

Status ReadInputs(const std::string& folder, const Graph& graph, Stacker& stacker, LayerOutputs& result) {
  if (graph.inputs.size() != 1) {
    return Unsupported(
        fmt::format("{}: layer outputs of a network with {} inputs; supported: 1", folder, graph.inputs.size()));
  }
  std::vector<std::string> paths;
  const auto path = [&] { return fmt::format("{}/inputs/input_{}.raw", folder, paths.size()); };
  while (Exists(path())) paths.push_back(path());
  if (paths.empty()) return NotFound(path() + ": no such file");
  LQ_ASSIGN_OR_RETURN(NamedArray array, stacker.Stack(graph.value(graph.inputs[0]), paths));
  result.inputs.push_back(std::move(array));
  return OkStatus();
}

Status ReadOutputs(const std::string& folder, const Graph& graph, Stacker& stacker, LayerOutputs& result) {
  std::vector<std::string> runs;
  const auto run = [&] { return fmt::format("{}/outputs/layer_outputs_{}", folder, runs.size()); };
  LQ_ASSIGN_OR_RETURN(const std::vector<std::string> files, ListRaw(run()));
  while (Exists(run())) runs.push_back(run());
  const auto names = FileNames(graph);
  std::map<ValueId, std::string> matched;
  for (const std::string& file : files) {
    const auto found = names.find(file);
    if (found != names.end() && found->second.has_value()) {
      matched.emplace(*found->second, file);
    } else {
      result.unmatched.push_back(file);
    }
  }
  for (const auto& [id, file] : matched) {
    std::vector<std::string> paths;
    for (const std::string& one : runs) paths.push_back(fmt::format("{}/{}.raw", one, file));
    LQ_ASSIGN_OR_RETURN(NamedArray array, stacker.Stack(graph.value(id), paths));
    result.outputs.push_back(std::move(array));
  }
  return OkStatus();
}

}  // namespace

Result<LayerOutputs> ReadLayerOutputs(const std::string& folder, const Graph& graph) {
  LayerOutputs result;
  Stacker stacker;
  LQ_RETURN_IF_ERROR(ReadInputs(folder, graph, stacker, result));
  LQ_RETURN_IF_ERROR(ReadOutputs(folder, graph, stacker, result));
  return result;
}

}  // namespace lq
