#include "store/transfer/transfer.h"

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/digest.h"
#include "postgres/transaction.h"
#include "store/postgres/database.h"
#include "store/postgres/text.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/database.h"

namespace spillway::store {
namespace {

using postgres_state::Storable;
using Bytes = std::span<const std::byte>;
using Target = spillway::postgres::Connection;

struct Table {
  std::string name;
  std::string key;  // orders its rows
};

/// Each after those that it refers to.
const std::array<Table, 6> kTables = {{{"jobs", "number"},
                                       {"job_documents", "job"},
                                       {"transitions", "job, sequence"},
                                       {"chunks", "job, chunk_index"},
                                       {"schedules", "name"},
                                       {"signing_key", "only_row"}}};

constexpr size_t kPieceBytes = 1 << 16;

Bytes BytesOf(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

struct Column {
  std::string name;
  bool is_text = false;
};

/// The target's columns, which the newest schema of the file has too, by the same names.
Result<std::vector<Column>> ColumnsOf(Target& target, const std::string& table) {
  const auto rows = TRY(target.Execute(
      "SELECT column_name, data_type = 'text' FROM information_schema.columns "
      "WHERE table_schema = 'spillway' AND table_name = $1 ORDER BY ordinal_position",
      {table}));
  std::vector<Column> columns;
  for (int row = 0; row < rows.size(); ++row)
    columns.push_back({.name = std::string(rows.Text(row, 0)), .is_text = rows.Boolean(row, 1)});
  return columns;
}

std::string NamesOf(const std::vector<Column>& columns) {
  std::string names;
  for (const Column& column : columns) names += (names.empty() ? "" : ", ") + column.name;
  return names;
}

/// As `COPY … TO` writes it, so that both sides have the same bytes.
void AppendText(std::string_view text, std::string& line) {
  static constexpr std::string_view kSpecial = "\\\b\f\n\r\t\v";
  static constexpr std::string_view kLetters = "\\bfnrtv";
  for (const char c : text) {
    const size_t special = kSpecial.find(c);
    if (special == std::string_view::npos) {
      line += c;
    } else {
      line += '\\';
      line += kLetters[special];
    }
  }
}

/// The rows of a table of the file as lines of COPY.
class Lines {
 public:
  /// `sql` selects the columns, and lives as long as `source`.
  Lines(Connection& source, std::string_view sql, const std::vector<Column>& columns)
      : columns_(columns), rows_(source, sql) {}

  /// The next lines; empty after the last. Valid until the next call.
  Result<Bytes> Next() {
    lines_.clear();
    while (!done_ && lines_.size() < kPieceBytes) {
      done_ = !TRY(rows_.Next());
      if (done_) break;
      for (size_t i = 0; i < columns_.size(); ++i) {
        if (i > 0) lines_ += '\t';
        AppendColumn(columns_[i]);
      }
      lines_ += '\n';
    }
    digest_.Update(BytesOf(lines_));
    return BytesOf(lines_);
  }

  Sha256Digest Digest() { return digest_.Finish(); }

 private:
  void AppendColumn(const Column& column) {
    if (column.is_text) {
      const auto text = rows_.TextOrNull();
      if (text) AppendText(Storable(*text), lines_);
      if (!text) lines_ += "\\N";
    } else {
      const auto integer = rows_.IntegerOrNull();
      lines_ += integer ? std::to_string(*integer) : "\\N";
    }
  }

  const std::vector<Column>& columns_;
  Query rows_;
  bool done_ = false;
  std::string lines_;
  Sha256 digest_;
};

/// A file that is copied, and the statements that its connection keeps.
struct Source {
  std::deque<std::string> statements;
  std::unique_ptr<Connection> connection;
};

template <class... Values>
Result<int64_t> Count(Connection& source, std::string_view sql, const Values&... values) {
  Query count(source, sql, values...);
  TRY(count.Next());
  return count.Integer();
}

/// A column that only the file has would not be copied. For one that only the target has, the
/// SELECT fails.
Result<> RequireSameColumns(Connection& source, const Table& table, size_t columns) {
  const int64_t there = TRY(Count(source, "SELECT count(*) FROM pragma_table_info(?)", table.name));
  if (there == static_cast<int64_t>(columns)) return {};
  return Fail(ErrorCode::kInternal,
              fmt::format("table {} has {} columns in SQLite and {} in PostgreSQL", table.name,
                          there, columns));
}

Result<> CopyTable(Source& source, Target& target, const Table& table,
                   const std::stop_token& stop) {
  const std::vector<Column> columns = TRY(ColumnsOf(target, table.name));
  TRY(RequireSameColumns(*source.connection, table, columns.size()));
  const std::string names = NamesOf(columns);
  const std::string& selection = source.statements.emplace_back(
      fmt::format("SELECT {} FROM {} ORDER BY {}", names, table.name, table.key));
  Lines lines(*source.connection, selection, columns);
  // The triggers check single steps, and did so when the steps were taken.
  TRY(target.Execute(fmt::format("ALTER TABLE {} DISABLE TRIGGER USER", table.name)));
  const int64_t copied = TRY(target.CopyIn(
      fmt::format("COPY {} ({}) FROM STDIN", table.name, names), [&] { return lines.Next(); },
      stop));
  TRY(target.Execute(fmt::format("ALTER TABLE {} ENABLE TRIGGER USER", table.name)));
  Sha256 stored;
  const int64_t read = TRY(target.CopyOut(
      fmt::format("COPY (SELECT {} FROM {} ORDER BY {}) TO STDOUT", names, table.name, table.key),
      [&](Bytes line) -> Result<> {
        stored.Update(line);
        return {};
      },
      stop));
  if (read != copied || stored.Finish() != lines.Digest()) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("{}: table {} is not what was copied to it; nothing was kept",
                            target.server(), table.name));
  }
  return {};
}

Result<> RequireIdle(Connection& source, const std::filesystem::path& file, Timestamp now) {
  const int64_t held = TRY(Count(source,
                                 "SELECT (SELECT count(*) FROM jobs WHERE state = 'processing' AND "
                                 "lease_owner <> '' AND lease_expires_at > ?1) + (SELECT count(*) "
                                 "FROM chunks WHERE state = 'leased' AND lease_expires_at > ?1)",
                                 now));
  if (held == 0) return {};
  return Fail(ErrorCode::kConflict,
              fmt::format("{}: workers hold {} leases; stop all workers first (leases of killed "
                          "ones end by themselves)",
                          file.string(), held));
}

Result<> RequireEmpty(Target& target) {
  const auto there =
      TRY(target.Execute("SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM schedules)"));
  if (there.Integer(0, 0) == 0) return {};
  return Fail(ErrorCode::kConflict,
              fmt::format("{} has {} jobs and schedules; a state moves to an empty database only",
                          target.server(), there.Integer(0, 0)));
}

}  // namespace

Result<Transferred> TransferState(const std::filesystem::path& file,
                                  const std::string& postgres_address, Clock& clock,
                                  std::stop_token stop) {
  TRY(Database::Open(file));  // brings its schema up to date
  Source source;
  source.connection =
      TRY(Connection::Open(file, Connection::Mode::kReadWrite, Database::kBusyTimeout));
  Connection& reader = *source.connection;
  TRY(reader.Execute("BEGIN IMMEDIATE"));
  TRY(RequireIdle(reader, file, clock.Now()));

  TRY(postgres_state::Database::Open(postgres_address));
  const auto target = TRY(Target::Open(postgres_address, {}, stop));
  auto transaction = TRY(spillway::postgres::Transaction::Begin(
      *target, spillway::postgres::kReadCommitted,
      "SET LOCAL search_path = spillway, pg_temp; LOCK TABLE jobs, schedules", stop));
  TRY(RequireEmpty(*target));
  TRY(target->Execute("DELETE FROM signing_key"));  // Nothing was signed with it.
  for (const Table& table : kTables) TRY(CopyTable(source, *target, table, stop));
  TRY(
      target->Execute("SELECT setval(pg_get_serial_sequence('jobs', 'number'), "
                      "coalesce(max(number), 0) + 1, false) FROM jobs"));
  TRY(transaction.Commit());
  const int64_t jobs = TRY(Count(reader, "SELECT count(*) FROM jobs"));
  const int64_t chunks = TRY(Count(reader, "SELECT count(*) FROM chunks"));
  return Transferred{.jobs = jobs, .chunks = chunks};
}

}  // namespace spillway::store
