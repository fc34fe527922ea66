// Random encodings files, as JSON of any version.
//   build/fuzz/tests/fuzz/encodings_fuzz FOUND tests/fuzz/corpus/encodings -max_total_time=120
#include "runtime/io/encodings_reader.h"
#include "tests/fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static lq::fuzz::InputFile file("model.encodings");
  lq::fuzz::CheckSentence(lq::ReadEncodings(file.Write(data, size)).status());
  return 0;
}
