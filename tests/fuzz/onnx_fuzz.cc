// Random ONNX files through the reader and the passes of Model::Load; those with Q/DQ nodes get their encodings there.
//   build/fuzz/tests/fuzz/onnx_fuzz FOUND tests/fuzz/corpus/onnx -max_total_time=120
#include "lanequant/model.h"
#include "tests/fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static lq::fuzz::InputFile file("model.onnx");
  lq::fuzz::CheckSentence(lq::Model::Load(file.Write(data, size), "").status());
  return 0;
}
