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
#   PRECOMPILED arrow   take arrow/api.h and parquet's readers (saves 2 s a file), or `command_line` (Arrow's and CLI11,
#                   5 s), from a precompiled header. Without it: the standard library's and fmt, and in tests GoogleTest
#                   too (1 s). Files must still include what they use; clang-tidy reads them without any
#   LABELS kill     spillway_test only: ctest labels; `slow`, `kill` and `s3` stay out of `make test`
#   TIMEOUT 120     spillway_test only: seconds a case may take (default 120)
#   WHOLE           spillway_test only: one ctest test for the program instead of one per case
#
#   spillway_program(spillway SOURCES main.cc DEPS spillway_cli)     an executable
#   spillway_script_test(e2e.export COMMAND export_test.py [arguments] [LABELS kill] [TIMEOUT 300])
#                   a script beside the CMakeLists as a ctest test; .py runs under .deps/venv. Its environment
#                   has SPILLWAY (path of the binary) and PYTHON
#   spillway_fuzzer(config_fuzzer SOURCES config_fuzzer.cc DEPS spillway_base)
#                   tests/fuzz only: libFuzzer in `make fuzz`; elsewhere a test replaying corpus/config_fuzzer/
#   spillway_migrations(spillway::store store/sqlite/migrations.h)
#                   each migrations/NNNN_name.sql as a string, in the order of its number, behind the header's
#                   Migrations(); add ${CMAKE_CURRENT_BINARY_DIR}/embedded_migrations.cc to the SOURCES
#
# Third-party targets: CURL::libcurl pugixml::pugixml Arrow::arrow Arrow::parquet SQLite::SQLite3 PostgreSQL::libpq OpenSSL::Crypto yaml-cpp::yaml-cpp
# fmt::fmt CLI11::CLI11 simdjson::simdjson zstd::zstd isal::isal
# ZLIB::ZLIB date::date nlohmann_json::nlohmann_json Boost::context Threads::Threads
include(GoogleTest)

# Ends the configuration where the call that was just parsed has words that mean nothing, or a keyword without values:
# with either, less would be built than the file says.
macro(spillway_refuse_rest name)
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${name}: these words mean nothing here: ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(ARG_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "${name}: nothing follows ${ARG_KEYWORDS_MISSING_VALUES}")
  endif()
endmacro()

macro(spillway_default variable value)
  if(NOT ${variable})
    set(${variable} ${value})
  endif()
endmacro()

# spillway_precompiled(name LIBRARIES … HEADERS …): headers that targets have compiled once.
function(spillway_precompiled name)
  cmake_parse_arguments(ARG "" "" "LIBRARIES;HEADERS" ${ARGN})
  spillway_refuse_rest(${name})
  add_library(precompiled_${name} OBJECT ${PROJECT_SOURCE_DIR}/cmake/precompiled.cc)
  target_link_libraries(precompiled_${name} PUBLIC ${ARG_LIBRARIES} Threads::Threads)
  target_precompile_headers(precompiled_${name} PRIVATE ${ARG_HEADERS})
endfunction()

# A precompiled header counts only where the same macros are defined, and fmt's library defines one.
function(spillway_take_precompiled target name)
  target_link_libraries(${target} PRIVATE fmt::fmt)
  target_precompile_headers(${target} REUSE_FROM precompiled_${name})
endfunction()

set(standard <chrono> <functional> <map> <memory> <mutex> <optional> <set> <span> <string> <string_view> <vector> <fmt/format.h>)
set(arrow <arrow/api.h> <parquet/arrow/reader.h> <parquet/arrow/writer.h>)
spillway_precompiled(standard LIBRARIES fmt::fmt HEADERS ${standard})
spillway_precompiled(test LIBRARIES fmt::fmt GTest::gmock_main GTest::gtest HEADERS ${standard} <gmock/gmock.h> <gtest/gtest.h>)
spillway_precompiled(arrow LIBRARIES fmt::fmt Arrow::parquet HEADERS ${standard} ${arrow})
spillway_precompiled(command_line LIBRARIES fmt::fmt Arrow::parquet CLI11::CLI11 nlohmann_json::nlohmann_json
  HEADERS ${standard} ${arrow} <CLI/CLI.hpp> <nlohmann/json.hpp>)

function(spillway_component)
  cmake_parse_arguments(ARG "" "NAME;PRECOMPILED" "SOURCES;DEPS" ${ARGN})
  spillway_refuse_rest("spillway_component ${ARG_NAME}")
  spillway_default(ARG_PRECOMPILED standard)
  set(target spillway_${ARG_NAME})
  if(ARG_SOURCES)
    add_library(${target} STATIC ${ARG_SOURCES})
    target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${target} PUBLIC ${ARG_DEPS} Threads::Threads)
    spillway_take_precompiled(${target} ${ARG_PRECOMPILED})
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${target} INTERFACE ${ARG_DEPS} Threads::Threads)
  endif()
endfunction()

function(spillway_test name)
  cmake_parse_arguments(ARG "WHOLE" "TIMEOUT;PRECOMPILED" "SOURCES;DEPS;LABELS" ${ARGN})
  spillway_refuse_rest(${name})
  spillway_default(ARG_TIMEOUT 120)
  spillway_default(ARG_PRECOMPILED test)
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock_main GTest::gtest Threads::Threads)
  spillway_take_precompiled(${name} ${ARG_PRECOMPILED})
  if(ARG_WHOLE)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
  else()
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
      PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
  endif()
endfunction()

function(spillway_program name)
  cmake_parse_arguments(ARG "" "PRECOMPILED" "SOURCES;DEPS" ${ARGN})
  spillway_refuse_rest(${name})
  spillway_default(ARG_PRECOMPILED standard)
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} Threads::Threads)
  spillway_take_precompiled(${name} ${ARG_PRECOMPILED})
endfunction()

function(spillway_script_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "COMMAND;LABELS" ${ARGN})
  spillway_refuse_rest(${name})
  spillway_default(ARG_TIMEOUT 300)
  set(python ${PROJECT_SOURCE_DIR}/.deps/venv/bin/python)
  list(POP_FRONT ARG_COMMAND script)
  set(command ${CMAKE_CURRENT_SOURCE_DIR}/${script})
  if(script MATCHES "\\.py$")
    list(PREPEND command ${python} -B)
  endif()
  add_test(NAME ${name} COMMAND ${command} ${ARG_COMMAND})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}"
    ENVIRONMENT "SPILLWAY=$<TARGET_FILE:spillway>;PYTHON=${python}")
endfunction()

add_custom_target(fuzzers)
function(spillway_fuzzer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  spillway_refuse_rest(${name})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} Threads::Threads)
  if(SPILLWAY_SANITIZE STREQUAL "fuzzer")
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzzers ${name})
  else()
    target_sources(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.cc)
    add_test(NAME fuzz.${name} COMMAND ${name} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  endif()
endfunction()

# spillway_registry(recipes message_export …) builds the library spillway_<name>, whose RecipesInProgram() has the
# definitions of these recipes. Each is a component spillway_<recipe> with a function
# spillway::recipe::<recipe>::Define().
function(spillway_registry name)
  set(DECLARATIONS "")
  set(ADDITIONS "")
  set(libraries "")
  foreach(recipe ${ARGN})
    string(APPEND DECLARATIONS "namespace ${recipe} {\nstd::unique_ptr<const Definition> Define();\n}\n")
    string(APPEND ADDITIONS "  registry.push_back(${recipe}::Define());\n")
    list(APPEND libraries spillway_${recipe})
  endforeach()
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}_registry.cc)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/registry.cc.in ${source} @ONLY)
  spillway_component(NAME ${name} SOURCES ${source} DEPS spillway_recipe ${libraries})
endfunction()

# Adds each named folder.
macro(spillway_folders)
  foreach(_folder ${ARGN})
    add_subdirectory(${_folder})
  endforeach()
endmacro()

function(spillway_migrations namespace header)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/migrations/*.sql)
  if(NOT files)
    message(FATAL_ERROR "spillway_migrations: there is no migrations/*.sql in ${CMAKE_CURRENT_SOURCE_DIR}")
  endif()
  list(SORT files)
  set(MIGRATIONS "")
  foreach(file ${files})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} sql)
    string(APPEND MIGRATIONS "    R\"sql(${sql})sql\",\n")
  endforeach()
  set(NAMESPACE ${namespace})
  set(HEADER ${header})
  configure_file(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/embedded_migrations.cc.in
    ${CMAKE_CURRENT_BINARY_DIR}/embedded_migrations.cc @ONLY)
endfunction()
