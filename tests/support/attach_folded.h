// Encodings from a graph's own quantizers, as when a model is loaded.
#ifndef LANEQUANT_TESTS_SUPPORT_ATTACH_FOLDED_H_
#define LANEQUANT_TESTS_SUPPORT_ATTACH_FOLDED_H_

#include <gtest/gtest.h>

#include "runtime/passes/passes.h"

namespace lq::testing {

inline void AttachFolded(Graph& graph) {
  const Result<EncodingsFile> quantizers = FoldQuantizers(graph);
  ASSERT_TRUE(quantizers.ok()) << quantizers.status().message();
  const Status attached = AttachEncodings(*quantizers, graph);
  ASSERT_TRUE(attached.ok()) << attached.message();
}

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_ATTACH_FOLDED_H_
