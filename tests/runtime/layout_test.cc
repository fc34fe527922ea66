// Images between ONNX's order and the plan's (channels last), element by element.
#include "runtime/plan/layout.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace lq {
namespace {

// Elements move in tiles of 32 x 32: sizes below, at and beyond.
template <class T>
void ExpectBothWays() {
  const Layout layout;
  for (const int64_t channels : {1, 2, 7, 8, 9, 16, 31, 32, 33, 71}) {
    for (const int64_t width : {1, 3, 8, 15, 40, 64}) {
      const Shape plan{2, 3, width, channels};
      const auto count = static_cast<size_t>(plan.NumElements()), pixels = static_cast<size_t>(3 * width),
                 wide = static_cast<size_t>(channels);
      std::vector<T> image(count), onnx(count), back(count);
      for (size_t i = 0; i < count; ++i) image[i] = static_cast<T>(i * 7919 % 65521);
      layout.ToOnnxOrder(image.data(), plan, sizeof(T), onnx.data());
      for (size_t i = 0; i < count; ++i) {
        const size_t b = i / (pixels * wide), c = i / pixels % wide, p = i % pixels;
        ASSERT_EQ(onnx[i], image[(b * pixels + p) * wide + c]) << plan.ToString() << " " << i;
      }
      layout.FromOnnxOrder(onnx.data(), plan, sizeof(T), back.data());
      EXPECT_EQ(back, image) << plan.ToString();
    }
  }
}

TEST(LayoutTest, ImagesGoToOnnxOrderAndBack) {
  ExpectBothWays<uint8_t>();
  ExpectBothWays<uint16_t>();
  ExpectBothWays<float>();
  ExpectBothWays<double>();
}

}  // namespace
}  // namespace lq
