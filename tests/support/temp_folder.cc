#include "tests/support/temp_folder.h"

namespace lq::testing {

std::string GoldenPath(const std::string& name) { return LQ_TEST_GOLDEN "/" + name; }

}  // namespace lq::testing
