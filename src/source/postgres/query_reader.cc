#include "source/postgres/query_reader.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace spillway::postgres_source {
namespace {

using postgres::Connection;
using postgres::Rows;
using postgres::Transaction;

constexpr std::string_view kQueryCanceled = "57014";
constexpr uint32_t kInet = 869;
constexpr uint32_t kMoney = 790;
constexpr uint32_t kFirstOfUsers = 16'384;  ///< OIDs from here on are types that users made.
constexpr std::string_view kReadOnlyTransaction = "25006";
constexpr std::string_view kLockNotAvailable = "55P03";
constexpr std::string_view kNotSupported = "0A";
/// In the message about a subquery whose WITH writes, which has no SQLSTATE of its own.
constexpr std::string_view kWritingWith = "data-modifying statement";
/// SQLSTATE classes of errors in a statement itself: not supported, bad value, bad SQL.
constexpr std::array<std::string_view, 3> kNotAsWritten = {"0A", "22", "42"};

/// How long a reader of another's snapshot waits for a lock. The session that is in front of it in
/// the queue may be waiting for the other reader, whose process waits for this one: a deadlock that
/// the server cannot see.
constexpr std::chrono::milliseconds kLockTimeout{2'000};

/// A column as PostgreSQL's output of its type would spell it; money as the number that it is,
/// whatever lc_monetary puts around it.
std::string AsText(const Column& column, const std::string& name) {
  // The cast of inet appends "/32", which its output does not.
  if (column.type == kInet) return "abbrev(" + name + ")";
  if (column.type == kMoney) return name + "::numeric::text";
  if (column.type < kFirstOfUsers) return name + "::text";
  // Users may have made a cast of their own, which need not be the type's output.
  return fmt::format("CASE WHEN num_nulls({0}) = 0 THEN format('%s', {0}) END", name);
}

/// The statement that COPY runs, in which columns without an encoding here become text.
std::string WithText(const std::string& select, const std::vector<Column>& columns) {
  bool any = false;
  std::string list;
  std::string names;
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::string_view separator = i == 0 ? "" : ", ";
    const std::string name = fmt::format("c{}", i);
    any |= columns[i].cast_to_text;
    names += fmt::format("{}{}", separator, name);
    list +=
        fmt::format("{}{}", separator, columns[i].cast_to_text ? AsText(columns[i], name) : name);
  }
  if (!any) return select;
  return fmt::format("SELECT {} FROM (\n{}\n) AS q({})", list, select, names);
}

/// Why a snapshot is gone, and what to do. A replica ends the transactions that keep it from
/// replaying what its primary has removed, so a second try would fail in the same way.
std::string GoneBecause(Connection& connection, std::stop_token stop) {
  connection.Rollback();
  const Result<Rows> asked = connection.Execute("SELECT pg_is_in_recovery()", {}, std::move(stop));
  if (!asked.has_value() || !asked->Boolean(0, 0)) {
    return "because the process or the connection that held it ended; run the export again";
  }
  return "because the process or the connection that held it ended, as a replica ends those that "
         "keep it from following its primary; set hot_standby_feedback = on there, or raise "
         "max_standby_streaming_delay, and run the export again";
}

}  // namespace

Result<std::unique_ptr<QueryReader>> QueryReader::Open(const ReadOptions& options,
                                                       std::stop_token stop) {
  auto connection = TRY(Connection::Open(options.address, {}, stop));
  auto reader = TRY(Begin(*connection, options, std::move(stop)));
  reader->owned_ = std::move(connection);
  return reader;
}

Result<std::unique_ptr<QueryReader>> QueryReader::Begin(Connection& connection,
                                                        const ReadOptions& options,
                                                        std::stop_token stop) {
  auto transaction =
      TRY(Transaction::Begin(connection, "ISOLATION LEVEL REPEATABLE READ READ ONLY", "", stop));
  if (!options.snapshot.empty()) {
    const std::string snapshot = TRY(connection.QuoteLiteral(options.snapshot));
    auto taken = connection.Execute("SET TRANSACTION SNAPSHOT " + snapshot, {}, stop);
    if (!taken.has_value() && !connection.sqlstate().empty()) {
      return Fail(ErrorCode::kConflict,
                  connection.server() +
                      ": the snapshot that the export was planned with is gone, " +
                      GoneBecause(connection, stop));
    }
    TRY(std::move(taken));
  }
  std::unique_ptr<QueryReader> reader(new QueryReader(connection, std::move(transaction)));
  TRY(reader->Set(options, std::move(stop)));
  return reader;
}

Result<> QueryReader::Set(const ReadOptions& options, std::stop_token stop) {
  // Locally to the transaction, as the session may be PgBouncer's. A database in SQL_ASCII hands
  // out its bytes as they are: the server would check them, too, but names no column.
  const Rows set = TRY(Execute(
      "SELECT set_config('statement_timeout', $1, true), set_config('TimeZone', $2, true),"
      " set_config('IntervalStyle', 'iso_8601', true), set_config('DateStyle', 'ISO, YMD', true),"
      " set_config('extra_float_digits', '1', true), set_config('bytea_output', 'hex', true),"
      " set_config('client_encoding', CASE current_setting('server_encoding')"
      "  WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, true),"
      " set_config('standard_conforming_strings', 'on', true),"
      " set_config('idle_in_transaction_session_timeout', '0', true),"
      // Scans begin at a table's first row, not where another session's scan is.
      " set_config('synchronize_seqscans', 'off', true), set_config('row_security', $4, true),"
      " set_config('lock_timeout', $3, true), current_setting('server_encoding')",
      {options.statement_timeout.count(), options.time_zone,
       options.snapshot.empty() ? 0 : kLockTimeout.count(), options.row_security ? "on" : "off"},
      stop));
  ascii_ = set.Text(0, set.columns() - 1) == "SQL_ASCII";
  if (options.settings.empty()) return {};
  std::vector<std::string> names;
  std::vector<std::string> values;
  for (const auto& [name, value] : options.settings) {
    names.push_back(name);
    values.push_back(value);
  }
  TRY(
      Execute("SELECT set_config(name, value, true) FROM unnest($1::text[], $2::text[])"
              " AS s(name, value)",
              {std::span<const std::string>(names), std::span<const std::string>(values)}, stop));
  return {};
}

std::unexpected<Error> QueryReader::Failed(Error error) {
  usable_ = false;
  if (error.code == ErrorCode::kCancelled) return std::unexpected(std::move(error));
  const std::string& sqlstate = connection_->sqlstate();
  if (sqlstate == kQueryCanceled) {
    return Fail(ErrorCode::kOutOfSpace,
                connection_->server() +
                    ": a statement took longer than statement_timeout allows, or an administrator "
                    "cancelled it; raise statement_timeout, or let the export read less");
  }
  if (sqlstate == kReadOnlyTransaction) {
    return Fail(ErrorCode::kInvalidArgument,
                connection_->server() + ": the query writes, and exports only read");
  }
  if (sqlstate == kLockNotAvailable) {
    return FailTransient(ErrorCode::kUnavailable,
                         connection_->server() +
                             ": an ALTER, TRUNCATE or LOCK of what is read waits for this export, "
                             "and the export would wait for it; begin it when the export is over");
  }
  // Servers say "feature not supported" of statements that they understand and refuse.
  if (error.message.contains(kWritingWith)) {
    return Fail(ErrorCode::kInvalidArgument,
                connection_->server() + ": the query writes in its WITH, and exports only read");
  }
  if (sqlstate.starts_with(kNotSupported)) error.code = ErrorCode::kInvalidArgument;
  return std::unexpected(std::move(error));
}

Result<Rows> QueryReader::Execute(const std::string& sql,
                                  std::initializer_list<postgres::Parameter> parameters,
                                  std::stop_token stop) {
  Result<Rows> rows = connection_->Execute(sql, parameters, std::move(stop));
  if (!rows.has_value()) return Failed(std::move(rows).error());
  return rows;
}

Result<std::vector<Column>> QueryReader::Describe(const std::string& select, std::stop_token stop) {
  const Rows shape =
      TRY(Execute(fmt::format("SELECT * FROM (\n{}\n) AS q LIMIT 0", select), {}, stop));
  std::vector<int64_t> types;
  std::vector<int64_t> modifiers;
  for (int i = 0; i < shape.columns(); ++i) {
    types.push_back(shape.ColumnType(i));
    modifiers.push_back(shape.ColumnModifier(i));
  }
  const Rows names = TRY(Execute(
      "SELECT format_type(type, modifier), (SELECT typtype = 'e' FROM pg_type WHERE oid = type)"
      " FROM unnest($1::oid[], $2::int4[]) WITH ORDINALITY AS u(type, modifier, position)"
      " ORDER BY position",
      {std::span<const int64_t>(types), std::span<const int64_t>(modifiers)}, stop));
  std::vector<Column> columns;
  for (int i = 0; i < shape.columns(); ++i) {
    columns.push_back(ColumnOf(std::string(shape.ColumnName(i)), shape.ColumnType(i),
                               shape.ColumnModifier(i), std::string(names.Text(i, 0)),
                               names.Boolean(i, 1)));
  }
  if (columns.empty()) return Fail(ErrorCode::kInvalidArgument, "the query has no columns");
  return columns;
}

Result<std::optional<ParseTrees>> QueryReader::Parse(const std::string& select,
                                                     std::stop_token stop) {
  static constexpr const char* kPrint =
      "SELECT set_config('debug_print_parse', $1, true),"
      " set_config('debug_print_rewritten', $1, true), set_config('debug_pretty_print', 'off', "
      "true),"
      " set_config('client_min_messages', $2, true)";
  TRY(Execute(kPrint, {"on", "log"}, stop));
  Result<std::vector<postgres::Notice>> notices = connection_->Read(select, stop);
  if (!notices.has_value()) return Failed(std::move(notices).error());
  TRY(Execute(kPrint, {"off", "warning"}, stop));
  const auto last = [&](std::string_view title) -> std::optional<Node> {
    const auto found =
        std::ranges::find(notices->rbegin(), notices->rend(), title, &postgres::Notice::message);
    if (found == notices->rend()) return std::nullopt;
    Result<Node> tree = ParseNodeTree(found->detail);
    if (!tree.has_value()) return std::nullopt;
    return std::move(*tree);
  };
  std::optional<Node> written = last("parse tree:");
  std::optional<Node> rewritten = last("rewritten parse tree:");
  if (!written.has_value() || !rewritten.has_value()) return std::nullopt;
  return ParseTrees{.written = std::move(*written), .rewritten = std::move(*rewritten)};
}

Result<bool> QueryReader::Accepts(const std::string& select, std::stop_token stop) {
  TRY(Execute("SAVEPOINT spillway_query", {}, stop));
  Result<std::vector<postgres::Notice>> read = connection_->Read(select, stop);
  const std::string sqlstate = connection_->sqlstate();
  const bool refused = std::ranges::any_of(
      kNotAsWritten, [&](std::string_view prefix) { return sqlstate.starts_with(prefix); });
  if (!read.has_value() && !refused) return Failed(std::move(read).error());
  if (refused) TRY(Execute("ROLLBACK TO SAVEPOINT spillway_query", {}, stop));
  TRY(Execute("RELEASE SAVEPOINT spillway_query", {}, stop));
  return !refused;
}

Result<int64_t> QueryReader::Read(const std::string& select, const std::vector<Column>& columns,
                                  const CopyDecoder::Consume& consume, std::stop_token stop) {
  CopyDecoder decoder(columns, {.check_text = ascii_}, consume);
  const auto decode = [&](std::span<const std::byte> bytes) {
    return decoder.Append({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  Result<int64_t> copied = connection_->CopyOut(
      fmt::format("COPY (\n{}\n) TO STDOUT (FORMAT binary)", WithText(select, columns)), decode,
      std::move(stop));
  if (!copied.has_value()) return Failed(std::move(copied).error());
  TRY(decoder.Finish());
  if (*copied != decoder.rows()) {
    return Fail(ErrorCode::kCorrupt, fmt::format("{}: sent {} rows, of which {} arrived",
                                                 connection_->server(), *copied, decoder.rows()));
  }
  return copied;
}

Result<std::map<std::string, std::string>> QueryReader::settings(std::stop_token stop) {
  const Rows rows = TRY(Execute(
      "SELECT name, setting FROM pg_settings WHERE name IN ('array_nulls', 'backslash_quote',"
      " 'default_text_search_config', 'gin_fuzzy_search_limit', 'lc_monetary', 'lc_numeric',"
      " 'lc_time', 'quote_all_identifiers', 'search_path', 'timezone_abbreviations',"
      " 'transform_null_equals', 'xmlbinary', 'xmloption')",
      {}, std::move(stop)));
  std::map<std::string, std::string> settings;
  for (int row = 0; row < rows.size(); ++row)
    settings.emplace(rows.Text(row, 0), rows.Text(row, 1));
  return settings;
}

Result<std::string> QueryReader::ExportSnapshot(std::stop_token stop) {
  const Rows name = TRY(Execute("SELECT pg_export_snapshot()", {}, std::move(stop)));
  return std::string(name.Text(0, 0));
}

}  // namespace spillway::postgres_source
