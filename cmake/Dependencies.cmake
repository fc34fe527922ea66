# What is linked, found on the system; only Highway may be fetched. LQ_LIBRARIES: what the library itself needs.
include(Highway)
find_package(PkgConfig REQUIRED)

find_package(fmt REQUIRED)
find_package(simdjson REQUIRED)
# By pkg-config: libzip's own CMake file asks for its command line tools, which Debian has in other packages.
pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip)
find_path(PROTOZERO_INCLUDE_DIR protozero/pbf_reader.hpp REQUIRED)  # headers only, without a CMake file
set(LQ_LIBRARIES fmt::fmt simdjson::simdjson PkgConfig::LIBZIP)
if(LQ_WITH_TBB)
  find_package(TBB REQUIRED)
  list(APPEND LQ_LIBRARIES TBB::tbb)
endif()

if(LQ_BUILD_CLI)
  find_package(CLI11 REQUIRED)
endif()
if(LQ_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
if(LQ_BUILD_BENCH)
  find_package(benchmark REQUIRED)
endif()
