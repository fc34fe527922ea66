// What libFuzzer hands out, as a file: the readers take paths.
#ifndef LANEQUANT_TESTS_FUZZ_INPUT_FILE_H_
#define LANEQUANT_TESTS_FUZZ_INPUT_FILE_H_

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>

#include "lanequant/status.h"
#include "tests/support/temp_folder.h"

namespace lq::fuzz {

// One file for the whole process, overwritten for each input. Name it with the reader's extension.
class InputFile {
 public:
  explicit InputFile(const std::string& name) : path_(folder_ / name) {}

  const std::string& Write(const uint8_t* data, size_t size) {
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
    return path_;
  }

 private:
  testing::TempFolder folder_;
  std::string path_;
};

// A reader refuses with a sentence and accepts without one.
inline void CheckSentence(const Status& status) {
  if (status.ok() != status.message().empty()) std::abort();
}

}  // namespace lq::fuzz

#endif  // LANEQUANT_TESTS_FUZZ_INPUT_FILE_H_
