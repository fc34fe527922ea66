# Highway >= 1.2 as hwy::hwy: the system's, else version 1.2.0 from LQ_HIGHWAY_ARCHIVE or from its release address.
# One that was fetched is a part of our library and is neither installed nor seen by those who link it.
set(LQ_HIGHWAY_FETCHED FALSE)
if(NOT TARGET hwy::hwy AND NOT FETCHCONTENT_SOURCE_DIR_HWY AND NOT LQ_HIGHWAY_ARCHIVE)
  find_package(hwy 1.2...<2 CONFIG QUIET)
endif()
if(NOT TARGET hwy::hwy AND TARGET hwy)  # of a project that we are a part of
  add_library(hwy::hwy ALIAS hwy)
endif()
if(TARGET hwy::hwy)
  return()
endif()

include(FetchContent)
include(HighwayRelease)
set(LQ_HIGHWAY_FETCHED TRUE)
set(archive "${LQ_HIGHWAY_ARCHIVE}")
if(NOT archive AND EXISTS ${PROJECT_SOURCE_DIR}/build/${LQ_HIGHWAY_FILE})  # where cmake/run puts it
  set(archive ${PROJECT_SOURCE_DIR}/build/${LQ_HIGHWAY_FILE})
elseif(NOT archive AND NOT FETCHCONTENT_SOURCE_DIR_HWY)
  set(archive ${CMAKE_BINARY_DIR}/${LQ_HIGHWAY_FILE})
  lq_download_highway(${archive} problem)
  if(problem)
    message(FATAL_ERROR "Highway 1.2 is not installed, and ${LQ_HIGHWAY_URL} cannot be had (${problem}). Run cmake/run, "
                        "which knows another source, or name the downloaded archive by -DLQ_HIGHWAY_ARCHIVE=FILE.")
  endif()
endif()

set(HWY_ENABLE_TESTS OFF CACHE BOOL "")
set(HWY_ENABLE_EXAMPLES OFF CACHE BOOL "")
set(HWY_ENABLE_CONTRIB OFF CACHE BOOL "")
set(HWY_ENABLE_INSTALL OFF CACHE BOOL "")
set(HWY_FORCE_STATIC_LIBS ON CACHE BOOL "")
FetchContent_Declare(hwy SYSTEM  # SYSTEM first: CMake 3.25.1 takes it for a part of the hash where it follows one
  URL ${archive}
  URL_HASH SHA256=${LQ_HIGHWAY_SHA256}
  DOWNLOAD_EXTRACT_TIMESTAMP FALSE)
FetchContent_MakeAvailable(hwy)
set_property(DIRECTORY ${hwy_SOURCE_DIR} PROPERTY EXCLUDE_FROM_ALL ON)  # a program in it lists targets when it is built
get_target_property(sources hwy SOURCES)  # without what nobody calls here: 14 s, most of it per_target for all targets
list(FILTER sources EXCLUDE REGEX "hwy/(nanobenchmark|per_target|print|timer)\\.cc$")
set_property(TARGET hwy PROPERTY SOURCES ${sources})
if(NOT TARGET hwy::hwy)
  add_library(hwy::hwy ALIAS hwy)
endif()
