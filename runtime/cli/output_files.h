// The files that a command writes: all of them appear, whole, or none does.
#ifndef LANEQUANT_RUNTIME_CLI_OUTPUT_FILES_H_
#define LANEQUANT_RUNTIME_CLI_OUTPUT_FILES_H_

#include <string>
#include <vector>

#include "lanequant/status.h"
#include "runtime/io/npz.h"

namespace lq::cli {

class OutputFiles {
 public:
  OutputFiles() = default;
  OutputFiles(const OutputFiles&) = delete;
  OutputFiles& operator=(const OutputFiles&) = delete;
  ~OutputFiles();  // removes what was not committed

  // Each writes a temporary in the file's folder. Errors: a folder or a device of that name, and what the system says.
  Status AddNpz(const std::string& path, const std::vector<NamedArray>& arrays);
  Status AddText(const std::string& path, const std::string& text);

  // Puts the temporaries into the places of the files.
  Status Commit();

 private:
  struct File {
    std::string path, temporary;
  };
  // The descriptor of a new file beside `path`, which files_ then ends with.
  Result<int> Create(const std::string& path);

  std::vector<File> files_;
};

}  // namespace lq::cli

#endif  // LANEQUANT_RUNTIME_CLI_OUTPUT_FILES_H_
