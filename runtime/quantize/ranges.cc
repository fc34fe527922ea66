#include "runtime/quantize/ranges.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/reference/small_floats.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr float kLargestFloat = std::numeric_limits<float>::max();

// As torch.maximum: NaN wins.
float Larger(float a, float b) { return std::isnan(a) ? a : a > b ? a : b; }
float Smaller(float a, float b) { return std::isnan(a) ? a : a < b ? a : b; }

// Python's round((qmin + qmax) / 2): half to even.
int64_t MiddleCode(int64_t qmin, int64_t qmax) {
  const int64_t sum = qmin + qmax;
  const int64_t down = sum >> 1;
  return (sum & 1) == 0 ? down : down + (down & 1);
}

double SmallestScaleOf(int64_t steps) { return std::min(0x1p-23, 0.01 / static_cast<double>(steps)); }

}  // namespace

Status CheckCodeRange(int64_t qmin, int64_t qmax) {
  constexpr int64_t kLargestCode = (int64_t{1} << 32) - 1;
  if (qmin >= qmax || qmin < -kLargestCode || qmax > kLargestCode) {
    return InvalidArgument(fmt::format("qmin {} and qmax {} are no grid: qmin < qmax, both within 2^32", qmin, qmax));
  }
  return OkStatus();
}

float SmallestScale(int64_t steps) { return static_cast<float>(SmallestScaleOf(steps)); }

FloatRange TorchRange(FloatRange observed, const TorchRangeRule& rule) {
  const auto in_type = [&](float x) { return rule.float16 ? reference::RoundToF16(x) : x; };
  const float below = static_cast<float>((rule.steps + 1) / 2), above = static_cast<float>(rule.steps / 2);
  float min = Smaller(observed.min, 0.0f), max = Larger(observed.max, 0.0f);
  const float step = in_type(in_type(max - min) / static_cast<float>(rule.steps));
  const float wider = step < SmallestScale(rule.steps) ? SmallestScale(rule.steps) : 0.0f;
  if (rule.symmetric) {
    max += above * wider;
    min -= below * wider;
    const float codes_above = rule.all_four && rule.steps == 3 ? above + 1 : above;
    const float delta = Larger(max / codes_above, -min / below);
    min = -below * delta;
    max = above * delta;
  } else {
    max += static_cast<float>(rule.steps) * wider;
  }
  const float largest = rule.float16 ? 65504.0f : kLargestFloat;
  return {in_type(Larger(min, -largest)), in_type(Smaller(max, largest))};
}

Result<RangeEncoding> RangeToEncoding(float min, float max, int64_t qmin, int64_t qmax, bool symmetric) {
  LQ_RETURN_IF_ERROR(CheckCodeRange(qmin, qmax));
  const float low = static_cast<float>(qmin), high = static_cast<float>(qmax);
  RangeEncoding encoding{};
  encoding.scale = std::abs((max - min) / static_cast<float>(qmax - qmin));
  encoding.scale = Larger(encoding.scale, SmallestScale(qmax - qmin));
  if (symmetric) {
    encoding.offset = static_cast<float>(-MiddleCode(qmin, qmax));
  } else {
    encoding.offset = std::nearbyint(min / encoding.scale) - low;
    encoding.offset = Smaller(Larger(encoding.offset, -high), -low);
  }
  encoding.min = encoding.scale * (encoding.offset + low);
  encoding.max = encoding.scale * (encoding.offset + high);
  return encoding;
}

ToolEncoding OnnxEncoding(double min, double max, const AnalyzerOptions& options) {
  const int64_t steps = options.qmax - options.qmin;
  const double n = static_cast<double>(steps), low = static_cast<double>(options.qmin);
  const double below = static_cast<double>((steps + 1) / 2), above = static_cast<double>(steps / 2);
  const double smallest = SmallestScaleOf(steps);
  min = std::min(min, 0.0);
  max = std::max(max, 0.0);
  if (options.zero_point_shift != 0) {
    const double delta = std::max(std::max(-min, max) / (n / 2), smallest);
    return {-delta * (n / 2), delta * (n / 2), delta, -n / 2 - low - options.zero_point_shift};
  }
  if (options.symmetric && options.unsigned_symmetric && min == 0) {
    const double delta = std::max(max / n, smallest);
    return {0, delta * n, delta, -low};
  }
  if (options.symmetric) {
    const double codes_above = steps == 3 ? above + 1 : above;  // 2-bit weights use all four codes
    const double delta = std::max(std::max(max / codes_above, -min / below), smallest);
    return {-below * delta, above * delta, delta, -below - low};
  }
  const double delta = std::max((max - min) / n, smallest);
  const double offset = std::clamp(std::round(min / delta), -n, 0.0);  // halves away from zero
  return {delta * offset, delta * (offset + n), delta, offset - low};
}

ToolEncoding TorchEncoding(FloatRange range, const AnalyzerOptions& options) {
  const Result<RangeEncoding> encoding =
      RangeToEncoding(range.min, range.max, options.qmin, options.qmax, options.symmetric);
  return {double{range.min}, double{range.max}, double{encoding->scale}, double{encoding->offset}};
}

ToolEncoding OrtEncoding(FloatRange range, const AnalyzerOptions& options) {
  ToolEncoding encoding{double{range.min}, double{range.max}, 1, 0};
  float min = Smaller(range.min, 0.0f), max = Larger(range.max, 0.0f);
  if (options.symmetric) {
    max = Larger(-min, max);
    min = -max;
  }
  const double scale = (double{max} - double{min}) / static_cast<double>(options.qmax - options.qmin);
  if (scale < double{std::numeric_limits<float>::min()}) return encoding;
  encoding.scale = double{static_cast<float>(scale)};
  encoding.offset = options.symmetric ? -static_cast<double>(MiddleCode(options.qmin, options.qmax))
                                      : -std::nearbyint(static_cast<double>(options.qmin) - double{min} / scale);
  return encoding;
}

ToolEncoding QuarkEncoding(FloatRange range, const AnalyzerOptions& options) {
  const float min = Smaller(range.min, 0.0f), max = Larger(range.max, 0.0f);
  const float steps = static_cast<float>(options.qmax - options.qmin);
  if (options.symmetric) {
    const float scale = Larger(Larger(-min, max) / (steps / 2), 0x1p-23f);
    return {double{min}, double{max}, double{scale}, 0};
  }
  const float scale = Larger((max - min) / steps, 0x1p-23f);
  const float low = static_cast<float>(options.qmin), high = static_cast<float>(options.qmax);
  const float zero_point = Smaller(Larger(low - std::nearbyint(min / scale), low), high);
  return {double{min}, double{max}, double{scale}, -double{zero_point}};
}

}  // namespace lq
