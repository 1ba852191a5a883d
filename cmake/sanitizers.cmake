# SPILLWAY_SANITIZE: empty, or "address,undefined", "thread", "fuzzer" (which includes address
# and undefined; needs clang). Arrow itself is not instrumented.
set(SPILLWAY_SANITIZE "" CACHE STRING "address,undefined | thread | fuzzer")
if(SPILLWAY_SANITIZE STREQUAL "fuzzer")
  set(_sanitizers fuzzer-no-link,address,undefined)
else()
  set(_sanitizers ${SPILLWAY_SANITIZE})
endif()
if(_sanitizers)
  add_compile_options(-fsanitize=${_sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${_sanitizers})
endif()
