#pragma once

#include <stop_token>

#include "source/postgres/query_reader.h"

namespace spillway::postgres_source {

/// Refuses (kConflict, retryable) when a table that the reader's transaction has locked was
/// truncated, rewritten by ALTER TABLE, or replaced by another of its name after the transaction's
/// snapshot was taken. To that snapshot such a table is empty, whatever it held before and holds
/// now (postgresql.org/docs/current/mvcc-caveats.html), and a count would agree. It happens where a
/// reader has to wait for the lock of whoever loads the table anew. To be asked once everything
/// that will be read is locked, as Describe does; from then on nobody can do it any more. VACUUM
/// FULL and CLUSTER keep rows visible, and are refused all the same.
Result<> CheckNoneRewritten(QueryReader& reader, std::stop_token stop = {});

}  // namespace spillway::postgres_source
