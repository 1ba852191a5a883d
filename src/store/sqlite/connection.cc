#include "store/sqlite/connection.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace spillway::store {
namespace {

constexpr std::chrono::microseconds kBusyPause{100};
constexpr std::chrono::microseconds kBusyPauseMax{4000};

Error ErrorOf(int code, int system_errno, std::string_view message, const std::string& path,
              std::chrono::milliseconds busy_timeout) {
  Error error;
  const auto say = [&](ErrorCode kind, std::string text) {
    error.code = kind;
    error.message = std::move(text);
  };
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      say(ErrorCode::kUnavailable, fmt::format("{}: another process has held its lock for {}; try "
                                               "again, or look for a process that hangs",
                                               path, busy_timeout));
      error.retryable = true;
      break;
    case SQLITE_FULL:
      say(ErrorCode::kOutOfSpace,
          fmt::format("{}: no space left on its file system; free some and try again", path));
      break;
    case SQLITE_CORRUPT:
      say(ErrorCode::kCorrupt, fmt::format("{}: damaged ({}); restore it from a backup, or salvage "
                                           "it with `sqlite3 {} .recover`",
                                           path, message, path));
      break;
    case SQLITE_NOTADB:
      say(ErrorCode::kCorrupt, fmt::format("{}: not a SQLite database; restore it from a backup, "
                                           "or point state: at another file",
                                           path));
      break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      say(ErrorCode::kPermissionDenied,
          fmt::format(
              "{}: cannot be written; give this user write access to the file and its folder",
              path));
      break;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
      error = FromErrno(system_errno == 0 ? EIO : system_errno,
                        fmt::format("{}: cannot be {}", path,
                                    (code & 0xff) == SQLITE_IOERR ? "read or written" : "opened"));
      break;
    case SQLITE_CONSTRAINT:
      say(code == SQLITE_CONSTRAINT_TRIGGER ? ErrorCode::kConflict : ErrorCode::kInvalidArgument,
          std::string(message));
      break;
    default:
      say(ErrorCode::kInternal, fmt::format("{}: {} (SQLite {})", path, message, code));
      break;
  }
  return error;
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::Open(const std::filesystem::path& path, Mode mode,
                                                     std::chrono::milliseconds busy_timeout) {
  sqlite3* handle = nullptr;
  // Readers open for writing too: in WAL mode they may have to recover what a killed process left.
  const int status =
      sqlite3_open_v2(path.c_str(), &handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                          SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE,
                      nullptr);
  std::unique_ptr<Connection> connection(new Connection(path, handle, busy_timeout));
  if (handle == nullptr) return Fail(ErrorCode::kInternal, "out of memory");
  if (status != SQLITE_OK) return std::unexpected(connection->LastError());
  sqlite3_busy_handler(handle, WaitForOthers, connection.get());
  TRY(connection->Execute(
      "PRAGMA foreign_keys = ON; PRAGMA secure_delete = OFF; PRAGMA cache_size = -8000; "
      "PRAGMA temp_store = MEMORY"));
  if (mode == Mode::kReadOnly) TRY(connection->Execute("PRAGMA query_only = ON"));
  return connection;
}

// SQLite's own handler pauses up to 100 ms, which under contention is most of the time: our
// transactions are short, so short pauses that double, with jitter, share the file more evenly.
int Connection::WaitForOthers(void* self, int tries) {
  auto& connection = *static_cast<Connection*>(self);
  const auto now = std::chrono::steady_clock::now();
  if (tries == 0) connection.waiting_since_ = now;
  if (now - connection.waiting_since_ >= connection.busy_timeout_) return 0;
  const auto pause = std::min(kBusyPause * (1 << std::min(tries, 6)), kBusyPauseMax);
  std::this_thread::sleep_for(pause / 2 +
                              std::chrono::microseconds(connection.jitter_() % pause.count()));
  return 1;
}

Result<> Connection::Execute(const std::string& sql) {
  if (sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return std::unexpected(LastError());
  }
  return {};
}

sqlite3_stmt* Connection::Prepare(std::string_view sql) {
  if (const auto found = statements_.find(sql); found != statements_.end())
    return found->second.get();
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                     SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (statement != nullptr) statements_.emplace(sql, statement);
  return statement;
}

Error Connection::LastError() const {
  return ErrorOf(sqlite3_extended_errcode(handle_.get()), sqlite3_system_errno(handle_.get()),
                 sqlite3_errmsg(handle_.get()), path_.string(), busy_timeout_);
}

std::unique_ptr<sql::Cursor> Connection::Begin(std::string_view sql,
                                               std::span<const sql::Value> values) {
  return std::make_unique<Query>(*this, sql, values);
}

Query::Query(Connection& connection, std::string_view sql, std::span<const sql::Value> values)
    : connection_(connection), statement_(connection.Prepare(sql)) {
  for (const sql::Value& value : values) {
    if (value.is_null()) {
      Bind(std::nullopt);
    } else if (value.is_text()) {
      Bind(value.text());
    } else {
      Bind(value.integer());
    }
  }
}

Query::~Query() {
  if (statement_ != nullptr) sqlite3_reset(statement_);
}

void Query::Bind(int64_t value) {
  if (statement_ == nullptr || status_ != SQLITE_OK) return;
  status_ = sqlite3_bind_int64(statement_, ++parameter_, value);
}

void Query::Bind(std::string_view value) {
  if (statement_ == nullptr || status_ != SQLITE_OK) return;
  status_ =
      sqlite3_bind_text64(statement_, ++parameter_, value.data() == nullptr ? "" : value.data(),
                          value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

void Query::Bind(std::nullopt_t) {
  if (statement_ == nullptr || status_ != SQLITE_OK) return;
  status_ = sqlite3_bind_null(statement_, ++parameter_);
}

Result<bool> Query::Next() {
  if (statement_ == nullptr || status_ != SQLITE_OK)
    return std::unexpected(connection_.LastError());
  column_ = 0;
  switch (sqlite3_step(statement_)) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return std::unexpected(connection_.LastError());
  }
}

Result<int64_t> Query::Run() {
  while (TRY(Next())) {
  }
  return sqlite3_changes64(connection_.handle_.get());
}

std::string_view Query::Text() {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column_));
  const int bytes = sqlite3_column_bytes(statement_, column_++);
  return text == nullptr ? std::string_view() : std::string_view(text, bytes);
}

std::optional<int64_t> Query::IntegerOrNull() {
  if (!IsNull()) return Integer();
  ++column_;
  return std::nullopt;
}

std::optional<std::string_view> Query::TextOrNull() {
  if (!IsNull()) return Text();
  ++column_;
  return std::nullopt;
}

}  // namespace spillway::store
