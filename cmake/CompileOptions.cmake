# One set of options for everything: C++20, and no contraction into FMA, which would change bits.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
  endif()
  set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
  if(LQ_SANITIZE)  # compiles in half the time of -O2: 46 s for matmul_u8s4.cc instead of 91 s
    set(CMAKE_CXX_FLAGS_RELEASE "-O1 -DNDEBUG")
  endif()
endif()

# Headers that most files include, compiled once: a third of the time of a build from nothing. The preset `clang` builds
# without them and shows who forgot an include.
set(LQ_PRECOMPILED <algorithm> <cmath> <cstddef> <cstdint> <cstring> <limits> <map> <memory> <optional> <span> <string>
                   <utility> <variant> <vector> <fmt/format.h>)

add_library(lq_options INTERFACE)
target_compile_options(lq_options INTERFACE -ffp-contract=off -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # collects its garbage above 256 MiB only: up to a tenth of a file's time
  target_compile_options(lq_options INTERFACE --param=ggc-min-heapsize=262144)
endif()
if(LQ_WERROR)
  target_compile_options(lq_options INTERFACE -Werror)
endif()
# AVX3_DL: Ice Lake has VNNI; Highway 1.2 leaves it out. AVX3_ZEN4 and AVX3_SPR add nothing to it that is of use here
# (bfloat16, float16 arithmetic), nor SSSE3 to SSE2: kernels are most of the time of a build. SVE and SVE2 run where
# SVE_256 and SVE2_128 would: those have a size, which their vectors still have not in arrays and structs.
set(LQ_DISABLED_TARGETS HWY_SSSE3|HWY_AVX3_ZEN4|HWY_AVX3_SPR|HWY_SVE_256|HWY_SVE2_128)
target_compile_definitions(lq_options INTERFACE HWY_WANT_AVX3_DL "HWY_DISABLED_TARGETS=(${LQ_DISABLED_TARGETS})")
if(LQ_TARGETS STREQUAL "native")
  target_compile_options(lq_options INTERFACE -march=native)
  target_compile_definitions(lq_options INTERFACE HWY_COMPILE_ONLY_STATIC)
elseif(NOT LQ_TARGETS STREQUAL "all")
  message(FATAL_ERROR "LQ_TARGETS is '${LQ_TARGETS}'; it can be 'all' or 'native'")
endif()
if(LQ_SANITIZE)
  target_compile_options(lq_options INTERFACE
    -fsanitize=${LQ_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(lq_options INTERFACE -fsanitize=${LQ_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # 12 sees it in a move of std::variant, with the sanitizers' code in between
    target_compile_options(lq_options INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()
if(LQ_BUILD_FUZZERS)
  target_compile_options(lq_options INTERFACE -fsanitize=fuzzer-no-link)  # counts branches
endif()
