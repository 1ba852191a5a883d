#pragma once

#include <cstdint>
#include <stop_token>
#include <vector>

#include "source/postgres/query_reader.h"

namespace spillway::postgres_source {

/// Fails (kConflict, retryable) when something has changed since the snapshot of the reader's
/// transaction was taken that this snapshot shows wrongly:
///
/// - A table that the transaction has locked was truncated, rewritten by ALTER TABLE, or replaced
///   by another of its name. In that snapshot such a table is empty, whatever it held before and
///   holds now (postgresql.org/docs/current/mvcc-caveats.html), and a count would agree. This
///   happens when a reader has to wait for the lock of a session that reloads the table. VACUUM
///   FULL and CLUSTER keep rows visible, but are refused as well.
/// - Such a table, or its schema, was renamed. ALTER SCHEMA … RENAME waits for no reader.
/// - A label of an enum was renamed: labels are read as they are now, not as in the snapshot.
///
/// Call it once everything that will be read is locked, as Describe does.
Result<> CheckNoneRewritten(QueryReader& reader, std::stop_token stop = {});

/// The OIDs of the tables that the transaction has locked and that have the name of one of these,
/// in whatever schema.
Result<std::vector<int64_t>> LockedNamesakes(QueryReader& reader,
                                             const std::vector<int64_t>& tables,
                                             std::stop_token stop = {});

/// The same as CheckNoneRewritten, for a reader that has read what another one planned. Not
/// retryable, since the plan stays as it was. Also fails when the reader has locked a table with
/// the name of one of `tables` that is not one of them. `tables` are LockedNamesakes of the reader
/// that planned: every session looks names up for itself, so a name may mean another table by now.
Result<> CheckReadAsPlanned(QueryReader& reader, const std::vector<int64_t>& tables,
                            std::stop_token stop = {});

}  // namespace spillway::postgres_source
