// Carries the precompiled Arrow headers; see component.cmake.
