// A command of the program: how it joins the command line, and what running it returns.
#ifndef LANEQUANT_RUNTIME_CLI_COMMAND_H_
#define LANEQUANT_RUNTIME_CLI_COMMAND_H_

#include <functional>

#include "lanequant/status.h"

namespace CLI {
class App;
}  // namespace CLI

namespace lq::cli {

constexpr int kSuccess = 0;
constexpr int kDifferences = 1;  // validate: the comparison failed
constexpr int kBadInput = 2;     // files, options, shapes: a sentence on stderr

// Runs the chosen command; its exit status, or why it could not run.
using Command = std::function<Result<int>()>;

// Each adds a subcommand that sets `chosen` when it stands on the command line. `chosen` outlives the parse.
void AddInfo(CLI::App& app, Command& chosen);
void AddRun(CLI::App& app, Command& chosen);
void AddValidate(CLI::App& app, Command& chosen);
void AddQuantize(CLI::App& app, Command& chosen);
void AddInspect(CLI::App& app, Command& chosen);
void AddBench(CLI::App& app, Command& chosen);
void AddDemo(CLI::App& app, Command& chosen);

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_COMMAND_H_
