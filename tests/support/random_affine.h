// Random problems for the bulk affine quantizers: shapes, blocks, grids, scales, offsets and values that rounding may
// get wrong.
#ifndef LANEQUANT_TESTS_SUPPORT_RANDOM_AFFINE_H_
#define LANEQUANT_TESTS_SUPPORT_RANDOM_AFFINE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/support/affine_oracle.h"
#include "tests/support/random.h"

namespace lq::testing {

// Of about `elements` elements at most. Every choice that is not given is drawn; the library accepts the result.
AffineProblem RandomAffineProblem(DType real, DType codes, RoundingProfile profile, size_t elements, Random& random);

// As many scales and offsets as the problem's scale_shape asks for, and a type for them. Its grid is set.
void DrawScales(AffineProblem& problem, Random& random);

std::vector<float> RandomReals(const AffineProblem& problem, Random& random);
// On the grid.
std::vector<int64_t> RandomCodes(const AffineProblem& problem, Random& random);

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_RANDOM_AFFINE_H_
