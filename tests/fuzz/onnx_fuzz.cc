// Random ONNX files through the reader, the passes of Model::Load (QOperators, blocks, dynamic quantizers and Q/DQ
// nodes get their encodings there) and the planner, which packs the weights of those that are left.
//   build/fuzz/tests/fuzz/onnx_fuzz FOUND tests/fuzz/corpus/onnx -max_total_time=120
#include "lanequant/model.h"
#include "tests/fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static lq::fuzz::InputFile file("model.onnx");
  const lq::Result<lq::Model> model = lq::Model::Load(file.Write(data, size), "");
  lq::fuzz::CheckSentence(model.status());
  if (model.ok()) lq::fuzz::CheckSentence(lq::Session::Prepare(*model).status());
  return 0;
}
