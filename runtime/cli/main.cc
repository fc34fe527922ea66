// lanequant: the program. Results on stdout, progress and errors on stderr.
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include "runtime/cli/command.h"

namespace lq::cli {
namespace {

int Fail(const char* message) {
  std::fprintf(stderr, "lanequant: %s\n", message);
  return kBadInput;
}

// A full disk or a closed pipe shows when the last bytes are written.
int Flush(int exit_status) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit_status;
  std::fprintf(stderr, "lanequant: stdout: %s\n", std::strerror(errno));
  return kBadInput;
}

// Why the first word is no command, or "".
std::string CommandProblem(const CLI::App& app, int argc, char** argv) {
  const std::string word = argc > 1 ? argv[1] : "";
  if (word.rfind('-', 0) == 0) return "";
  std::string names;
  for (const CLI::App* command : app.get_subcommands({})) {
    if (command->get_name() == word) return "";
    names += (names.empty() ? "" : ", ") + command->get_name();
  }
  return word.empty() ? "say a command, one of: " + names : "there is no command '" + word + "'; there are: " + names;
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Runs neural networks quantized by Qualcomm AIMET on this CPU, code for code as the exact simulator defines.",
      "lanequant");
  app.require_subcommand(1);
  app.option_defaults()->always_capture_default();
  app.footer(
      "Exit status: 0 success; 1 validate or demo found differences; 2 bad input: a sentence on stderr says what.");
  app.set_version_flag("--version", LQ_VERSION);
  Command chosen;
  AddInfo(app, chosen);
  AddRun(app, chosen);
  AddValidate(app, chosen);
  AddQuantize(app, chosen);
  AddInspect(app, chosen);
  AddBench(app, chosen);
  AddDemo(app, chosen);
  if (const std::string problem = CommandProblem(app, argc, argv); !problem.empty()) return Fail(problem.c_str());
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return Fail(error.what());
  }
  const Result<int> exit_status = chosen();
  if (!exit_status.ok()) return Fail(exit_status.status().message().c_str());
  return Flush(*exit_status);
}

}  // namespace
}  // namespace lq::cli

int main(int argc, char** argv) {
  try {
    return lq::cli::Main(argc, argv);
  } catch (const std::bad_alloc&) {
    return lq::cli::Fail("not enough memory");
  } catch (const std::exception& error) {
    return lq::cli::Fail(error.what());
  }
}
