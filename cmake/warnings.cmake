# Warnings in our own code are errors. No -Wpedantic and no -Wshadow: TRY is a GNU statement
# expression and may stand inside another. Designated initialisers may leave fields out.
add_compile_options(
  -Wall -Wextra -Werror -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-qual -Wformat=2
  -Wimplicit-fallthrough -Wundef -Wextra-semi -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wduplicated-cond -Wlogical-op)
  # g++ 12 reports these from inside inlined library code, where they are wrong (GCC bugs 105329, 105651, 107852).
  add_compile_options(-Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow
    -Wno-stringop-overread -Wno-array-bounds -Wno-dangling-pointer)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12's own stable_sort calls what it deprecates, and a precompiled header hides from
  # clang that it is a system header.
  add_compile_options(-Wno-deprecated-declarations)
endif()
