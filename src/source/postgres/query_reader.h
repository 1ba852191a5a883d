#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"
#include "postgres/connection.h"
#include "postgres/transaction.h"
#include "source/postgres/column.h"
#include "source/postgres/copy_decoder.h"
#include "source/postgres/node_tree.h"

namespace spillway::postgres_source {

struct ReadOptions {
  std::string address;                             ///< As postgres::Connection::Open takes it.
  std::chrono::milliseconds statement_timeout{0};  ///< For each statement; 0: none.
  std::string time_zone = "UTC";  ///< The session's, for what a query itself makes of times.
  std::string snapshot;           ///< Another reader's ExportSnapshot(); empty: a new one.
  /// Reads what policies of row security let the role see. Without it, a statement that a policy
  /// would change is refused (kPermissionDenied), as by pg_dump.
  bool row_security = false;
  /// The settings() of another reader, so that texts and names mean the same in this session.
  std::map<std::string, std::string> settings;
};

/// How the server reads a SELECT: the query as it is written, with the byte offset of each
/// expression as `location`, and the queries that are run for it, which hold those of views and the
/// conditions of row security.
struct ParseTrees {
  Node written;
  Node rewritten;
};

/// A session that reads: one read-only transaction with one snapshot, for as long as the reader
/// lives. Whatever is read through it, and through others opened with its exported snapshot, is the
/// database at one instant. Works on replicas, and behind PgBouncer in transaction mode. Used by
/// one thread at a time.
///
/// Errors are those of postgres::Connection, except: kConflict when the snapshot is gone;
/// kInvalidArgument for statements that write; kOutOfSpace when statement_timeout ends a statement;
/// kUnavailable (retryable) when a lock is not given to a reader of another's snapshot.
/// After an error that a server sent, only opening another reader helps. A stop ends any call
/// within a tenth of a second with kCancelled.
class QueryReader {
 public:
  static Result<std::unique_ptr<QueryReader>> Open(const ReadOptions& options,
                                                   std::stop_token stop = {});

  /// Reads through somebody's connection, which must outlive the reader and has nobody else's
  /// statements meanwhile. The address is that connection's.
  static Result<std::unique_ptr<QueryReader>> Begin(postgres::Connection& connection,
                                                    const ReadOptions& options,
                                                    std::stop_token stop = {});

  /// The columns of a SELECT, without running it.
  Result<std::vector<Column>> Describe(const std::string& select, std::stop_token stop = {});

  /// Has the server parse a SELECT without running it. None when the server does not print its
  /// parse trees, or prints trees that are not PostgreSQL's. Needs no rights but those to read. The
  /// server's log gets the same trees: LOG is above every usual log_min_messages.
  Result<std::optional<ParseTrees>> Parse(const std::string& select, std::stop_token stop = {});

  /// Whether the server accepts a SELECT, without running it. If it does not, the transaction still
  /// goes on.
  Result<bool> Accepts(const std::string& select, std::stop_token stop = {});

  /// Runs a SELECT whose columns are those, and hands its rows out in order as record batches, as
  /// DecodeOptions says. Returns how many the server counted, which is how many were handed out.
  /// Errors also as CopyDecoder's, and of `consume`.
  Result<int64_t> Read(const std::string& select, const std::vector<Column>& columns,
                       const CopyDecoder::Consume& consume, std::stop_token stop = {});

  /// Runs another statement within the snapshot.
  Result<postgres::Rows> Execute(const std::string& sql,
                                 std::initializer_list<postgres::Parameter> parameters = {},
                                 std::stop_token stop = {});

  /// The settings that the result of a query may depend on and that may differ in other sessions
  /// (search_path, lc_monetary, …), through a pooler or after an ALTER ROLE.
  Result<std::map<std::string, std::string>> settings(std::stop_token stop = {});

  /// The snapshot's name for ReadOptions. It ends with this reader, or its connection.
  Result<std::string> ExportSnapshot(std::stop_token stop = {});

  const postgres::Connection& connection() const { return *connection_; }

  /// Whether the transaction can go on: nothing has failed so far.
  bool usable() const { return usable_; }

 private:
  QueryReader(postgres::Connection& connection, postgres::Transaction transaction)
      : connection_(&connection), transaction_(std::move(transaction)) {}

  Result<> Set(const ReadOptions& options, std::stop_token stop);
  /// The error as users of a read should see it.
  std::unexpected<Error> Failed(Error error);

  std::unique_ptr<postgres::Connection> owned_;  ///< What Open opened.
  postgres::Connection* connection_;
  postgres::Transaction transaction_;
  bool ascii_ = false;  ///< The database's encoding is SQL_ASCII.
  bool usable_ = true;
};

}  // namespace spillway::postgres_source
