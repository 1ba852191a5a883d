#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/error.h"
#include "store/sql/session.h"

namespace spillway::store {

/// One connection to a SQLite file, with its prepared statements. Used by one thread at a time.
/// SQLite's codes become: BUSY kUnavailable (retryable), after waiting for other processes; FULL
/// kOutOfSpace; CORRUPT and NOTADB kCorrupt; a trigger's refusal kConflict; a CHECK's
/// kInvalidArgument.
class Connection final : public sql::Session {
 public:
  enum class Mode { kReadWrite, kReadOnly };

  /// kReadWrite creates the file when there is none. ":memory:" is a database of this connection
  /// only.
  static Result<std::unique_ptr<Connection>> Open(const std::filesystem::path& path, Mode mode,
                                                  std::chrono::milliseconds busy_timeout);

  /// Runs statements that return no rows and take no parameters; they are not kept.
  Result<> Execute(const std::string& sql);

  /// False once SQLite itself has rolled a transaction back, as it does after some errors.
  bool InTransaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

  std::unique_ptr<sql::Cursor> Begin(std::string_view sql,
                                     std::span<const sql::Value> values) override;
  /// A write transaction has the whole file.
  Result<> Take(sql::Turn, std::string_view) override { return {}; }

  sqlite3* handle() { return handle_.get(); }

 private:
  friend class Query;

  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  Connection(const std::filesystem::path& path, sqlite3* handle,
             std::chrono::milliseconds busy_timeout)
      : path_(path), handle_(handle), busy_timeout_(busy_timeout) {}

  static int WaitForOthers(void* self, int tries);

  /// The statement for `sql`; null when it does not compile.
  sqlite3_stmt* Prepare(std::string_view sql);
  Error LastError() const;

  std::filesystem::path path_;
  std::unique_ptr<sqlite3, Close> handle_;
  const std::chrono::milliseconds busy_timeout_;
  std::chrono::steady_clock::time_point waiting_since_;
  std::minstd_rand jitter_{std::random_device()()};
  std::unordered_map<std::string_view, std::unique_ptr<sqlite3_stmt, Finalize>> statements_;
};

/// One run of a statement of a connection, which keeps it prepared. Two runs of the same text must
/// not overlap. Binding errors wait until Next or Run.
class Query final : public sql::Cursor {
 public:
  /// `sql` must live as long as the connection (a literal); `values` are bound in order: integers,
  /// text, Timestamp, or an optional of them.
  template <class... Values>
  Query(Connection& connection, std::string_view sql, const Values&... values)
      : connection_(connection), statement_(connection.Prepare(sql)) {
    (Bind(values), ...);
  }
  Query(Connection& connection, std::string_view sql, std::span<const sql::Value> values);
  ~Query() override;
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  Result<bool> Next() override;

  Result<int64_t> Run() override;

  int64_t Integer() override { return sqlite3_column_int64(statement_, column_++); }
  std::string_view Text() override;
  std::optional<int64_t> IntegerOrNull() override;
  std::optional<std::string_view> TextOrNull() override;

 private:
  void Bind(int64_t value);
  void Bind(std::string_view value);
  void Bind(Timestamp value) { Bind(int64_t{value.time_since_epoch().count()}); }
  void Bind(std::nullopt_t);
  template <class T>
  void Bind(const std::optional<T>& value) {
    value ? Bind(*value) : Bind(std::nullopt);
  }
  bool IsNull() const { return sqlite3_column_type(statement_, column_) == SQLITE_NULL; }

  Connection& connection_;
  sqlite3_stmt* statement_;
  int status_ = SQLITE_OK;
  int parameter_ = 0;
  int column_ = 0;
};

}  // namespace spillway::store
