#include "runtime/cli/progress.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

namespace lq::cli {

Progress::Progress(std::string label) : label_(std::move(label)), terminal_(isatty(STDERR_FILENO) != 0) { Update(0); }

Progress::~Progress() {
  if (terminal_) std::fputs("\r\033[K", stderr);
}

void Progress::Update(double share) {
  const int percent = static_cast<int>(100 * share);
  if (!terminal_ || percent == shown_) return;
  shown_ = percent;
  std::fprintf(stderr, "\r%s %d %%", label_.c_str(), percent);
}

}  // namespace lq::cli
