#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/error.h"
#include "postgres/pool.h"
#include "store/postgres/text.h"
#include "store/sql/session.h"

namespace spillway::store::postgres_state {

/// A time as this database stores it.
inline int64_t Micros(Timestamp time) { return time.time_since_epoch().count(); }

/// A transaction of the shared statements. Their `?` become PostgreSQL's `$1`.
class PostgresSession final : public sql::Session {
 public:
  explicit PostgresSession(postgres::Connection& connection) : connection_(connection) {}

  std::unique_ptr<sql::Cursor> Begin(std::string_view sql,
                                     std::span<const sql::Value> values) override;
  Result<> Take(sql::Turn turn, std::string_view name) override;

  postgres::Connection& connection() { return connection_; }

 private:
  postgres::Connection& connection_;
};

/// Reads the rows of a statement that was run, in order.
class RowsCursor final : public sql::Cursor {
 public:
  /// Begins before the first row, or on the given row and column.
  explicit RowsCursor(const postgres::Rows& rows, int row = -1, int column = 0)
      : rows_(rows), row_(row), column_(column) {}

  Result<bool> Next() override {
    column_ = 0;
    restored_.clear();
    return ++row_ < rows_.size();
  }
  Result<int64_t> Run() override { return rows_.affected(); }
  int64_t Integer() override { return rows_.Integer(row_, column_++); }
  std::string_view Text() override { return Restore(rows_.Text(row_, column_++)); }
  std::optional<int64_t> IntegerOrNull() override { return rows_.IntegerOrNull(row_, column_++); }
  std::optional<std::string_view> TextOrNull() override {
    const std::optional<std::string_view> text = rows_.TextOrNull(row_, column_++);
    if (!text) return std::nullopt;
    return Restore(*text);
  }

 private:
  std::string_view Restore(std::string_view stored) {
    return IsEscaped(stored) ? restored_.emplace_back(Restored(stored)) : stored;
  }

  const postgres::Rows& rows_;
  std::deque<std::string> restored_;
  int row_;
  int column_;
};

/// A PostgreSQL database with Spillway's schema, shared by any number of threads and processes,
/// with or without PgBouncer in transaction mode. Calls wait up to kPatience for a server that is
/// away (it restarts), and are repeated after deadlocks; then they are kUnavailable. A commit whose
/// answer was lost is kUnavailable at once: it may be done or not, and the caller has to look
/// before it retries. Within kCheckEvery after a newer program has migrated the database, everything
/// is kUnsupported. Thread-safe.
class Database {
 public:
  static constexpr std::chrono::milliseconds kPatience{10'000};
  static constexpr std::chrono::seconds kCheckEvery{1};

  /// Brings the schema up to date. Fails at once when the server is away.
  static Result<std::unique_ptr<Database>> Open(const std::string& address);

  /// Whether the database has a schema of Spillway's at all; changes nothing.
  static Result<bool> HasSchema(const std::string& address);

  using Act = std::function<Result<>(sql::Session&)>;

  /// Runs `act` in a transaction that survives the loss of the server, perhaps more than once.
  Result<> Write(const Act& act);
  /// Runs `act`, which only reads. A replica can serve it, too.
  Result<> Read(const Act& act);

  /// Runs one statement as a transaction of its own. It is repeated when the connection is lost, so
  /// running it twice must do no harm.
  Result<postgres::Rows> Run(const std::string& sql,
                             std::span<const postgres::Parameter> parameters,
                             postgres::Format format = postgres::Format::kText);

  /// Runs one statement whose work is committed only when its answer has come back: a connection
  /// that is lost before leaves nothing done that nobody heard of.
  Result<postgres::Rows> RunOnceHeard(const std::string& sql,
                                      std::span<const postgres::Parameter> parameters);

  const std::string& address() const { return address_; }

 private:
  explicit Database(const std::string& address);

  /// A connection, unless a newer program has migrated the database.
  Result<postgres::Pool::Lent> Lend();

  const std::string address_;
  postgres::Pool pool_;
  std::atomic<std::chrono::steady_clock::time_point> checked_at_;  ///< The version of the schema.
};

}  // namespace spillway::store::postgres_state
