// Carries precompiled headers; see component.cmake.
