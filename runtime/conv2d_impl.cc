#include "runtime/conv2d_impl.h"

#include <algorithm>

#include "runtime/patches.h"
#include "runtime/run_tasks.h"
#include "runtime/views.h"

namespace lq {
namespace {

// Patches of a task stay in the second-level cache, beside the panel that they are multiplied with.
constexpr size_t kPatchBytes = 256 * 1024;

// Rows of output pixels of a task from which on it is worth to go through all weights again.
constexpr size_t kTaskRows = 32;

// kSerialWork of convolutions: as small as that they run at half of the speed it assumes (120 multiplications per ns),
// depthwise ones at a sixth.
constexpr double kSerialConv = kSerialWork / 2, kSerialDepthwise = kSerialWork / 6;

size_t Pixels(const Shape& out) { return static_cast<size_t>(out[0] * out[1] * out[2]); }

// Multiplications of codes in the time of one.
constexpr size_t CostOf(const Gemm&) { return 1; }
constexpr size_t CostOf(const FloatGemm&) { return FloatGemm::kIntegerProducts; }

}  // namespace

struct Conv2d::Impl::Image {
  const std::byte* in;
  std::byte* out;
  size_t out_element;
  Shape out_shape;
  kernels::Window window;
  kernels::OutputType type;
};

kernels::Window Conv2d::Impl::MakeWindow(const Shape& in, const Shape& out) const {
  return {.in_height = static_cast<size_t>(in[1]),
          .in_width = static_cast<size_t>(in[2]),
          .channels = in_channels,
          .out_height = static_cast<size_t>(out[1]),
          .out_width = static_cast<size_t>(out[2]),
          .kernel_height = kernel[0],
          .kernel_width = kernel[1],
          .stride_height = stride[0],
          .stride_width = stride[1],
          .dilation_height = dilation[0],
          .dilation_width = dilation[1],
          .pad_top = padding[0],
          .pad_left = padding[1],
          .y_begin = 0,
          .y_end = static_cast<size_t>(out[1])};
}

bool Conv2d::Impl::ReadsImage() const {
  const std::array<size_t, 2> one{1, 1};
  const bool whole_quads = ElementBytes() > 1 || in_channels / groups % 4 == 0;
  return kernel == one && stride == one && padding == std::array<size_t, 4>{} && whole_quads;
}

size_t Conv2d::Impl::ElementBytes() const { return input ? CodeBytes(input->grid) : sizeof(float); }

template <class AnyGemm>
size_t Conv2d::Impl::PatchStride(const AnyGemm& gemm) const {
  return RoundUp(gemm.k() * ElementBytes(), 4) + kPatchSlack;
}

// By pixels where these are many: then no patch is gathered twice, and what a task reads of the image and writes stays
// in the second-level cache for all channels. Else, as linear layers, by channels.
template <class AnyGemm>
Partition Conv2d::Impl::Cut(const AnyGemm& gemm, const Shape& out, size_t workers) const {
  const size_t m = Pixels(out), out_bytes = gemm.n() > kernels::kPanelChannels ? gemm.n() : 0;
  const size_t row_bytes = (ReadsImage() ? in_channels * ElementBytes() : PatchStride(gemm)) + out_bytes;
  const size_t max_rows = std::max<size_t>(kTaskRows, kPatchBytes / row_bytes);
  const size_t tasks = workers == 1 ? 1 : kTasksPerWorker * workers;
  if (m < tasks * kTaskRows) return MakePartition(m, gemm.n(), CostOf(gemm) * gemm.k(), workers, max_rows);
  return PartitionRows(m, gemm.n(), tasks, max_rows);
}

template <class AnyGemm>
size_t Conv2d::Impl::WorkerBytes(const AnyGemm& gemm, const Partition& cut) const {
  const size_t patches = ReadsImage() ? 0 : RoundUp(cut.m_step * PatchStride(gemm), kAlignment);
  return patches + gemm.ScratchBytes(cut.m_step);
}

template <class AnyGemm>
size_t Conv2d::Impl::GemmBytes(const AnyGemm& gemm, const Shape& out, size_t workers) const {
  return workers * WorkerBytes(gemm, Cut(gemm, out, workers));
}

size_t Conv2d::Impl::WorkspaceBytes(const Shape& in, const Shape& out, size_t workers) const {
  const size_t in_bytes = static_cast<size_t>(in.NumElements()) * ElementBytes();
  size_t bytes = kAlignment + (input && input->grid.is_signed ? RoundUp(in_bytes, kAlignment) : 0);
  const kernels::Window window = MakeWindow(in, out);
  if (const Gemm* gemm = LineGemm(window)) {
    const ImageLines lines(window, static_cast<uint8_t>(zero_code));
    return bytes + workers * LineWorkerBytes(*gemm, lines, CutLines(*gemm, lines, out, workers), window.out_width);
  }
  if (const auto* gemm = std::get_if<Gemm>(&engine)) bytes += GemmBytes(*gemm, out, workers);
  if (const auto* gemm = std::get_if<FloatGemm>(&engine)) bytes += GemmBytes(*gemm, out, workers);
  return bytes;
}

void Conv2d::Impl::GatherRows(const PatchSpec& spec, const std::byte* in, Range rows, std::byte* out) const {
  const size_t count = rows.end - rows.begin;
  if (ElementBytes() == 1) GatherPatches<uint8_t>(spec, in, rows.begin, count, out);
  if (ElementBytes() == 2) GatherPatches<uint16_t>(spec, in, rows.begin, count, out);
  if (ElementBytes() == 4) GatherPatches<float>(spec, in, rows.begin, count, out);
}

template <class AnyGemm>
void Conv2d::Impl::RunGemm(const AnyGemm& gemm, const Image& image, std::byte* scratch, Executor& executor) const {
  const Partition cut = Cut(gemm, image.out_shape, executor.workers());
  const size_t worker_bytes = WorkerBytes(gemm, cut), group_channels = in_channels / groups;
  const size_t out_row = out_channels * image.out_element;
  const size_t work = Pixels(image.out_shape) * out_channels * gemm.k() * CostOf(gemm);
  Executor& shared = static_cast<double>(work) < kSerialConv ? SerialExecutor() : executor;
  // Groups are tasks of their own: those of depthwise layers with a channel multiplier are many and small.
  RunTasks(shared, cut.tasks() * groups, [&](size_t index, size_t worker) {
    const size_t group = index / cut.tasks(), task = index % cut.tasks();
    const Range rows = cut.Rows(task), channels = cut.Channels(task);
    const size_t first_channel = group * group_channels;
    std::byte* memory = scratch + worker * worker_bytes;
    typename AnyGemm::Rows r{image.in + (rows.begin * in_channels + first_channel) * ElementBytes(),
                             in_channels * ElementBytes(),
                             rows.end - rows.begin,
                             image.out + rows.begin * out_row,
                             out_channels,
                             image.type};
    if (!ReadsImage()) {
      const size_t stride_bytes = PatchStride(gemm);
      GatherRows({image.window, group_channels, first_channel, zero_code, stride_bytes}, image.in, rows, memory);
      r.a = memory;
      r.a_stride = stride_bytes;
      memory += RoundUp(cut.m_step * stride_bytes, kAlignment);
    }
    gemm.Run(r, group, channels.begin, channels.end, memory);
  });
}

const Gemm* Conv2d::Impl::LineGemm(const kernels::Window& window) const {
  const auto* gemm = std::get_if<Gemm>(&engine);
  const bool reads = gemm != nullptr && gemm->ReadsPatches() && groups == 1 && !ReadsImage();
  return reads && ImageLines::CanRead(window) ? gemm : nullptr;
}

// As Cut, by whole lines.
Partition Conv2d::Impl::CutLines(const Gemm& gemm, const ImageLines& lines, const Shape& out, size_t workers) const {
  const auto count = static_cast<size_t>(out[0] * out[1]), height = static_cast<size_t>(out[1]);
  const size_t m = Pixels(out), n = gemm.n(), max_lines = std::max<size_t>(1, kPatchBytes / lines.LineBytes());
  const size_t tasks = workers == 1 ? 1 : kTasksPerWorker * workers;
  Partition cut = m < tasks * kTaskRows ? MakePartition(m, n, gemm.k(), workers, m) : PartitionRows(m, n, tasks, m);
  const size_t wanted = std::max({(count + max_lines - 1) / max_lines, std::min(cut.m_tasks, count), size_t{1}});
  cut.m = count;
  cut.m_step = std::max<size_t>(1, (count + wanted - 1) / wanted);
  if (cut.m_step > height) cut.m_step -= cut.m_step % height;  // whole images are one call of the kernel
  cut.m_tasks = (count + cut.m_step - 1) / cut.m_step;
  // Few lines: as many for each worker, in tasks of some of the channels. 14 in tasks of 4 make 8 lines for one of two.
  const size_t share = (count + workers - 1) / workers, most = (cut.m_tasks + workers - 1) / workers * cut.m_step;
  if (cut.n_tasks == 1 && share <= max_lines && 10 * most > 11 * share) {
    const size_t panels = (n + kernels::kPanelChannels - 1) / kernels::kPanelChannels;
    cut.m_step = share;
    cut.m_tasks = (count + share - 1) / share;
    cut.n_step = (panels + kTasksPerWorker - 1) / kTasksPerWorker * kernels::kPanelChannels;
    cut.n_tasks = (n + cut.n_step - 1) / cut.n_step;
  }
  return cut;
}

size_t Conv2d::Impl::LineWorkerBytes(const Gemm& gemm, const ImageLines& lines, const Partition& cut,
                                     size_t width) const {
  return RoundUp(lines.Bytes(cut.m_step), kAlignment) + gemm.ScratchBytes(cut.m_step * width);
}

void Conv2d::Impl::RunLines(const Gemm& gemm, const Image& image, std::byte* scratch, Executor& executor) const {
  const ImageLines lines(image.window, static_cast<uint8_t>(zero_code));
  const size_t width = image.window.out_width, height = image.window.out_height;
  const Partition cut = CutLines(gemm, lines, image.out_shape, executor.workers());
  const size_t worker_bytes = LineWorkerBytes(gemm, lines, cut, width);
  const size_t work = Pixels(image.out_shape) * out_channels * gemm.k();
  Executor& shared = static_cast<double>(work) < kSerialConv ? SerialExecutor() : executor;
  RunTasks(shared, cut.tasks(), [&](size_t task, size_t worker) {
    std::byte* const memory = scratch + worker * worker_bytes;
    std::byte* const gemm_memory = memory + RoundUp(lines.Bytes(cut.m_step), kAlignment);
    const Range all = cut.Rows(task), channels = cut.Channels(task);
    for (Range part = all; part.begin < all.end; part.begin = part.end) {
      const size_t left = all.end - part.begin, of_image = height - part.begin % height;
      part.end = part.begin + (of_image == height && left > height ? left - left % height : std::min(left, of_image));
      const ImageLines::Source source =
          lines.Read(reinterpret_cast<const uint8_t*>(image.in), part, reinterpret_cast<uint8_t*>(memory));
      const Gemm::Rows rows = {.a = reinterpret_cast<const std::byte*>(source.a),
                               .a_stride = source.a_stride,
                               .m = (part.end - part.begin) * width,
                               .out = image.out + part.begin * width * out_channels * image.out_element,
                               .out_stride = out_channels,
                               .out_type = image.type,
                               .patches = &source.patches};
      gemm.Run(rows, 0, channels.begin, channels.end, gemm_memory);
    }
  });
}

template <class Depthwise>
void Conv2d::Impl::RunDepthwise(const Depthwise& layer, const Image& image, Executor& executor) const {
  const kernels::Window& w = image.window;
  const size_t images = static_cast<size_t>(image.out_shape[0]);
  const size_t image_work = w.out_height * w.out_width * w.channels * w.kernel_height * w.kernel_width;
  // Tasks are bands of rows of one image, so that small images go whole and large ones are shared. A kernel goes
  // through its band once for each 64 channels: what it reads should stay in the second-level cache.
  const size_t in_bytes = w.in_height * w.in_width * w.channels * ElementBytes();
  const size_t wanted =
      executor.workers() == 1 || static_cast<double>(image_work) < kSerialDepthwise ? 1 : 2 * executor.workers();
  const size_t bands = std::min(w.out_height, std::max(wanted, in_bytes / kPatchBytes));
  const bool serial = static_cast<double>(image_work) * static_cast<double>(images) < kSerialDepthwise;
  const auto run = [&](size_t index, size_t) {
    const size_t i = index / bands, band = index % bands;
    kernels::Window part = w;
    part.y_begin = w.out_height * band / bands;
    part.y_end = w.out_height * (band + 1) / bands;
    const auto* in = reinterpret_cast<const typename Depthwise::Input*>(image.in);
    layer.Run(in + i * w.in_height * w.in_width * w.channels, part,
              image.out + i * w.out_height * w.out_width * w.channels * image.out_element, image.type);
  };
  RunTasks(serial ? SerialExecutor() : executor, images * bands, run);
}

void Conv2d::Impl::Run(const ConstTensorView& in, const TensorView& out, kernels::OutputType type, std::byte* workspace,
                       Executor& executor) const {
  workspace = AlignUp(workspace);
  Image image{in.bytes.data(), out.bytes.data(), SizeOf(out.dtype), out.shape, MakeWindow(in.shape, out.shape), type};
  if (input && input->grid.is_signed) {
    const auto n = static_cast<size_t>(in.shape.NumElements());
    ShiftCodes(input->grid, -input->grid.qmin(), image.in, n, workspace);
    image.in = workspace;
    workspace += RoundUp(n * ElementBytes(), kAlignment);
  }
  if (const Gemm* gemm = LineGemm(image.window)) {
    RunLines(*gemm, image, workspace, executor);
  } else if (const auto* by_rows = std::get_if<Gemm>(&engine)) {
    RunGemm(*by_rows, image, workspace, executor);
  }
  if (const auto* gemm = std::get_if<FloatGemm>(&engine)) RunGemm(*gemm, image, workspace, executor);
  if (const auto* layer = std::get_if<DepthwiseLayer>(&engine)) RunDepthwise(*layer, image, executor);
  if (const auto* layer = std::get_if<FloatDepthwise>(&engine)) RunDepthwise(*layer, image, executor);
  FinishCodes(output, out.bytes.data(), static_cast<size_t>(out.shape.NumElements()));
}

}  // namespace lq
