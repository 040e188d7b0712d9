# `cmake --install` gives others `find_package(sluice)` with the targets sluice::core … sluice::http.
include(CMakePackageConfigHelpers)

get_property(modules GLOBAL PROPERTY SLUICE_MODULES)
add_custom_target(sluice_libraries DEPENDS ${modules})
install(TARGETS ${modules} EXPORT sluiceTargets FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/sluice)
install(EXPORT sluiceTargets NAMESPACE sluice:: DESTINATION ${package_dir})

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/sluiceConfig.cmake.in ${PROJECT_BINARY_DIR}/sluiceConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/sluiceConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/sluiceConfig.cmake ${PROJECT_BINARY_DIR}/sluiceConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindMariaDB.cmake
  DESTINATION ${package_dir})

# runtime holds the compiled part of Asio; who uses its headers must not compile that part again.
target_compile_definitions(sluice_runtime INTERFACE ${SLUICE_ASIO_DEFINITIONS})
