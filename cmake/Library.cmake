# From lq_objects to what is linked.
target_include_directories(lq_objects PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
target_include_directories(lq_objects SYSTEM PRIVATE ${PROTOZERO_INCLUDE_DIR})
target_compile_options(lq_objects PRIVATE -fno-exceptions)
target_precompile_headers(lq_objects PRIVATE ${LQ_PRECOMPILED})

# Up to eight files of one folder of runtime/ are compiled as one. The preset `clang` compiles each alone.
if(NOT DEFINED CMAKE_UNITY_BUILD)
  set_target_properties(lq_objects PROPERTIES UNITY_BUILD ON)
endif()
set_target_properties(lq_objects PROPERTIES UNITY_BUILD_MODE GROUP)
get_target_property(sources lq_objects SOURCES)
list(FILTER sources INCLUDE REGEX "/runtime/")
foreach(source IN LISTS sources)
  get_filename_component(folder ${source} DIRECTORY)
  get_filename_component(folder ${folder} NAME)
  list(LENGTH files_of_${folder} part)
  math(EXPR part "${part} / 8")
  list(APPEND files_of_${folder} ${source})
  set_property(SOURCE ${source} TARGET_DIRECTORY lq_objects PROPERTY UNITY_GROUP ${folder}_${part})
endforeach()
target_link_libraries(lq_objects PRIVATE lq_options hwy::hwy ${LQ_LIBRARIES})

# Highway's objects go into the library where it was fetched: nobody else has to have it then.
set(lq_all_objects $<TARGET_OBJECTS:lq_objects>)
set(lq_all_libraries ${LQ_LIBRARIES})
if(LQ_HIGHWAY_FETCHED)
  list(APPEND lq_all_objects $<TARGET_OBJECTS:hwy>)
else()
  list(APPEND lq_all_libraries hwy::hwy)
endif()

function(lq_library name type)
  add_library(${name} ${type} ${lq_all_objects})
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_compile_features(${name} PUBLIC cxx_std_20)
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                            $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${name} PRIVATE ${lq_all_libraries} $<BUILD_INTERFACE:lq_options>)
endfunction()

lq_library(lanequant "")
add_library(lanequant::lanequant ALIAS lanequant)
# Before 1.0 a minor version may change the interface.
set_target_properties(lanequant PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})

add_library(lq_internal INTERFACE)
target_include_directories(lq_internal INTERFACE ${PROJECT_SOURCE_DIR})
if(BUILD_SHARED_LIBS)
  lq_library(lq_static STATIC)
  target_link_libraries(lq_internal INTERFACE lq_static lq_options fmt::fmt)
else()
  target_link_libraries(lq_internal INTERFACE lanequant lq_options fmt::fmt)
endif()
