# What `cmake --install` puts into a prefix. The prefix may be moved afterwards: no path of it is written down.
include(CMakePackageConfigHelpers)
set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/lanequant)

install(DIRECTORY include/lanequant DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS lanequant EXPORT lanequant)
install(EXPORT lanequant NAMESPACE lanequant:: FILE lanequant-targets.cmake DESTINATION ${config_dir})
if(LQ_BUILD_CLI)
  install(TARGETS lanequant_cli)
endif()

# A static library leaves its own dependencies to whoever links it.
if(BUILD_SHARED_LIBS)
  set(static FALSE)
  set(pc_libraries "")
else()
  set(static TRUE)
  set(pc_libraries "-lfmt -lsimdjson -lzip")
  if(LQ_WITH_TBB)
    string(APPEND pc_libraries " -ltbb")
  endif()
  if(NOT LQ_HIGHWAY_FETCHED)
    string(APPEND pc_libraries " -lhwy")
  endif()
endif()
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/lanequant-config.cmake.in
  ${PROJECT_BINARY_DIR}/lanequant-config.cmake INSTALL_DESTINATION ${config_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/lanequant-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/lanequant-config.cmake ${PROJECT_BINARY_DIR}/lanequant-config-version.cmake
  DESTINATION ${config_dir})

set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH pc_to_prefix /prefix/${pc_dir} /prefix)
configure_file(${CMAKE_CURRENT_LIST_DIR}/lanequant.pc.in ${PROJECT_BINARY_DIR}/lanequant.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/lanequant.pc DESTINATION ${pc_dir})
