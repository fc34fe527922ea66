// What tests ask of an error: its code, and the names and numbers that its sentence must hold.
#ifndef LANEQUANT_TESTS_SUPPORT_EXPECT_ERROR_H_
#define LANEQUANT_TESTS_SUPPORT_EXPECT_ERROR_H_

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

#include "lanequant/status.h"

namespace lq::testing {

inline void ExpectError(const Status& status, StatusCode code, std::initializer_list<const char*> parts) {
  EXPECT_EQ(static_cast<int>(status.code()), static_cast<int>(code)) << status.message();
  for (const char* part : parts) {
    EXPECT_NE(status.message().find(part), std::string::npos) << "'" << part << "' is not in: " << status.message();
  }
}

inline void ExpectInvalid(const Status& status, std::initializer_list<const char*> parts) {
  ExpectError(status, StatusCode::kInvalidArgument, parts);
}
inline void ExpectUnsupported(const Status& status, std::initializer_list<const char*> parts) {
  ExpectError(status, StatusCode::kUnsupported, parts);
}

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_EXPECT_ERROR_H_
