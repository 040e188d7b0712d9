# One precompiled header for all modules, made by a target without definitions of its own: g++ refuses one that was made
# with a macro its user does not define.
add_library(sluice_pch OBJECT ${PROJECT_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(sluice_pch PRIVATE sluice_build_flags fmt::fmt Boost::headers Threads::Threads)
target_compile_features(sluice_pch PRIVATE cxx_std_23)
# In angle brackets, because CMake writes any other path absolute into the header that it makes: nothing for ccache.
target_include_directories(sluice_pch PRIVATE ${PROJECT_SOURCE_DIR})
target_precompile_headers(sluice_pch PRIVATE <cmake/pch.hpp>)

# For ccache in another clone (CCACHE_PCH_EXTSUM in tools/dev/common.sh): clang's precompiled header holds paths of its clone,
# so each clone makes its own; its users name it relative to the folder where ninja compiles, and ccache compares the
# checksum beside it, of all the text that went into it.
if(PROJECT_IS_TOP_LEVEL AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_GENERATOR STREQUAL "Ninja")
  set(pch CMakeFiles/sluice_pch.dir/cmake_pch.hxx)
  set(CMAKE_CXX_COMPILE_OPTIONS_USE_PCH -Xclang -include-pch -Xclang ${pch}.pch -Xclang -include -Xclang ${pch})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/pch.hpp)
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -std=c++23 -E -P -dD cmake/pch.hpp WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                  OUTPUT_VARIABLE text ERROR_QUIET COMMAND_ERROR_IS_FATAL ANY)
  string(SHA256 text "${text}")
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${pch}.pch.sum CONTENT "${text}" @ONLY)
endif()

# sluice_test_flags(<test program>): where the library is optimised, its tests are not; that is half of their compile time.
# The precompiled header stays one: clang would refuse it only for its macro __OPTIMIZE__.
function(sluice_test_flags target)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND NOT SLUICE_SANITIZE)
    target_compile_options(${target} PRIVATE -O0 "SHELL:-Xclang -fno-validate-pch")
  endif()
endfunction()

# Modules whose tests start threads: ctest's label `threaded`, what ThreadSanitizer is for.
set(SLUICE_THREADED_MODULES core runtime net db migrate outbox projection realtime live http app)

# sluice_module(NAME <module> [PLAIN] [SOURCES …] [HEADERS …] [TESTS …] [DEPENDS …] [PRIVATE_DEPENDS …] [TEST_DEPENDS …])
# makes the static library sluice::<module>, checks that each public header compiles alone, and builds the module's
# unit tests (the _test.cpp files beside the sources) into one program, <module>_test, that ctest runs as unit.<module>.
# PLAIN: a module below runtime, which must not need Asio.
function(sluice_module)
  cmake_parse_arguments(M "PLAIN" "NAME" "SOURCES;HEADERS;TESTS;DEPENDS;PRIVATE_DEPENDS;TEST_DEPENDS" ${ARGN})
  set(target sluice_${M_NAME})
  if(M_SOURCES)
    add_library(${target} STATIC)
    set(scope PUBLIC)
    target_sources(${target} PRIVATE ${M_SOURCES})
    sluice_unity(${target})
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:sluice_build_flags> ${M_PRIVATE_DEPENDS})
    # Every user of the precompiled header needs Asio's symbols, which belong to the layer above.
    if(NOT M_PLAIN)
      target_precompile_headers(${target} REUSE_FROM sluice_pch)
    endif()
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(sluice::${M_NAME} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${M_NAME} VERIFY_INTERFACE_HEADER_SETS ON)
  target_compile_features(${target} ${scope} cxx_std_23)
  target_link_libraries(${target} ${scope} ${M_DEPENDS})
  target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${M_HEADERS})
  set_property(GLOBAL APPEND PROPERTY SLUICE_MODULES ${target})

  if(SLUICE_TESTS AND M_TESTS)
    add_executable(${M_NAME}_test ${M_TESTS})
    sluice_unity(${M_NAME}_test)
    sluice_test_flags(${M_NAME}_test)
    target_link_libraries(${M_NAME}_test PRIVATE ${target} sluice_build_flags GTest::gtest GTest::gmock GTest::gtest_main
                                                 ${M_TEST_DEPENDS})
    if(NOT M_PLAIN)
      target_precompile_headers(${M_NAME}_test REUSE_FROM sluice_pch)
    endif()
    add_test(NAME unit.${M_NAME} COMMAND ${M_NAME}_test)
    set_tests_properties(unit.${M_NAME} PROPERTIES LABELS unit TIMEOUT 300 ENVIRONMENT "${SLUICE_TEST_ENVIRONMENT}")
    set_property(GLOBAL APPEND PROPERTY SLUICE_UNIT_TESTS ${M_NAME}_test)
    if(M_NAME IN_LIST SLUICE_THREADED_MODULES)
      set_property(TEST unit.${M_NAME} APPEND PROPERTY LABELS threaded)
      set_property(GLOBAL APPEND PROPERTY SLUICE_THREADED_TESTS ${M_NAME}_test)
    endif()
  endif()
endfunction()

enable_testing()
