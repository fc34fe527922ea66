#include "runtime/cli/model_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <utility>

#include "lanequant/target.h"
#include "runtime/status_macros.h"
#include "runtime/variants.h"

namespace lq::cli {
namespace {

constexpr size_t kMaxThreads = 1024;  // far above any machine; a typo must not start a million threads

// CLI11 asks before it converts, and shows the text behind the option's name.
std::string CheckThreads(const std::string& text) {
  size_t threads = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
  if (error == std::errc() && end == text.data() + text.size() && threads <= kMaxThreads) return "";
  return fmt::format("'{}' is no number of threads; there are 0 to {}", text, kMaxThreads);
}

Result<BiasMode> ParseBias(const std::string& name) {
  // "file": float32 where the file has floats. Biases that it has in codes stay so in every mode.
  if (name == "file" || name == "float") return BiasMode::kFloat;
  if (name == "int32") return BiasMode::kInt32;
  return InvalidArgument(fmt::format("--bias '{}' does not exist; there are file, float, int32", name));
}

}  // namespace

Result<RoundingProfile> ParseProfile(const std::string& name) {
  for (RoundingProfile profile : {RoundingProfile::kAimetDiv, RoundingProfile::kAimetFakequant,
                                  RoundingProfile::kAimetOnnx, RoundingProfile::kOnnx}) {
    if (name == NameOf(profile)) return profile;
  }
  return InvalidArgument(
      fmt::format("--profile '{}' does not exist; there are aimet_div, aimet_fakequant, aimet_onnx, onnx", name));
}

void AddTarget(CLI::App& command, std::string& target) {
  command.add_option("--target", target,
                     "The best instruction set to use (see `lanequant info`); default: LQ_MAX_ISA, or the CPU's best");
}

void AddThreads(CLI::App& command, size_t& threads) {
  command.add_option("--threads", threads, "Threads; 0: as many as this process may use")
      ->check(CLI::Validator(CheckThreads, fmt::format("0..{}", kMaxThreads)));
}

void ModelOptions::AddTo(CLI::App& command) {
  command.add_option("model", model, "The network, an .onnx file")->required();
  command.add_option("--encodings", encodings,
                     "Its encodings, as AIMET exports them (version 0.6.1, 1.0.0, 2.0.0 or 2.1.0); none for a network "
                     "with QuantizeLinear and DequantizeLinear");
  AddTarget(command, target);
  AddThreads(command, threads);
  command.add_option("--bias", bias, "file, float (as AIMET simulates) or int32 (as most devices compute)");
  command.add_option(
      "--profile", profile,
      "Rounding: aimet_div, aimet_fakequant, aimet_onnx or onnx; default: aimet_div, but aimet_onnx to validate "
      "an export of aimet-onnx");
}

Result<Model> LoadModel(const ModelOptions& options) { return Model::Load(options.model, options.encodings); }

Result<SessionOptions> MakeSessionOptions(const ModelOptions& options, RoundingProfile default_profile) {
  SessionOptions session;
  session.max_isa = MaxIsa(options.target);
  LQ_RETURN_IF_ERROR(ValidateTarget(session.max_isa));
  LQ_ASSIGN_OR_RETURN(session.bias, ParseBias(options.bias));
  session.profile = default_profile;
  if (!options.profile.empty()) {
    LQ_ASSIGN_OR_RETURN(session.profile, ParseProfile(options.profile));
  }
  return session;
}

std::unique_ptr<Executor> MakeExecutor(size_t threads) { return MakeTbbExecutor(threads); }

std::string MaxIsa(const std::string& target) { return target.empty() ? DefaultMaxIsa() : target; }

std::string Threads(size_t count) { return fmt::format("{} thread{}", count, count == 1 ? "" : "s"); }

const char* NameOf(BiasMode bias) { return bias == BiasMode::kFloat ? "float" : "int32"; }

const char* NameOf(RoundingProfile profile) {
  switch (profile) {
    case RoundingProfile::kAimetDiv:
      return "aimet_div";
    case RoundingProfile::kAimetFakequant:
      return "aimet_fakequant";
    case RoundingProfile::kAimetOnnx:
      return "aimet_onnx";
    case RoundingProfile::kOnnx:
      break;
  }
  return "onnx";
}

std::string Describe(const SessionOptions& options) {
  return fmt::format("bias {}, profile {}", NameOf(options.bias), NameOf(options.profile));
}

std::string ChosenTarget(const std::string& max_isa) {
  // Best first: the first one that is not above the cap and that this CPU has.
  const int64_t cap = TargetBit(max_isa).value_or(0);
  std::string chosen = "none";
  for (const TargetInfo& target : CompiledTargets()) {
    if (!target.supported) continue;
    chosen = target.name;
    if (TargetBit(target.name).value_or(0) >= cap) break;
  }
  return chosen;
}

}  // namespace lq::cli
