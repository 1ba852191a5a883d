#pragma once

#include "cli/examination.h"
#include "recipe/query_export/query_export.h"
#include "settings/settings.h"

namespace spillway::cli {

/// Looks at the databases, and whether each query export could read what it names: one finding
/// each. Exports of a database that does not answer are passed over.
void LookAtQueries(const Settings& settings, const recipe::QueryExport& queries,
                   Examination& examination);

}  // namespace spillway::cli
