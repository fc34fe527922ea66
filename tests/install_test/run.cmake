# Installs the build, moves what was installed, and builds and runs a consumer of it, found once by CMake and once by
# pkg-config. Variables: BUILD (the build folder), WORK (an own folder), SOURCE (of the consumer), CXX, LIBDIR.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "${command}\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/first)
file(RENAME ${WORK}/first ${WORK}/moved)

run(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/consumer -G Ninja -DCMAKE_CXX_COMPILER=${CXX}
    -DCMAKE_PREFIX_PATH=${WORK}/moved)
run(${CMAKE_COMMAND} --build ${WORK}/consumer)
set(ENV{LD_LIBRARY_PATH} ${WORK}/moved/${LIBDIR})
run(${WORK}/consumer/consumer)

set(ENV{PKG_CONFIG_PATH} ${WORK}/moved/${LIBDIR}/pkgconfig)
execute_process(COMMAND pkg-config --cflags --libs lanequant OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE
                COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(flags UNIX_COMMAND "${flags}")
run(${CXX} -std=c++20 -fno-exceptions ${SOURCE}/consumer.cc -o ${WORK}/by_pkg_config ${flags})
run(${WORK}/by_pkg_config)

# The README's program, as it stands there.
file(READ ${README} readme)
string(REGEX MATCH "```cpp\n([^`]*)```" block "${readme}")
file(WRITE ${WORK}/readme.cc "${CMAKE_MATCH_1}")
run(${CXX} -std=c++20 ${WORK}/readme.cc -o ${WORK}/readme ${flags})
set(model ${GOLDEN}/digits_cnn/w4a8_lpbq)
execute_process(COMMAND ${WORK}/readme ${model}/model.onnx ${model}/model.encodings OUTPUT_VARIABLE output
                COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "\n" lines "${output}")
list(LENGTH lines count)
if(NOT count EQUAL 10)
  message(FATAL_ERROR "the README's program printed ${count} lines, not the 10 scores of a digit:\n${output}")
endif()
