// A folder of its own for each test, removed afterwards; and the golden data.
#ifndef LANEQUANT_TESTS_SUPPORT_TEMP_FOLDER_H_
#define LANEQUANT_TESTS_SUPPORT_TEMP_FOLDER_H_

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace lq::testing {

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "lanequant-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // Writes a file, its folders included, and returns its path.
  std::string Write(const std::string& name, const std::string& contents) const {
    const std::string path = *this / name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << contents;
    return path;
  }

 private:
  std::string path_;
};

inline std::string ReadWhole(const std::string& path) {
  std::ostringstream contents;
  contents << std::ifstream(path, std::ios::binary).rdbuf();
  return contents.str();
}

// Of a file or folder of tests/golden; see its README.md.
std::string GoldenPath(const std::string& name);

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_TEMP_FOLDER_H_
