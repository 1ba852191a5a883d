#pragma once

#include <cstdint>
#include <stop_token>
#include <vector>

#include "source/postgres/query_reader.h"

namespace spillway::postgres_source {

/// Refuses (kConflict, retryable) what changed after the snapshot of the reader's transaction was
/// taken, and what that snapshot shows wrongly:
///
/// - a table that the transaction has locked was truncated, rewritten by ALTER TABLE, or replaced
///   by another of its name. To that snapshot such a table is empty, whatever it held before and
///   holds now (postgresql.org/docs/current/mvcc-caveats.html), and a count would agree. It happens
///   where a reader has to wait for the lock of whoever loads the table anew. VACUUM FULL and
///   CLUSTER keep rows visible, and are refused all the same;
/// - such a table, or its schema, was renamed. ALTER SCHEMA … RENAME waits for no reader;
/// - a label of an enum was renamed: labels are read as they are now, not as in the snapshot.
///
/// To be asked once everything that will be read is locked, as Describe does.
Result<> CheckNoneRewritten(QueryReader& reader, std::stop_token stop = {});

/// The OIDs of the tables that the transaction has locked and that have the name of one of these,
/// in whatever schema.
Result<std::vector<int64_t>> LockedNamesakes(QueryReader& reader,
                                             const std::vector<int64_t>& tables,
                                             std::stop_token stop = {});

/// The same as CheckNoneRewritten of a reader that has read what another planned, for good, as that
/// one's plan stays what it was. Also refuses where the reader has locked a table with the name of
/// one of `tables` that is not among them. These are LockedNamesakes of the reader that planned:
/// every session looks names up for itself, and one may have come to mean another table.
Result<> CheckReadAsPlanned(QueryReader& reader, const std::vector<int64_t>& tables,
                            std::stop_token stop = {});

}  // namespace spillway::postgres_source
