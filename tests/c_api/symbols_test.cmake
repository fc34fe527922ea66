# The C symbols that the shared LIBRARY shows are those of LIST, one a line in order, and each is declared in a header.
# Other variables: NM (the program), HEADERS (the folder).
execute_process(COMMAND ${NM} -D --defined-only ${LIBRARY} OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^ \n]+\n" found "${output}")
list(TRANSFORM found STRIP)
list(FILTER found EXCLUDE REGEX "^_")  # C++, and what the linker adds
list(SORT found)
file(STRINGS ${LIST} listed)
if(NOT found STREQUAL listed)
  list(JOIN found "\n" text)
  message(FATAL_ERROR "${LIBRARY} exports other C symbols than ${LIST} lists:\n${text}")
endif()

file(GLOB headers ${HEADERS}/c_*.h)
set(declared "")
foreach(header IN LISTS headers)
  file(READ ${header} text)
  string(APPEND declared "${text}")
endforeach()
foreach(symbol IN LISTS listed)
  if(NOT declared MATCHES "LQ_EXPORT [^;]*${symbol}\\(")
    message(FATAL_ERROR "${symbol} is in no header")
  endif()
endforeach()
