#include <immintrin.h>

#include "format/row/cell_writers.h"
#include "format/row/special_bytes.h"

#define SPILLWAY_SET sse4
#define SPILLWAY_TARGET [[gnu::target("sse4.2")]]

namespace spillway::format::sse4 {}

#include "format/row/copy_overlapping.inc"
// Included here, since it uses the copying above.
#include "format/row/cell_writers.inc"
