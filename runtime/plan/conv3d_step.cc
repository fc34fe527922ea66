// Conv, 3-D, as a 2-D convolution: the planes that a window spans become channels, output planes become images.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runtime/plan/layout.h"
#include "runtime/plan/pieces.h"
#include "runtime/plan/steps.h"
#include "runtime/run_tasks.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// Tensors of rank 5 are in ONNX's order: [batch][channel][depth][height][width].
class Conv3dStep final : public Step {
 public:
  Conv3dStep(std::string name, Conv2d conv, const Conv3dWindow& window)
      : name_(std::move(name)), conv_(std::move(conv)), window_(window) {}

  Result<Shape> OutputShape(std::span<const Shape> in) const override {
    if (OutDepth(in[0]) < 1) {
      return InvalidArgument(fmt::format("{}: input of shape {} is not as deep as the window of {} planes", name_,
                                         in[0].ToString(), window_.kernel));
    }
    LQ_ASSIGN_OR_RETURN(const Shape image, conv_.OutputShape(Images(in[0])));
    return Shape{in[0][0], image[3], OutDepth(in[0]), image[1], image[2]};
  }

  size_t ScratchBytes(std::span<const Shape> in, size_t workers) const override {
    const Result<Shape> out = OutputShape(in);
    if (!out.ok()) return 0;
    Pieces pieces(nullptr);
    pieces.Take(static_cast<size_t>(Images(in[0]).NumElements()) * sizeof(float));  // or codes
    pieces.Take(static_cast<size_t>(out->NumElements()) * sizeof(double));
    pieces.Take(conv_.WorkspaceBytes(Images(in[0]), workers));
    return pieces.used();
  }

  Status Run(const StepRun& run) const override {
    const ConstTensorView& in = run.in[0];
    const Shape images = Images(in.shape), out = run.out.shape;
    const Shape planes{images[0], out[3], out[4], out[1]};
    Pieces pieces(run.scratch.data());
    const size_t code = SizeOf(in.dtype), element = SizeOf(run.out.dtype);
    const std::span<std::byte> unfolded = TakeSpan(pieces, static_cast<size_t>(images.NumElements()) * code);
    const std::span<std::byte> result = TakeSpan(pieces, static_cast<size_t>(planes.NumElements()) * element);
    const std::span<std::byte> workspace = TakeSpan(pieces, conv_.WorkspaceBytes(images, run.executor.workers()));
    if (code == 1) Unfold(run, images, in.data<uint8_t>(), reinterpret_cast<uint8_t*>(unfolded.data()));
    if (code == 2) Unfold(run, images, in.data<uint16_t>(), reinterpret_cast<uint16_t*>(unfolded.data()));
    if (code == 4) Unfold(run, images, in.data<float>(), reinterpret_cast<float*>(unfolded.data()));
    LQ_RETURN_IF_ERROR(
        conv_.Run({in.dtype, images, unfolded}, {run.out.dtype, planes, result}, workspace, run.executor));
    if (element == 1) Fold(run, planes, reinterpret_cast<const uint8_t*>(result.data()), run.out.data<uint8_t>());
    if (element == 2) Fold(run, planes, reinterpret_cast<const uint16_t*>(result.data()), run.out.data<uint16_t>());
    if (element == 4) Fold(run, planes, reinterpret_cast<const float*>(result.data()), run.out.data<float>());
    if (element == 8) Fold(run, planes, reinterpret_cast<const double*>(result.data()), run.out.data<double>());
    return OkStatus();
  }

  LayerInfo info() const override { return conv_.info(); }
  double Microseconds(std::span<const Shape> in, const Shape& out) const override {
    const auto bytes = static_cast<double>(conv_.info().packed_bytes);  // as many products, as in Conv2dStep
    return Step::Microseconds(in, out) + kProductMicroseconds * bytes * static_cast<double>(out.NumElements() / out[1]);
  }

 private:
  static std::span<std::byte> TakeSpan(Pieces& pieces, size_t bytes) { return {pieces.Take(bytes), bytes}; }

  int64_t OutDepth(const Shape& in) const {
    const int64_t extent = (window_.kernel - 1) * window_.dilation + 1;
    const int64_t room = in[2] + window_.begin + window_.end - extent;
    return room < 0 ? 0 : room / window_.stride + 1;
  }

  // [batch * output depth][height][width][channel * kernel depth]
  Shape Images(const Shape& in) const { return {in[0] * OutDepth(in), in[3], in[4], in[1] * window_.kernel}; }

  template <class T>
  void Unfold(const StepRun& run, const Shape& images, const T* in, T* out) const {
    const Shape& shape = run.in[0].shape;
    const auto pixels = static_cast<size_t>(images[1] * images[2]), columns = static_cast<size_t>(images[3]);
    const int64_t channels = shape[1], depth = shape[2], out_depth = OutDepth(shape);
    RunRanges(run.executor, static_cast<size_t>(images[0]), 1, [&](Range range) {
      for (size_t i = range.begin; i < range.end; ++i) {
        const int64_t n = static_cast<int64_t>(i) / out_depth, o = static_cast<int64_t>(i) % out_depth;
        T* image = out + i * pixels * columns;
        for (size_t column = 0; column < columns; ++column) {
          const auto c = static_cast<int64_t>(column) / window_.kernel,
                     k = static_cast<int64_t>(column) % window_.kernel;
          const int64_t at = o * window_.stride + k * window_.dilation - window_.begin;
          const bool inside = at >= 0 && at < depth;
          const T* plane = in + static_cast<size_t>(inside ? (n * channels + c) * depth + at : 0) * pixels;
          for (size_t p = 0; p < pixels; ++p) {
            image[p * columns + column] = inside ? plane[p] : static_cast<T>(window_.zero);
          }
        }
      }
    });
  }

  // [batch][output depth][pixel][channel] -> [batch][channel][output depth][pixel]
  template <class T>
  void Fold(const StepRun& run, const Shape& planes, const T* in, T* out) const {
    const Shape& shape = run.out.shape;
    const auto pixels = static_cast<size_t>(planes[1] * planes[2]), channels = static_cast<size_t>(planes[3]);
    const auto depth = static_cast<size_t>(shape[2]);
    RunRanges(run.executor, static_cast<size_t>(planes[0]), 1, [&](Range range) {
      for (size_t i = range.begin; i < range.end; ++i) {
        for (size_t c = 0; c < channels; ++c) {
          T* to = out + ((i / depth * channels + c) * depth + i % depth) * pixels;
          for (size_t p = 0; p < pixels; ++p) to[p] = in[(i * pixels + p) * channels + c];
        }
      }
    });
  }

  std::string name_;
  Conv2d conv_;
  Conv3dWindow window_;
};

}  // namespace

std::unique_ptr<Step> MakeConv3dStep(std::string name, Conv2d conv, const Conv3dWindow& window) {
  return std::make_unique<Conv3dStep>(std::move(name), std::move(conv), window);
}

}  // namespace lq
