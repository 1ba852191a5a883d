#include "store/postgres/database.h"

#include <algorithm>
#include <thread>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

#include "postgres/transaction.h"
#include "store/postgres/migrations.h"

namespace spillway::store::postgres_state {
namespace {

using postgres::Connection;
using postgres::Parameter;
using postgres::Rows;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr unsigned kBigint = 20;  // OIDs of pg_type
constexpr unsigned kText = 25;

constexpr char kReadOnly[] = "ISOLATION LEVEL READ COMMITTED READ ONLY";

/// A client that is paused or cut off in mid-transaction must not keep its locks for long.
constexpr char kTimeouts[] =
    "SET LOCAL idle_in_transaction_session_timeout = 5000; SET LOCAL lock_timeout = 10000";

/// Reads go by key, or along one index in its order; the planner, which does not know how large a
/// young table is, would collect and sort all of a job's chunks for every page.
const std::string kSettings = std::string(kTimeouts) +
                              "; SET LOCAL search_path = spillway, pg_temp; "
                              "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off";

const postgres::ConnectOptions kConnectOptions = {.connect_timeout = Database::kPatience,
                                                  .answer_timeout = Database::kPatience};

/// `?` and `?1` become `$1`. No text of ours has a question mark of its own.
std::string Numbered(std::string_view sql) {
  std::string numbered;
  int next = 0;
  for (size_t i = 0; i < sql.size(); ++i) {
    if (sql[i] != '?') {
      numbered += sql[i];
      continue;
    }
    numbered += '$';
    const bool has_number = i + 1 < sql.size() && sql[i + 1] >= '0' && sql[i + 1] <= '9';
    if (!has_number) numbered += std::to_string(++next);
  }
  return numbered;
}

Parameter ParameterOf(const sql::Value& value) {
  if (value.is_null()) return Parameter(std::nullopt).As(value.is_text() ? kText : kBigint);
  return value.is_text() ? Parameter(Storable(value.text())).As(kText)
                         : Parameter(value.integer()).As(kBigint);
}

/// A statement of a session, run at its first step.
class StatementCursor final : public sql::Cursor {
 public:
  StatementCursor(Connection& connection, std::string_view sql, std::span<const sql::Value> values)
      : connection_(connection), sql_(Numbered(sql)) {
    for (const sql::Value& value : values) parameters_.push_back(ParameterOf(value));
  }

  Result<bool> Next() override {
    TRY(Start());
    return cursor_->Next();
  }
  Result<int64_t> Run() override {
    TRY(Start());
    return cursor_->Run();
  }
  int64_t Integer() override { return cursor_->Integer(); }
  std::string_view Text() override { return cursor_->Text(); }
  std::optional<int64_t> IntegerOrNull() override { return cursor_->IntegerOrNull(); }
  std::optional<std::string_view> TextOrNull() override { return cursor_->TextOrNull(); }

 private:
  Result<> Start() {
    if (rows_) return {};
    rows_.emplace(TRY(connection_.Execute(sql_, parameters_)));
    cursor_.emplace(*rows_);
    return {};
  }

  Connection& connection_;
  const std::string sql_;
  std::vector<Parameter> parameters_;
  std::optional<Rows> rows_;
  std::optional<RowsCursor> cursor_;
};

/// Repeats `attempt` until it succeeds, fails for good, or the time is over. An attempt that sets
/// its argument is not repeated: it may have taken effect.
template <class Attempt>
auto Patiently(const Attempt& attempt) -> std::invoke_result_t<Attempt, bool&> {
  const steady_clock::time_point deadline = steady_clock::now() + Database::kPatience;
  milliseconds pause{0};  // connections that a restart has closed are replaced at once
  while (true) {
    bool last = false;
    auto done = attempt(last);
    if (done.has_value() || !done.error().retryable || last) return done;
    if (steady_clock::now() >= deadline) {
      Error error = std::move(done).error();
      error.code = ErrorCode::kUnavailable;
      return std::unexpected(std::move(error));
    }
    std::this_thread::sleep_for(pause);
    pause = std::clamp(pause * 2, milliseconds(5), milliseconds(250));
  }
}

}  // namespace

std::unique_ptr<sql::Cursor> PostgresSession::Begin(std::string_view sql,
                                                    std::span<const sql::Value> values) {
  return std::make_unique<StatementCursor>(connection_, sql, values);
}

Result<> PostgresSession::Take(sql::Turn turn, std::string_view name) {
  switch (turn) {
    case sql::Turn::kJob:
      TRY(connection_.Execute("SELECT FROM jobs WHERE id = $1 FOR NO KEY UPDATE",
                              {Storable(name)}));
      break;
    case sql::Turn::kTask:
      TRY(connection_.Execute("SELECT pg_advisory_xact_lock(hashtextextended('task ' || $1, 1))",
                              {Storable(name)}));
      break;
    case sql::Turn::kGroup:
      TRY(connection_.Execute("SELECT pg_advisory_xact_lock(hashtextextended('group ' || $1, 1))",
                              {Storable(name)}));
      break;
  }
  return {};
}

Database::Database(const std::string& address)
    : address_(address), pool_(address, kConnectOptions) {}

Result<std::unique_ptr<Database>> Database::Open(const std::string& address) {
  std::unique_ptr<Database> database(new Database(address));
  postgres::Pool::Lent connection = TRY(database->pool_.Lend());
  TRY(Migrate(*connection));
  return database;
}

Result<bool> Database::HasSchema(const std::string& address) {
  const auto connection = TRY(Connection::Open(address, kConnectOptions));
  return TRY(SchemaVersion(*connection)) > 0;
}

Result<postgres::Pool::Lent> Database::Lend() {
  postgres::Pool::Lent connection = TRY(pool_.Lend());
  const steady_clock::time_point now = steady_clock::now();
  if (now - checked_at_.load() >= kCheckEvery) {
    TRY(SchemaVersion(*connection));
    checked_at_ = now;
  }
  return connection;
}

Result<> Database::Write(const Act& act) {
  return Patiently([&](bool& last) -> Result<> {
    postgres::Pool::Lent connection = TRY(Lend());
    auto transaction =
        TRY(postgres::Transaction::Begin(*connection, postgres::kReadCommitted, kSettings));
    PostgresSession session(*connection);
    TRY(act(session));
    last = true;
    return transaction.Commit();
  });
}

Result<> Database::Read(const Act& act) {
  return Patiently([&](bool&) -> Result<> {
    postgres::Pool::Lent connection = TRY(Lend());
    auto transaction = TRY(postgres::Transaction::Begin(*connection, kReadOnly, kSettings));
    PostgresSession session(*connection);
    return act(session);
  });
}

Result<Rows> Database::Run(const std::string& sql, std::span<const Parameter> parameters,
                           postgres::Format format) {
  return Patiently([&](bool&) -> Result<Rows> {
    postgres::Pool::Lent connection = TRY(Lend());
    return connection->Execute(sql, parameters, {}, format);
  });
}

Result<Rows> Database::RunOnceHeard(const std::string& sql, std::span<const Parameter> parameters) {
  return Patiently([&](bool& last) -> Result<Rows> {
    postgres::Pool::Lent connection = TRY(Lend());
    auto transaction =
        TRY(postgres::Transaction::Begin(*connection, postgres::kReadCommitted, kTimeouts));
    Rows rows = TRY(connection->Execute(sql, parameters));
    last = true;
    TRY(transaction.Commit());
    return rows;
  });
}

}  // namespace spillway::store::postgres_state
