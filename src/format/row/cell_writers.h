#pragma once

#include "format/row/row_loop.h"

// The writers of each instruction set are in a namespace and a file of their own.
#define SPILLWAY_DECLARE_WRITERS(set)                                     \
  namespace spillway::format::set {                                       \
  void Choose(Kind kind, bool nullable, CellWriter<CsvDialect>* writer);  \
  void Choose(Kind kind, bool nullable, CellWriter<JsonDialect>* writer); \
  }

SPILLWAY_DECLARE_WRITERS(sse4)
SPILLWAY_DECLARE_WRITERS(avx2)
SPILLWAY_DECLARE_WRITERS(avx512)

#undef SPILLWAY_DECLARE_WRITERS
