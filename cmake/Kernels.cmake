# lq_add_kernels(DISABLED a b ...): kernels/a.cc into the library, for all of Highway's targets but DISABLED;
# tests/kernels/a_test.cc and bench/a_bench.cc are built beside it.
# A missing file stops the configuration: a kernel without a test or a benchmark does not exist.
function(lq_add_kernels disabled)
  foreach(name IN LISTS ARGN)
    foreach(file kernels/${name}.cc tests/kernels/${name}_test.cc bench/${name}_bench.cc)
      if(NOT EXISTS ${PROJECT_SOURCE_DIR}/${file})
        message(FATAL_ERROR "Kernel ${name}: ${file} is missing")
      endif()
    endforeach()
    target_sources(lq_objects PRIVATE ${PROJECT_SOURCE_DIR}/kernels/${name}.cc)
    set_property(SOURCE ${PROJECT_SOURCE_DIR}/kernels/${name}.cc TARGET_DIRECTORY lq_objects
                 APPEND PROPERTY COMPILE_DEFINITIONS HWY_DISABLED_TARGETS=${disabled})
  endforeach()
endfunction()
