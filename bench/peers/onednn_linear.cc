// A peer: matrix products of oneDNN 3 (u8 activations; s8 weights to s32, s4 weights with a scale per channel to f32),
// timed as JSON for linear_peers.py. Not part of the build; with onednn-devel of PyPI in a virtual environment $V:
//   g++ -O2 -I$V/include bench/peers/onednn_linear.cc -L$V/lib -l:libdnnl.so.3 -Wl,-rpath-link,$V/lib -o onednn_linear
//   LD_LIBRARY_PATH=$V/lib OCL_ICD_FILENAMES=$V/lib/libintelocl.so OMP_NUM_THREADS=1 taskset -c 0 ./onednn_linear NxK M
#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

void Check(dnnl_status_t status, const char* what) {
  if (status == dnnl_success) return;
  std::fprintf(stderr, "oneDNN: %s: status %d\n", what, static_cast<int>(status));
  std::exit(1);
}
#define CHECK(call) Check(call, #call)

dnnl_memory_t Memory(dnnl_engine_t engine, const_dnnl_memory_desc_t desc) {
  const size_t bytes = (dnnl_memory_desc_get_size(desc) + 4095) / 4096 * 4096;
  auto* data = static_cast<unsigned char*>(std::aligned_alloc(4096, bytes));
  for (size_t i = 0; i < bytes; ++i) data[i] = static_cast<unsigned char>(i * 7);
  dnnl_memory_t memory;
  CHECK(dnnl_memory_create(&memory, desc, engine, data));
  return memory;
}

dnnl_memory_desc_t Matrix(dnnl_dim_t rows, dnnl_dim_t columns, dnnl_data_type_t type, dnnl_format_tag_t tag) {
  const dnnl_dims_t dims = {rows, columns};
  dnnl_memory_desc_t desc;
  CHECK(dnnl_memory_desc_create_with_tag(&desc, 2, dims, type, tag));
  return desc;
}

double BestSeconds(dnnl_engine_t engine, dnnl_stream_t stream, const dnnl_dim_t (&mnk)[3], dnnl_data_type_t weights) {
  const auto [m, n, k] = mnk;
  const bool s4 = weights == dnnl_s4;
  const dnnl_memory_desc_t a = Matrix(m, k, dnnl_u8, dnnl_ab);
  const dnnl_memory_desc_t b = Matrix(k, n, weights, s4 ? dnnl_ba : dnnl_format_tag_any);
  const dnnl_memory_desc_t c = Matrix(m, n, s4 ? dnnl_f32 : dnnl_s32, dnnl_ab);
  dnnl_primitive_attr_t attributes;
  CHECK(dnnl_primitive_attr_create(&attributes));
  if (s4) CHECK(dnnl_primitive_attr_set_scales_mask(attributes, DNNL_ARG_WEIGHTS, 2));
  dnnl_primitive_desc_t desc;
  CHECK(dnnl_matmul_primitive_desc_create(&desc, engine, a, b, nullptr, c, attributes));
  dnnl_primitive_t primitive;
  CHECK(dnnl_primitive_create(&primitive, desc));
  std::vector<dnnl_exec_arg_t> args = {
      {DNNL_ARG_SRC, Memory(engine, a)},
      {DNNL_ARG_WEIGHTS, Memory(engine, dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0))},
      {DNNL_ARG_DST, Memory(engine, c)}};
  if (s4) {
    const dnnl_dims_t dims = {n};
    dnnl_memory_desc_t scales;
    CHECK(dnnl_memory_desc_create_with_tag(&scales, 1, dims, dnnl_f32, dnnl_a));
    args.push_back({DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, Memory(engine, scales)});
  }
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  const auto end = Clock::now() + std::chrono::milliseconds(300);
  for (int runs = 0; runs < 12 || Clock::now() < end; ++runs) {
    const auto start = Clock::now();
    CHECK(dnnl_primitive_execute(primitive, stream, static_cast<int>(args.size()), args.data()));
    CHECK(dnnl_stream_wait(stream));
    if (runs > 0) best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  long long n, k, m;
  if (argc != 3 || std::sscanf(argv[1], "%lldx%lld", &n, &k) != 2 || std::sscanf(argv[2], "%lld", &m) != 1) {
    std::fprintf(stderr, "usage: onednn_linear NxK M\n");
    return 2;
  }
  dnnl_engine_t engine;
  CHECK(dnnl_engine_create(&engine, dnnl_cpu, 0));
  dnnl_stream_t stream;
  CHECK(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
  const dnnl_version_t* version = dnnl_version();
  const char* separator = "[";
  for (const dnnl_data_type_t weights : {dnnl_s8, dnnl_s4}) {
    const double seconds = BestSeconds(engine, stream, {m, n, k}, weights);
    std::printf("%s{\"version\": \"%d.%d.%d\", \"weights\": \"%s\", \"seconds\": %.9f}", separator, version->major,
                version->minor, version->patch, weights == dnnl_s4 ? "s4" : "s8", seconds);
    separator = ",\n ";
  }
  std::puts("]");
}
