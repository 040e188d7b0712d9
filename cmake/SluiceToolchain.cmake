# Compiler settings shared by every target of this project; users of the installed package get none of them.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
if(PROJECT_IS_TOP_LEVEL)
  find_program(SLUICE_CCACHE ccache)
  if(SLUICE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${SLUICE_CCACHE})
  endif()
endif()

add_library(sluice_build_flags INTERFACE)
target_compile_options(sluice_build_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Werror
  -fno-omit-frame-pointer -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 warns inside libstdc++ and Asio under optimisation and sanitizers; clang is the compiler that gates these.
  target_compile_options(sluice_build_flags INTERFACE
    -Wno-maybe-uninitialized -Wno-tsan -Wno-restrict -Wno-dangling-pointer -Wno-missing-field-initializers
    -Wno-subobject-linkage)  # the last takes a source inside a unity build for a header
else()
  # ccache needs this to hash a precompiled header's users correctly.
  target_compile_options(sluice_build_flags INTERFACE -Wno-missing-designated-field-initializers "SHELL:-Xclang -fno-pch-timestamp")
endif()
# Whoever includes Asio beside Sluice must compile it alike. A thread keeps 16 frames of coroutines for the next ones, not 2:
# nested ones take the rest from the heap, which was a tenth of what a unit of work costs its shard.
set(SLUICE_ASIO_DEFINITIONS BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=16)
target_compile_definitions(sluice_build_flags INTERFACE
  ${SLUICE_ASIO_DEFINITIONS} BOOST_ASIO_NO_DEPRECATED BOOST_ALL_NO_LIB BOOST_CONTAINER_NO_LIB
  $<$<BOOL:${SLUICE_MUTANTS}>:SLUICE_MUTANTS=1>)
if(SLUICE_SANITIZE)
  target_compile_options(sluice_build_flags INTERFACE -fsanitize=${SLUICE_SANITIZE} -fno-sanitize-recover=all)
  if(SLUICE_SANITIZE MATCHES undefined)
    # Its first look at a virtual table opens a pipe: where a test has taken all descriptors away, it reports valid objects.
    target_compile_options(sluice_build_flags INTERFACE -fno-sanitize=vptr)
  endif()
  target_link_options(sluice_build_flags INTERFACE -fsanitize=${SLUICE_SANITIZE})
endif()
# What ctest gives every test to read in its environment.
set(SLUICE_TEST_ENVIRONMENT)
if(SLUICE_SANITIZE MATCHES thread)
  list(APPEND SLUICE_TEST_ENVIRONMENT "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp")
endif()
find_program(SLUICE_MOLD mold)
if(SLUICE_MOLD AND PROJECT_IS_TOP_LEVEL)
  target_link_options(sluice_build_flags INTERFACE -fuse-ld=mold)
endif()
