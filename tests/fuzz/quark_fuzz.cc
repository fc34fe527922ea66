// Random safetensors beside Quark's config.json of several formats: the header's checks, then every layer's.
//   build/fuzz/tests/fuzz/quark_fuzz FOUND tests/golden/quark_torch/int4_group32 -max_total_time=120
#include <filesystem>

#include "lanequant/quark.h"
#include "tests/fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  static const std::string kFolders[] = {"int4_group32", "int8_tensor_act_uint8_asym", "mxfp4", "fp8_e4m3",
                                         "int2_group32"};
  static lq::fuzz::InputFile file("model.safetensors");
  const std::string path = file.Write(data + 1, size - 1);
  const auto folder = std::filesystem::path(path).parent_path();
  std::filesystem::copy_file(LQ_TEST_GOLDEN "/quark_torch/" + kFolders[data[0] % std::size(kFolders)] + "/config.json",
                             folder / "config.json", std::filesystem::copy_options::overwrite_existing);
  const lq::Result<lq::QuarkModel> model = lq::QuarkModel::Open(folder.string());
  lq::fuzz::CheckSentence(model.status());
  for (size_t i = 0; model.ok() && i < model->layers().size(); ++i) lq::fuzz::CheckSentence(model->Load(i).status());
  return 0;
}
