// How fast encodings of large models are read, and the memory that this takes above the encodings themselves:
// read/VERSION/one or memory: 1 or 70 layers, each with 1 Mi integer block scales (8192 x 8192 weights in blocks of
// 64), 4 MB of text.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "runtime/io/encodings_reader.h"

namespace lq::bench {
namespace {

constexpr size_t kChannels = 8192, kBlocks = 128;

// "VmRSS" or "VmHWM" of this process, in bytes.
double Memory(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != name + ":") continue;
    double kilobytes = 0;
    status >> kilobytes;
    return 1024 * kilobytes;
  }
  return 0;
}

// Gives freed memory back, too: what is above it counts.
void ForgetPeak() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  std::ofstream("/proc/self/clear_refs") << 5;
}

void Append(std::string& text, uint32_t scale, bool first) {
  if (!first) text += ", ";
  text += std::to_string(scale);
}

// As json.dump of Python writes it.
std::string Layer(const std::string& version, size_t index, std::mt19937& engine) {
  const bool nested = version == "2.1.0";
  std::string integers = "[", floats = "[";
  for (size_t c = 0; c < kChannels; ++c) {
    if (nested) integers += c == 0 ? "[" : ", [";
    for (size_t b = 0; b < kBlocks; ++b) Append(integers, 1 + engine() % 16, b == 0 && (nested || c == 0));
    if (nested) integers += "]";
    floats += (c == 0 ? "" : ", ") + std::to_string(1e-3 + 1e-12 * static_cast<double>(engine()));
  }
  const std::string name = "{\"name\": \"layer" + std::to_string(index) + ".weight\", ";
  if (nested) {
    return name + R"("output_dtype": "int4", "axis": 1, "block_size": 64, "y_scale": {"x": )" + integers +
           R"(], "x_scale": )" + floats + R"(], "axis": 0}})";
  }
  std::string offsets = "[-128";
  for (size_t c = 1; c < kChannels; ++c) offsets += ", -128";
  return name +
         R"("dtype": "INT", "enc_type": "LPBQ", "bw": 8, "compressed_bw": 4, "is_sym": true, "block_size": 64, )" +
         R"("per_block_int_scale": )" + integers + R"(], "scale": )" + floats + R"(], "offset": )" + offsets + "]}";
}

double Bytes(const EncodingsFile& file) {
  size_t bytes = 0;
  for (const EncodingEntry& e : file.entries) {
    bytes += e.scale.size() * sizeof(float) + e.offset.size() * sizeof(double) +
             e.per_block_int_scale.size() * sizeof(uint32_t);
  }
  return static_cast<double>(bytes);
}

void Read(benchmark::State& state, const std::string& version, size_t layers) {
  const std::string path = std::filesystem::temp_directory_path() / "lanequant_read_encodings_bench.json";
  std::mt19937 engine(1);
  {
    std::ofstream out(path);
    out << R"({"version": ")" << version << R"(", ")" << (version == "2.1.0" ? "encodings" : "param_encodings")
        << "\": [";
    for (size_t i = 0; i < layers; ++i) out << (i == 0 ? "" : ", ") << Layer(version, i, engine);
    out << "]}";
  }
  double over = 0;
  for (auto _ : state) {
    ForgetPeak();
    const double before = Memory("VmRSS");
    const Result<EncodingsFile> file = ReadEncodings(path);
    if (!file.ok()) {
      state.SkipWithError(file.status().message().c_str());
      break;
    }
    over = Memory("VmHWM") - before - Bytes(*file);
  }
  state.counters["file_MB"] = 1e-6 * static_cast<double>(std::filesystem::file_size(path));
  state.counters["over_MB"] = 1e-6 * over;
  std::filesystem::remove(path);
}

const bool kRegistered = [] {
  for (const char* version : {"1.0.0", "2.1.0"}) {
    for (const size_t layers : {1, 70}) {
      const std::string name = std::string("read/") + version + (layers == 1 ? "/one" : "/memory");
      benchmark::RegisterBenchmark(name.c_str(), Read, version, layers)->UseRealTime()->Unit(benchmark::kMillisecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace lq::bench

BENCHMARK_MAIN();
