// Progress: one line on stderr that overwrites itself; silent where stderr is no terminal.
#ifndef LANEQUANT_RUNTIME_CLI_PROGRESS_H_
#define LANEQUANT_RUNTIME_CLI_PROGRESS_H_

#include <string>

namespace lq::cli {

class Progress {
 public:
  explicit Progress(std::string label);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();  // wipes the line

  void Update(double share);

 private:
  std::string label_;
  bool terminal_;
  int shown_ = -1;  // percent
};

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_PROGRESS_H_
