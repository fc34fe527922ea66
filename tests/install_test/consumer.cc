// A program that links the installed library: one layer on an executor of its own and on oneTBB's, and the file
// readers, which bring every library in that lanequant itself links.
#include <lanequant/linear.h>
#include <lanequant/model.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <vector>

class Backwards final : public lq::Executor {
 public:
  size_t workers() const override { return 1; }
  void ForEach(size_t n, lq::TaskRef task) override {
    while (n > 0) task(--n, 0);
  }
};

bool RunsOn(const lq::Linear& layer, lq::Executor& executor) {
  const std::array<uint8_t, 4> x{1, 2, 3, 4};
  std::array<float, 2> y{};
  std::vector<std::byte> workspace(layer.WorkspaceBytes(1, executor.workers()));
  const lq::Status status =
      layer.Run({lq::DType::kU8, {1, 4}, std::as_bytes(std::span(x))},
                {lq::DType::kF32, {1, 2}, std::as_writable_bytes(std::span(y))}, workspace, executor);
  if (!status.ok()) std::puts(status.message().c_str());
  return status.ok() && y[0] == 1 - 4 && y[1] == 2 + 3;
}

int main() {
  const std::array<float, 8> weight{1, 0, 0, -1,  //
                                    0, 1, 1, 0};
  lq::LinearSpec spec{.name = "consumer", .in_features = 4, .out_features = 2, .weight = weight};
  spec.weight_encoding = lq::PerTensor{.grid = {.bitwidth = 8, .is_signed = true}};
  const lq::Result<lq::Linear> layer = lq::Linear::Prepare(spec);
  if (!layer.ok()) {
    std::puts(layer.status().message().c_str());
    return 1;
  }
  Backwards backwards;
  const bool layer_runs = RunsOn(*layer, backwards) && RunsOn(*layer, *lq::MakeTbbExecutor(2));
  const bool file_refused = !lq::Model::Load("no-such.onnx", "no-such.encodings").ok();
  return layer_runs && file_refused ? 0 : 1;
}
