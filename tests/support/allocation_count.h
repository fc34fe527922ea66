// Counts the allocations of a test program that calls this: operator new is replaced in the file that defines it.
#ifndef LANEQUANT_TESTS_SUPPORT_ALLOCATION_COUNT_H_
#define LANEQUANT_TESTS_SUPPORT_ALLOCATION_COUNT_H_

#include <cstddef>

namespace lq::testing {

// Calls of operator new since the program began, in all threads.
size_t AllocationCount();

}  // namespace lq::testing

#endif  // LANEQUANT_TESTS_SUPPORT_ALLOCATION_COUNT_H_
