# Who may include whom, checked on the text of the sources; and every public header compiles by itself.
# Variables: SOURCE (the project), CXX.
set(problems)

# forbid(FILES REGEX WHY [EXCEPT REGEX]): no file of the glob list FILES includes what the regular expression matches.
function(forbid files regex why)
  cmake_parse_arguments(PARSE_ARGV 3 arg "" "EXCEPT" "")
  list(TRANSFORM files PREPEND ${SOURCE}/)
  file(GLOB_RECURSE found RELATIVE ${SOURCE} ${files})
  if(NOT found)
    list(APPEND problems "no file matches ${files}: this test checks nothing there")
  endif()
  foreach(file IN LISTS found)
    if(file MATCHES "^tests/install_test/" OR (arg_EXCEPT AND file MATCHES "${arg_EXCEPT}"))
      continue()
    endif()
    file(STRINGS ${SOURCE}/${file} lines REGEX "^[ \t]*#[ \t]*include[ \t]*[<\"](${regex})")
    foreach(line IN LISTS lines)
      list(APPEND problems "${file}: ${line}: ${why}")
    endforeach()
  endforeach()
  set(problems ${problems} PARENT_SCOPE)
endfunction()

set(all include/*.h kernels/*.h kernels/*.cc runtime/*.h runtime/*.cc bench/*.h bench/*.cc tests/*.h tests/*.cc)
set(kernels kernels/*.h kernels/*.cc)
set(runtime runtime/*.h runtime/*.cc)
forbid("${kernels}" "(runtime|bench|tests)/" "kernels know include/ only")
forbid("${runtime}" "(bench|tests)/" "the runtime and the program know neither benchmarks nor tests")
forbid("${runtime}" "runtime/cli/" "only the program knows the program" EXCEPT "^runtime/cli/")
forbid("bench/*.h;bench/*.cc" "(tests|runtime/cli)/" "the benchmarks know neither the tests nor the program")
forbid("kernels/reference/*" "kernels/([^ar]|r[^e]|a[^r])" "references share no line with kernels but the names of arithmetic.h")
forbid("${kernels}" "kernels/reference/" "kernels share no line with references" EXCEPT "^kernels/reference/")
forbid("${all}" "hwy/" "Highway stays in kernels/*.cc, -inl.h and runnable.h"
       EXCEPT "^kernels/([a-z0-9_]*\\.cc|[a-z0-9_]*-inl\\.h|runnable\\.h)$")
forbid("${all}" "(oneapi/)?tbb/" "oneTBB stays in runtime/executor_tbb.cc" EXCEPT "^runtime/executor_tbb\\.cc$")
forbid("${all}" "(protozero/|simdjson|zip\\.h)" "readers stay in runtime/io/" EXCEPT "^runtime/io/")
forbid("${all}" "nanobind/" "nanobind stays in runtime/python/" EXCEPT "^runtime/python/")
forbid("runtime/python/*.h;runtime/python/*.cc" "(runtime/[^p]|kernels/|lanequant/[^l])"
       "the Python package is made of the C API")
forbid("${all}" "CLI/" "CLI11 stays in runtime/cli/" EXCEPT "^runtime/cli/")
forbid("include/*.h;${kernels}" "fmt/" "fmt is for the runtime and what lies above it")

# Public headers: the standard library and each other.
file(GLOB headers RELATIVE ${SOURCE}/include ${SOURCE}/include/lanequant/*.h)
foreach(header IN LISTS headers)
  file(STRINGS ${SOURCE}/include/${header} lines REGEX "^[ \t]*#[ \t]*include")
  foreach(line IN LISTS lines)
    if(NOT line MATCHES "#include (<[a-z_0-9]+(\\.h)?>|\"lanequant/[a-z_0-9]+\\.h\")")
      list(APPEND problems "include/${header}: ${line}: public headers include the standard library and lanequant/ only")
    endif()
  endforeach()
  execute_process(
    COMMAND ${CXX} -std=c++20 -fno-exceptions -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror
            -fsyntax-only -I${SOURCE}/include -include ${header} -x c++ /dev/null
    RESULT_VARIABLE result ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(APPEND problems "include/${header} does not compile by itself: ${output}")
  endif()
endforeach()

if(problems)
  list(JOIN problems "\n" text)
  message(FATAL_ERROR "${text}")
endif()
