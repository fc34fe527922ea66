// A peer: matrix products of ggml (float activations, which it quantizes to 8 bits in blocks; weights Q8_0, Q4_0, Q4_K,
// each in the layout that ggml's CPU backend prefers for them), timed as JSON for linear_peers.py. Not part of the
// build. ggml comes with the source distribution of llama-cpp-python on PyPI, as vendor/llama.cpp/ggml, $G:
//   touch $G/ggml.pc.in
//   O="-DCMAKE_BUILD_TYPE=Release -DGGML_OPENMP=OFF -DBUILD_SHARED_LIBS=OFF -DGGML_BUILD_TESTS=OFF"
//   cmake -S $G -B g $O -DGGML_BUILD_EXAMPLES=OFF && cmake --build g
//   L="g/src/libggml.a g/src/libggml-cpu.a g/src/libggml-base.a -lpthread -ldl"
//   g++ -O2 -I$G/include bench/peers/ggml_linear.cc $L -o ggml_linear && taskset -c 0 ./ggml_linear NxK M 1
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "ggml: %s\n", what);
  std::exit(1);
}

ggml_context* Context() {
  return ggml_init({/*mem_size=*/64 * ggml_tensor_overhead() + ggml_graph_overhead(), nullptr, /*no_alloc=*/true});
}

// The layouts that the CPU backend has beside the plain one, the preferred one first; null where none takes the type.
ggml_backend_buffer_type_t PreferredBuffer(ggml_backend_dev_t device, ggml_tensor* product) {
  const auto extra = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(
      ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), "ggml_backend_dev_get_extra_bufts"));
  for (ggml_backend_buffer_type_t* type = extra == nullptr ? nullptr : extra(device); type && *type; ++type) {
    ggml_backend_buffer_t empty = ggml_backend_buft_alloc_buffer(*type, 0);
    product->src[0]->buffer = empty;
    const bool takes = ggml_backend_dev_supports_op(device, product);
    product->src[0]->buffer = nullptr;
    ggml_backend_buffer_free(empty);
    if (takes) return *type;
  }
  return ggml_backend_cpu_buffer_type();
}

double BestSeconds(ggml_backend_t backend, const int64_t (&mnk)[3], ggml_type type) {
  const auto [m, n, k] = mnk;
  ggml_context* weights = Context();
  ggml_context* rest = Context();
  ggml_tensor* w = ggml_new_tensor_2d(weights, type, k, n);
  ggml_tensor* x = ggml_new_tensor_2d(rest, GGML_TYPE_F32, k, m);
  ggml_tensor* y = ggml_mul_mat(rest, w, x);
  ggml_backend_buffer_type_t buffer = PreferredBuffer(ggml_backend_get_device(backend), y);
  if (ggml_backend_alloc_ctx_tensors_from_buft(weights, buffer) == nullptr) Fail("no memory for the weights");
  if (ggml_backend_alloc_ctx_tensors_from_buft(rest, ggml_backend_cpu_buffer_type()) == nullptr) Fail("no memory");

  std::vector<float> values(static_cast<size_t>(k * std::max(m, n)));
  uint32_t seed = 1;
  for (float& value : values)
    value = static_cast<float>(static_cast<int32_t>(seed = seed * 1664525 + 1013904223)) * 0x1p-31f;
  std::vector<uint8_t> codes(ggml_nbytes(w));
  ggml_quantize_chunk(type, values.data(), codes.data(), 0, n, k, nullptr);
  ggml_backend_tensor_set(w, codes.data(), 0, codes.size());
  ggml_backend_tensor_set(x, values.data(), 0, ggml_nbytes(x));
  ggml_cgraph* graph = ggml_new_graph(rest);
  ggml_build_forward_expand(graph, y);

  double best = 1e9, total = 0;
  for (int run = 0; run < 11 || total < 0.3; ++run) {
    const auto start = std::chrono::steady_clock::now();
    if (ggml_backend_graph_compute(backend, graph) != GGML_STATUS_SUCCESS) Fail("compute failed");
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (run != 0) best = std::min(best, seconds);
    total += seconds;
  }
  return best;  // the process ends soon: nothing is freed
}

}  // namespace

int main(int argc, char** argv) {
  int64_t mnk[3];
  if (argc != 4 || std::sscanf(argv[1], "%ldx%ld", &mnk[1], &mnk[2]) != 2 || (mnk[0] = std::atol(argv[2])) < 1) {
    Fail("usage: ggml_linear NxK M THREADS");
  }
  ggml_backend_t backend = ggml_backend_cpu_init();
  if (backend == nullptr) Fail("no CPU backend");
  const int threads = std::atoi(argv[3]);
  if (threads < 1) Fail("usage: ggml_linear NxK M THREADS");
  ggml_backend_cpu_set_n_threads(backend, threads);
  const char* separator = "[";
  for (const ggml_type type : {GGML_TYPE_Q8_0, GGML_TYPE_Q4_0, GGML_TYPE_Q4_K}) {
    std::printf("%s{\"version\": \"%s\", \"weights\": \"%s\", \"seconds\": %.9f}", separator, ggml_version(),
                ggml_type_name(type), BestSeconds(backend, mnk, type));
    separator = ", ";
  }
  std::puts("]");
}
