# SPILLWAY_SANITIZE: empty, "address,undefined", "thread", or "fuzzer" (with address and
# undefined; needs clang). Arrow itself is not instrumented.
set(SPILLWAY_SANITIZE "" CACHE STRING "address,undefined | thread | fuzzer")
if(SPILLWAY_SANITIZE STREQUAL "fuzzer")
  set(_sanitizers fuzzer-no-link,address,undefined)
  set(_linked_sanitizers address,undefined)
else()
  set(_sanitizers ${SPILLWAY_SANITIZE})
  set(_linked_sanitizers ${SPILLWAY_SANITIZE})
endif()
if(_sanitizers)
  add_compile_options(-O1 -g1 -fsanitize=${_sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${_linked_sanitizers})
endif()
