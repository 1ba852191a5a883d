#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "recipe/output/chunk_writer.h"
#include "source/postgres/column.h"

namespace spillway::recipe {

/// What a planned job reads: its record, and the manifest's source.
struct QuerySource {
  std::string database;  ///< As it is called in the configuration.
  std::string server;    ///< "PostgreSQL at host:port/database".
  std::string snapshot;  ///< Of pg_export_snapshot().
  std::string from;      ///< As in postgres_source::Selection.
  std::string list;
  std::vector<postgres_source::Column> columns;
  /// postgres_source::LockedNamesakes of what the query names; empty where `one_session` is not.
  std::vector<int64_t> tables;
  std::string split_by;  ///< "place", a column's name, or empty: not split.
  /// now() of the session that planned: what the query's now() stands for.
  std::string instant;
  /// Why only that session can read; empty: every session of the snapshot can.
  std::string one_session;
  std::map<std::string, std::string> settings;  ///< Of the session that planned.
  bool row_security = false;                    ///< Policies may choose the rows.
  std::vector<std::string> policies;            ///< The tables of which they do.
  /// The functions in which they may, too, where row_security is on: what these read is not seen.
  std::vector<std::string> policies_unseen_in;
  std::vector<std::string> key;  ///< The columns that the chunks are reconciled by; empty: none.
  std::string key_hash;          ///< Of postgres_source::KeyHash.
  int64_t rows = 0;
  int64_t splits = 0;
  std::vector<std::string> concealed = {};  ///< See recipients.h.
};

/// kInvalidArgument when a name or a text in it is not UTF-8.
Result<std::string> ToJson(const QuerySource& source);
/// kConflict for a record without a member that is known here, which another version wrote;
/// kCorrupt for what is no such record.
Result<QuerySource> QuerySourceFromJson(std::string_view json);

/// What one chunk of a query export does.
struct QueryChunk {
  std::string condition;  ///< Of its postgres_source::Split.
  int64_t rows = 0;
  std::string keys;     ///< Of its Split, of all its rows; empty: not known.
  int64_t cut_off = 0;  ///< Rows after them that a limit leaves out; they count as excluded here.
  std::vector<FileRun> runs;
};

/// As for QuerySource.
Result<std::string> ToJson(const QueryChunk& chunk);
Result<QueryChunk> QueryChunkFromJson(std::string_view json);

}  // namespace spillway::recipe
