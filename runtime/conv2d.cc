#include "lanequant/conv2d.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <variant>
#include <vector>

#include "runtime/conv2d_impl.h"
#include "runtime/output_arrays.h"
#include "runtime/status_macros.h"
#include "runtime/views.h"

namespace lq {
namespace {

constexpr auto kLargestSize = static_cast<size_t>(kLargestWindow);

Status CheckGeometry(const Conv2dSpec& s) {
  if (s.groups == 0 || s.in_channels == 0 || s.out_channels == 0 || s.in_channels % s.groups != 0 ||
      s.out_channels % s.groups != 0) {
    return InvalidArgument(fmt::format("{}: {} groups do not divide {} input and {} output channels", s.name, s.groups,
                                       s.in_channels, s.out_channels));
  }
  for (size_t i = 0; i < 2; ++i) {
    for (const auto& [what, value] :
         {std::pair{"kernel", s.kernel[i]}, {"stride", s.stride[i]}, {"dilation", s.dilation[i]}}) {
      if (value >= 1 && value <= kLargestSize) continue;
      return InvalidArgument(fmt::format("{}: {} {} is outside 1..{}", s.name, what, value, kLargestSize));
    }
  }
  for (size_t pad : s.padding) {
    if (pad <= kLargestSize) continue;
    return InvalidArgument(fmt::format("{}: padding {} is above {}", s.name, pad, kLargestSize));
  }
  return OkStatus();
}

// The code that padding stands for: it must be on the grid, for kernels read codes only.
Result<uint16_t> ZeroCode(const Conv2dSpec& spec, const PerTensor& input) {
  if (HasZero(input)) return static_cast<uint16_t>(-input.offset);
  if (spec.padding == std::array<size_t, 4>{0, 0, 0, 0}) return uint16_t{0};
  return Unsupported(fmt::format("{}: padding stands for 0, but offset {} puts code {} outside the input's grid 0..{}",
                                 spec.name, input.offset, -int64_t{input.offset}, input.grid.qmax()));
}

FloatWeights WeightsOf(const Conv2dSpec& s) {
  return {s.name, s.weight, s.out_channels, s.in_channels / s.groups, s.kernel[0] * s.kernel[1]};
}

// Zero weights have codes that add nothing.
bool HoldsZero(const Encoding& encoding) {
  const auto holds = [](const Grid& grid, int64_t offset) { return -offset >= grid.qmin() && -offset <= grid.qmax(); };
  if (const auto* e = std::get_if<PerTensor>(&encoding)) return holds(e->grid, e->offset);
  const auto* e = std::get_if<PerChannel>(&encoding);
  return e != nullptr && std::all_of(e->offset.begin(), e->offset.end(), [&](int32_t o) { return holds(e->grid, o); });
}

// Columns of the filter with zeros to the right of it, so that the cells of a row are whole quads: patches are then
// read in the image, not gathered (ImageLines). Its own columns where that would multiply over a third more.
size_t WideColumns(const Conv2dSpec& s) {
  const size_t columns = s.kernel[1], taps = s.kernel[0] * columns;
  if (s.groups != 1 || s.dilation[1] != 1 || columns == 1 || !HoldsZero(*s.weight_encoding)) return columns;
  size_t wide = columns;
  while (wide * s.in_channels % 4 != 0) ++wide;
  return 3 * s.kernel[0] * wide * s.in_channels <= 4 * RoundUp(taps * s.in_channels, 4) ? wide : columns;
}

std::vector<float> Widen(const Conv2dSpec& s, size_t columns) {
  const size_t rows = s.out_channels * s.in_channels * s.kernel[0];
  std::vector<float> wide(rows * columns);
  for (size_t i = 0; i < rows; ++i) {
    std::copy_n(s.weight.data() + i * s.kernel[1], s.kernel[1], wide.data() + i * columns);
  }
  return wide;
}

bool IsDepthwise(const Conv2dSpec& s) { return s.in_channels == s.groups && s.out_channels == s.groups; }

}  // namespace

Conv2d::Conv2d(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Conv2d::Conv2d(Conv2d&&) noexcept = default;
Conv2d& Conv2d::operator=(Conv2d&&) noexcept = default;
Conv2d::~Conv2d() = default;

const LayerInfo& Conv2d::info() const {
  return std::visit([](const auto& engine) -> const LayerInfo& { return engine.info(); }, impl_->engine);
}

Result<Conv2d> Conv2d::Prepare(const Conv2dSpec& spec, const PrepareOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateTarget(options.max_isa));
  LQ_RETURN_IF_ERROR(CheckGeometry(spec));
  auto impl = std::make_unique<Impl>();
  impl->name = spec.name;
  impl->in_channels = spec.in_channels;
  impl->out_channels = spec.out_channels;
  impl->groups = spec.groups;
  impl->kernel = spec.kernel;
  impl->stride = spec.stride;
  impl->dilation = spec.dilation;
  impl->padding = spec.padding;
  impl->input = spec.input;
  impl->output = spec.output.encoding;
  LQ_RETURN_IF_ERROR(spec.input ? impl->PrepareCodes(spec, options) : impl->PrepareFloats(spec, options));
  return Conv2d(std::move(impl));
}

Status Conv2d::Impl::PrepareCodes(const Conv2dSpec& spec, const PrepareOptions& options) {
  LQ_RETURN_IF_ERROR(ValidateEncoding(spec.name + " input", *spec.input, Shape{}));
  if (!spec.weight_encoding) {
    return InvalidArgument(fmt::format("{}: codes are multiplied by integers, but the weight has no encoding", name));
  }
  const PerTensor codes = ToUnsigned(*spec.input);
  LQ_ASSIGN_OR_RETURN(zero_code, ZeroCode(spec, codes));
  const FloatWeights floats = WeightsOf(spec);
  if (IsDepthwise(spec)) {
    LQ_ASSIGN_OR_RETURN(const LayerWeights weights, QuantizeWeights(floats, *spec.weight_encoding, options));
    if (DepthwiseLayer::Fits(weights, codes)) {
      const DepthwiseFilter filter{kernel, stride, dilation, static_cast<uint8_t>(zero_code)};
      LQ_ASSIGN_OR_RETURN(engine, DepthwiseLayer::Prepare(name, weights, codes, filter, spec.output, options));
      return OkStatus();
    }
  }
  LQ_RETURN_IF_ERROR(CheckSizes(floats));
  if (const size_t columns = WideColumns(spec); CodeBytes(codes.grid) == 1 && columns != kernel[1]) {
    const std::vector<float> values = Widen(spec, columns);
    const FloatWeights wide = {name, values, floats.out_channels, floats.in_channels, kernel[0] * columns};
    LQ_ASSIGN_OR_RETURN(Gemm gemm, Gemm::Prepare(wide, *spec.weight_encoding, groups, codes, spec.output, options));
    if (gemm.ReadsPatches()) {  // other weights would only be multiplied more often
      engine = std::move(gemm);
      zero_columns = columns - kernel[1];
      padding[3] += zero_columns;  // the output stays what it was
      kernel[1] = columns;
      return OkStatus();
    }
  }
  LQ_ASSIGN_OR_RETURN(engine, Gemm::Prepare(floats, *spec.weight_encoding, groups, codes, spec.output, options));
  return OkStatus();
}

Status Conv2d::Impl::PrepareFloats(const Conv2dSpec& spec, const PrepareOptions& options) {
  const FloatWeights floats = WeightsOf(spec);
  if (IsDepthwise(spec)) {
    LQ_ASSIGN_OR_RETURN(engine, FloatDepthwise::Prepare(floats, spec.weight_encoding, spec.output, options));
  } else {
    LQ_ASSIGN_OR_RETURN(engine, FloatGemm::Prepare(floats, spec.weight_encoding, groups, spec.output, options));
  }
  return OkStatus();
}

Result<Shape> Conv2d::OutputShape(const Shape& input) const {
  const Impl& c = *impl_;
  if (input.rank() != 4 || input.NumElements() < 0 || static_cast<size_t>(input[3]) != c.in_channels) {
    return InvalidArgument(fmt::format("{}: input of shape {}, but (batch, height, width, {}) is needed", c.name,
                                       input.ToString(), c.in_channels));
  }
  Shape out = input;
  out[3] = static_cast<int64_t>(c.out_channels);
  for (size_t i = 0; i < 2; ++i) {
    const int64_t padded = input[i + 1] + static_cast<int64_t>(c.padding[i] + c.padding[i + 2]);
    const auto window = static_cast<int64_t>(c.dilation[i] * (c.kernel[i] - 1) + 1);
    if (padded < window) {
      const auto zeros = static_cast<int64_t>(i == 1 ? c.zero_columns : 0);
      return InvalidArgument(
          fmt::format("{}: input of shape {} with padding is {} long along axis {}, shorter than its window of {}",
                      c.name, input.ToString(), padded - zeros, i + 1, window - zeros));
    }
    out[i + 1] = (padded - window) / static_cast<int64_t>(c.stride[i]) + 1;
  }
  if (out.NumElements() < 0)
    return InvalidArgument(fmt::format("{}: output shape {} overflows", c.name, out.ToString()));
  return out;
}

size_t Conv2d::WorkspaceBytes(const Shape& input, size_t workers) const {
  const Result<Shape> out = OutputShape(input);
  return out.ok() ? impl_->WorkspaceBytes(input, *out, workers) : 0;
}

Status Conv2d::Run(ConstTensorView in, TensorView out, std::span<std::byte> workspace, Executor& executor) const {
  const Impl& c = *impl_;
  LQ_ASSIGN_OR_RETURN(const Shape out_shape, OutputShape(in.shape));
  LQ_RETURN_IF_ERROR(CheckView(c.name, "input", in, in.shape));
  LQ_RETURN_IF_ERROR(CheckView(c.name, "output", out, out_shape));
  if (c.input) LQ_RETURN_IF_ERROR(CheckCodes(c.name, "input", in.dtype, c.input->grid));
  if (!c.input && in.dtype != DType::kF32) {
    return InvalidArgument(fmt::format("{} input: type {}, but it is f32", c.name, NameOf(in.dtype)));
  }
  LQ_ASSIGN_OR_RETURN(const kernels::OutputType type, OutputTypeFor(c.name, out.dtype, c.output));
  const size_t need = c.WorkspaceBytes(in.shape, out_shape, executor.workers());
  if (workspace.size() < need) {
    return InvalidArgument(fmt::format("{}: workspace of {} bytes, but input {} on {} workers needs {}", c.name,
                                       workspace.size(), in.shape.ToString(), executor.workers(), need));
  }
  if (out_shape.NumElements() > 0) c.Run(in, out, type, workspace.data(), executor);
  return OkStatus();
}

}  // namespace lq
