# Imported targets Arrow::arrow and Arrow::parquet out of .deps, where setup/arrow.sh puts them.
file(STRINGS ${PROJECT_SOURCE_DIR}/setup/requirements-arrow.txt _pin REGEX "^pyarrow==")
string(REGEX MATCH "==([0-9]+)\\.([0-9]+)\\.([0-9]+)" _ "${_pin}")
set(ARROW_VERSION ${CMAKE_MATCH_1}.${CMAKE_MATCH_2}.${CMAKE_MATCH_3})
math(EXPR _soversion "${CMAKE_MATCH_1} * 100 + ${CMAKE_MATCH_2}")
set(ARROW_ROOT ${PROJECT_SOURCE_DIR}/.deps/arrow-${ARROW_VERSION})
if(NOT EXISTS ${ARROW_ROOT}/complete)
  message(FATAL_ERROR "Arrow ${ARROW_VERSION} is not in .deps; run: setup/install.sh build && setup/arrow.sh")
endif()

foreach(_library arrow parquet)
  add_library(Arrow::${_library} SHARED IMPORTED)
  set_target_properties(Arrow::${_library} PROPERTIES
    IMPORTED_LOCATION ${ARROW_ROOT}/lib/lib${_library}.so.${_soversion}
    INTERFACE_INCLUDE_DIRECTORIES ${ARROW_ROOT}/include)
endforeach()
target_link_libraries(Arrow::parquet INTERFACE Arrow::arrow)

# Installed beside the binary, which looks for them in ../lib.
install(FILES ${ARROW_ROOT}/lib/libarrow.so.${_soversion} ${ARROW_ROOT}/lib/libparquet.so.${_soversion}
  TYPE LIB)
