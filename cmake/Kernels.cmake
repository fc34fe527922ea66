# lq_add_kernels(a b ...): kernels/a.cc into the library; tests/kernels/a_test.cc and bench/a_bench.cc are built beside it.
# A missing file stops the configuration: a kernel without a test or a benchmark does not exist.
function(lq_add_kernels)
  foreach(name IN LISTS ARGN)
    foreach(file kernels/${name}.cc tests/kernels/${name}_test.cc bench/${name}_bench.cc)
      if(NOT EXISTS ${PROJECT_SOURCE_DIR}/${file})
        message(FATAL_ERROR "Kernel ${name}: ${file} is missing")
      endif()
    endforeach()
    target_sources(lq_objects PRIVATE ${PROJECT_SOURCE_DIR}/kernels/${name}.cc)
  endforeach()
endfunction()

# lq_add_bulk_kernels(a b ...): likewise, but for fewer targets, as these kernels are most of the time of a build. Not for
# SSE4, which CPUs of before 2013 stop at: SSE2 will do. Nor for AVX3, which is AVX-512 before Ice Lake: memory is what
# these kernels wait for, with AVX2 too.
function(lq_add_bulk_kernels)
  lq_add_kernels(${ARGN})
  list(TRANSFORM ARGN REPLACE "(.+)" "${PROJECT_SOURCE_DIR}/kernels/\\1.cc")
  set_property(SOURCE ${ARGN} TARGET_DIRECTORY lq_objects APPEND PROPERTY COMPILE_OPTIONS
    -UHWY_DISABLED_TARGETS "-DHWY_DISABLED_TARGETS=(${LQ_DISABLED_TARGETS}|HWY_SSE4|HWY_AVX3)")
endfunction()
