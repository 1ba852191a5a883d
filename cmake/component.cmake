# How a folder becomes a component. Example, src/envelope/CMakeLists.txt:
#
#   spillway_component(NAME envelope
#     SOURCES zip/zip_writer.cc gzip/gzip_encoder.cc zstd/zstd_encoder.cc
#     DEPS spillway_base isal::isal zstd::zstd)
#
#   spillway_test(envelope_test
#     SOURCES zip/zip_writer_test.cc gzip/gzip_encoder_test.cc
#     DEPS spillway_envelope)
#
# spillway_component builds the static library spillway_<name>, with src/ as the include root.
# A component of headers only leaves SOURCES out. spillway_test builds one GoogleTest program
# (main comes from gmock) whose every case is a ctest test. Prefer one test program per component.
#
#   ARROW_PCH       take arrow/api.h and parquet's readers from a precompiled header (saves 2 s a file);
#                   files must still include what they use
#   LABELS kill     spillway_test only: ctest labels; `slow` and `kill` stay out of `make test`
#   TIMEOUT 120     spillway_test only: seconds a case may take (default 120)
#   WHOLE           spillway_test only: one ctest test for the program instead of one per case
#
# Third-party targets: Arrow::arrow Arrow::parquet SQLite::SQLite3 OpenSSL::Crypto yaml-cpp::yaml-cpp
# fmt::fmt spdlog::spdlog CLI11::CLI11 simdjson::simdjson zstd::zstd isal::isal
# libdeflate::libdeflate date::date-tz nlohmann_json::nlohmann_json Boost::context Threads::Threads
include(GoogleTest)

add_library(arrow_pch OBJECT ${PROJECT_SOURCE_DIR}/cmake/arrow_pch.cc)
target_link_libraries(arrow_pch PUBLIC Arrow::parquet Threads::Threads)
target_precompile_headers(arrow_pch PRIVATE <arrow/api.h> <parquet/arrow/reader.h> <parquet/arrow/writer.h>)

function(spillway_component)
  cmake_parse_arguments(ARG "ARROW_PCH" "NAME" "SOURCES;DEPS" ${ARGN})
  set(target spillway_${ARG_NAME})
  if(ARG_SOURCES)
    add_library(${target} STATIC ${ARG_SOURCES})
    target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${target} PUBLIC ${ARG_DEPS} Threads::Threads)
    if(ARG_ARROW_PCH)
      target_precompile_headers(${target} REUSE_FROM arrow_pch)
    endif()
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${target} INTERFACE ${ARG_DEPS} Threads::Threads)
  endif()
endfunction()

function(spillway_test name)
  cmake_parse_arguments(ARG "ARROW_PCH;WHOLE" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock_main GTest::gtest Threads::Threads)
  if(ARG_ARROW_PCH)
    target_precompile_headers(${name} REUSE_FROM arrow_pch)
  endif()
  if(ARG_WHOLE)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
  else()
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
      PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
  endif()
endfunction()

# Adds each named folder that is there.
macro(spillway_folders)
  foreach(_folder ${ARGN})
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${_folder}/CMakeLists.txt)
      add_subdirectory(${_folder})
    endif()
  endforeach()
endmacro()
