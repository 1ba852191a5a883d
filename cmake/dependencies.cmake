# Every third-party library, found once. Components link the imported targets named in
# component.cmake; all of them are SYSTEM, so their headers never warn.
include(arrow)
find_package(Threads REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(yaml-cpp REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_package(simdjson REQUIRED)
find_package(zstd REQUIRED)
find_package(ZLIB REQUIRED)
find_package(date REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Boost REQUIRED COMPONENTS context)
find_package(GTest REQUIRED)
find_package(benchmark QUIET)

find_package(PkgConfig REQUIRED)
pkg_check_modules(isal REQUIRED IMPORTED_TARGET libisal)

add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
add_library(zstd::zstd ALIAS zstd::libzstd_shared)
add_library(isal::isal ALIAS PkgConfig::isal)
