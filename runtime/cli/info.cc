// lanequant info: what this machine is and what the program makes of it.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "kernels/own_targets.h"
#include "kernels/targets.h"
#include "lanequant/executor.h"
#include "lanequant/target.h"
#include "runtime/cli/command.h"
#include "runtime/cli/json.h"
#include "runtime/cli/model_options.h"
#include "runtime/cli/table.h"
#include "runtime/status_macros.h"
#include "runtime/versions.h"

namespace lq::cli {
namespace {

struct Cache {
  std::string level, type;
  std::string size;  // "32K", as the kernel writes it
};

std::string FirstLine(const std::string& path) {
  std::string line;
  std::getline(std::ifstream(path) >> std::ws, line);
  return line;
}

// A field of the first CPU; "" where the kernel does not list it.
std::string CpuField(const std::string& name) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(name, 0) != 0) continue;
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

std::string CpuName() {
  const std::string name = CpuField("model name");
  return name.empty() ? "unknown" : name;
}

// What becomes of the matrix tiles.
std::string AmxState() {
  const std::string why_not = kernels::WhyNotAmx(kernels::Amx());
  return why_not.empty() ? "supported" : why_not;
}

std::vector<Cache> Caches() {
  std::vector<Cache> caches;
  for (int i = 0;; ++i) {
    const std::string folder = fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/", i);
    const std::string size = FirstLine(folder + "size");
    if (size.empty()) return caches;
    caches.push_back({FirstLine(folder + "level"), FirstLine(folder + "type"), size});
  }
}

void PrintInfo() {
  fmt::print("lanequant {}, compiler {}, Highway {}, oneTBB {}\n", LQ_VERSION, __VERSION__, kernels::HighwayVersion(),
             TbbVersion());
  fmt::print("CPU: {}\n", CpuName());
  for (const Cache& cache : Caches()) fmt::print("  L{} {} cache: {}\n", cache.level, cache.type, cache.size);
  fmt::print("threads: {} (of {} in the machine)\n", DefaultThreads(), std::thread::hardware_concurrency());
  const std::string chosen = ChosenTarget(DefaultMaxIsa());
  fmt::print("target: {}\n", chosen);
  Table table({{"compiled", Align::kLeft, ""}, {"on this CPU", Align::kLeft, ""}});
  for (const TargetInfo& target : CompiledTargets()) {
    table.AddRow({target.name, target.name == chosen ? "chosen" : target.supported ? "supported" : "not supported"});
  }
  fmt::print("{}AMX: {}\n", table.ToString(), AmxState());
}

void PrintInfoJson() {
  JsonWriter json;
  json.BeginObject().String("version", LQ_VERSION).String("compiler", __VERSION__);
  json.String("highway", kernels::HighwayVersion()).String("onetbb", TbbVersion()).String("cpu", CpuName());
  json.BeginArray("caches");
  for (const Cache& cache : Caches()) {
    json.BeginObject().String("level", cache.level).String("type", cache.type).String("size", cache.size).End();
  }
  json.End();
  json.Number("threads", DefaultThreads()).Number("hardware_threads", std::thread::hardware_concurrency());
  json.String("target", ChosenTarget(DefaultMaxIsa()));
  json.BeginArray("targets");
  for (const TargetInfo& target : CompiledTargets()) {
    json.BeginObject().String("name", target.name).Bool("supported", target.supported).End();
  }
  json.End();
  json.String("amx", AmxState());
  fmt::print("{}", json.End().text());
}

Result<int> Info(bool json) {
  LQ_RETURN_IF_ERROR(ValidateTarget(DefaultMaxIsa()));
  json ? PrintInfoJson() : PrintInfo();
  return kSuccess;
}

}  // namespace

void AddInfo(CLI::App& app, Command& chosen) {
  auto json = std::make_shared<bool>(false);
  CLI::App& command = *app.add_subcommand("info", "Shows this CPU and what the kernels use of it");
  command.add_flag("--json", *json, "As JSON");
  command.callback([json, &chosen] { chosen = [json] { return Info(*json); }; });
}

}  // namespace lq::cli
