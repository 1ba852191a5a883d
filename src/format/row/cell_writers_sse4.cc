#include <immintrin.h>

#include "format/row/cell_writers.h"
#include "format/row/special_bytes.h"

#define SPILLWAY_SET sse4
#define SPILLWAY_TARGET [[gnu::target("sse4.2")]]

namespace spillway::format::sse4 {}

#include "format/row/copy_overlapping.inc"
// Behind the copying that it uses.
#include "format/row/cell_writers.inc"
