// The options that all commands on a model share, and what they stand for.
#ifndef LANEQUANT_RUNTIME_CLI_MODEL_OPTIONS_H_
#define LANEQUANT_RUNTIME_CLI_MODEL_OPTIONS_H_

#include <cstddef>
#include <memory>
#include <string>

#include "lanequant/executor.h"
#include "lanequant/model.h"
#include "lanequant/status.h"

namespace CLI {
class App;
}  // namespace CLI

namespace lq::cli {

void AddTarget(CLI::App& command, std::string& target);
void AddThreads(CLI::App& command, size_t& threads);

struct ModelOptions {
  std::string model, encodings;
  std::string target;         // "": the best, or LQ_MAX_ISA
  size_t threads = 0;         // 0: DefaultThreads()
  std::string bias = "file";  // file, float, int32
  std::string profile;        // "": the command's default

  void AddTo(CLI::App& command);
};

Result<Model> LoadModel(const ModelOptions& options);

// `default_profile` where the command line names none. Errors: names that do not exist.
Result<SessionOptions> MakeSessionOptions(const ModelOptions& options, RoundingProfile default_profile);

std::unique_ptr<Executor> MakeExecutor(size_t threads);

// What --target asked for; "": DefaultMaxIsa().
std::string MaxIsa(const std::string& target);

// "1 thread", "2 threads"
std::string Threads(size_t count);

const char* NameOf(BiasMode bias);
const char* NameOf(RoundingProfile profile);
Result<RoundingProfile> ParseProfile(const std::string& name);

// "bias float, profile aimet_div"
std::string Describe(const SessionOptions& options);

// The best target that kernels may use under this cap.
std::string ChosenTarget(const std::string& max_isa);

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_MODEL_OPTIONS_H_
