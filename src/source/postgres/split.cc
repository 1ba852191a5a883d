#include "source/postgres/split.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/nearest_name.h"
#include "source/postgres/dependences.h"
#include "source/postgres/locked_tables.h"
#include "source/postgres/row_keys.h"

namespace spillway::postgres_source {
namespace {

using postgres::Rows;

constexpr int kTidRangeScans = 140'000;  ///< The first version that has them.
constexpr int64_t kSampleRows = 50'000;
constexpr int64_t kRowsPerSplit = 200'000;

/// Of the table itself, its partitions and the tables that inherit from it: how many blocks the
/// largest has, what all take, and whether all keep rows in blocks.
constexpr const char* kPlaces =
    "WITH RECURSIVE tables(oid) AS (SELECT $1::oid UNION"
    " SELECT inhrelid FROM pg_inherits JOIN tables ON inhparent = oid)"
    " SELECT coalesce(max(pg_relation_size(c.oid)), 0) / current_setting('block_size')::int8,"
    " coalesce(sum(pg_table_size(c.oid)), 0)::int8,"
    " coalesce(bool_and(c.relkind = 'p' OR (c.relkind IN ('r', 'm') AND a.amname = 'heap')), false)"
    " AND has_table_privilege($1::oid, 'SELECT')"
    " FROM tables JOIN pg_class AS c USING (oid) LEFT JOIN pg_am AS a ON a.oid = c.relam";

Result<int64_t> EstimateRows(QueryReader& reader, const std::string& select, std::stop_token stop) {
  const Rows plan = TRY(reader.Execute("EXPLAIN (FORMAT JSON) " + select, {}, stop));
  const auto json = nlohmann::json::parse(plan.Text(0, 0), nullptr, /*allow_exceptions=*/false);
  const auto rows = nlohmann::json::json_pointer("/0/Plan/Plan Rows");
  if (!json.is_array() || !json.contains(rows) || !json[rows].is_number()) return kRowsPerSplit;
  return static_cast<int64_t>(std::min(json[rows].get<double>(), 1e15));
}

Result<> CheckColumn(QueryReader& reader, const Selection& selection, const std::string& column,
                     const std::string& key, const std::stop_token& stop) {
  if (std::ranges::find(selection.keys, column) == selection.keys.end()) {
    const auto nearest = NearestName(column, selection.keys);
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("split_by: there is no column \"{}\"{}", column,
                            nearest ? "; did you mean \"" + *nearest + "\"?" : ""));
  }
  if (std::ranges::count(selection.keys, column) > 1) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("split_by: there is more than one column \"{}\"; give each a name of "
                            "its own in the query, with AS",
                            column));
  }
  if (!selection.table.has_value()) return {};
  const Rows granted =
      TRY(reader.Execute("SELECT has_column_privilege($1::oid, $2::name, 'SELECT')",
                         {*selection.table, column}, stop));
  if (granted.Boolean(0, 0)) return {};
  return Fail(
      ErrorCode::kPermissionDenied,
      fmt::format("split_by: {0} may not read column {1}; run GRANT SELECT ({1}) ON {2} TO {0}, "
                  "or split by another",
                  reader.connection().user(), key, selection.from));
}

/// Refuses types that the server does not order or makes no arrays of, such as arrays, and
/// composite types, which it turns into columns.
Result<> CheckType(QueryReader& reader, const Selection& selection, const std::string& column,
                   const std::string& key, const std::stop_token& stop) {
  const std::vector<Column> described =
      TRY(reader.Describe(fmt::format("SELECT {} FROM {}", key, selection.from), stop));
  const std::string bounds = fmt::format(
      "SELECT percentile_disc(ARRAY[0.5]) WITHIN GROUP (ORDER BY {0}) FROM {1} WHERE {0} < {0}",
      key, selection.from);
  const Rows composite = TRY(reader.Execute(
      "SELECT typtype = 'c' OR oid = 'record'::regtype FROM pg_type WHERE oid = $1::oid",
      {described.front().type}, stop));
  if (!composite.Boolean(0, 0) && TRY(reader.Accepts(bounds, stop))) return {};
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("split_by: column \"{}\" is of type {}, which cannot be cut into ranges; "
                          "name a column of numbers, times or texts, or set split_by: none",
                          column, described.front().type_name));
}

/// Bounds between splits, as literals.
Result<std::vector<std::string>> FindBounds(QueryReader& reader, const Selection& selection,
                                            const std::string& key, int64_t count, int64_t estimate,
                                            const std::stop_token& stop) {
  std::string fractions;
  for (int64_t i = 1; i < count; ++i)
    fractions +=
        fmt::format("{}{}", i == 1 ? "" : ",", static_cast<double>(i) / static_cast<double>(count));
  const double sampled =
      std::min(1.0, static_cast<double>(kSampleRows) / static_cast<double>(estimate));
  const Rows rows =
      TRY(reader.Execute(fmt::format("SELECT DISTINCT b::text AS text, b FROM unnest((SELECT "
                                     "percentile_disc(ARRAY[{0}]) WITHIN GROUP (ORDER BY {1})"
                                     " FROM {2} WHERE {1} IS NOT NULL AND random() < {3})) AS b "
                                     "WHERE b IS NOT NULL ORDER BY b",
                                     fractions, key, selection.from, sampled),
                         {}, stop));
  std::vector<std::string> bounds;
  for (int i = 0; i < rows.size(); ++i) bounds.emplace_back(rows.Text(i, 0));
  for (std::string& bound : bounds) bound = TRY(reader.connection().QuoteLiteral(bound));
  return bounds;
}

/// An expression for the number of a row's split among those from `first` to `last`.
std::string Number(const std::string& key, const std::vector<std::string>& bounds, size_t first,
                   size_t last) {
  if (first == last) return std::to_string(first);
  const size_t middle = (first + last) / 2;
  return fmt::format("CASE WHEN {} < {} THEN {} ELSE {} END", key, bounds[middle],
                     Number(key, bounds, first, middle), Number(key, bounds, middle + 1, last));
}

Result<> CountAll(QueryReader& reader, const Selection& selection, const std::string& number,
                  const std::string& key_hash, std::vector<Split>& splits,
                  const std::stop_token& stop) {
  const Rows rows = TRY(reader.Execute(
      fmt::format("SELECT ({})::int8, count(*), {} FROM {} GROUP BY 1", number,
                  key_hash.empty() ? "NULL" : fmt::format("sum({})", key_hash), selection.from),
      {}, stop));
  for (Split& split : splits) {
    split.rows = 0;
    if (!key_hash.empty()) split.keys = KeySum().ToString();
  }
  for (int row = 0; row < rows.size(); ++row) {
    Split& split = splits.at(static_cast<size_t>(rows.Integer(row, 0)));
    split.rows = rows.Integer(row, 1);
    split.keys = rows.Text(row, 2);
  }
  return {};
}

}  // namespace

Result<std::vector<Split>> SplitByPlace(QueryReader& reader, const Selection& selection,
                                        int64_t bytes, std::stop_token stop) {
  std::vector<Split> splits(1);
  if (!selection.table.has_value() || reader.connection().server_version() < kTidRangeScans)
    return splits;
  const Rows places = TRY(reader.Execute(kPlaces, {*selection.table}, stop));
  const int64_t blocks = places.Integer(0, 0);
  const int64_t wanted = (places.Integer(0, 1) + bytes - 1) / bytes;
  const int64_t count = std::min(wanted, blocks);
  if (!places.Boolean(0, 2) || count < 2) return splits;
  splits.clear();
  // Open at both ends, so that no row is outside, however the blocks were counted.
  for (int64_t i = 0; i < count; ++i) {
    const std::string from = fmt::format("ctid >= '({},0)'::tid", blocks * i / count);
    const std::string to = fmt::format("ctid < '({},0)'::tid", blocks * (i + 1) / count);
    splits.push_back({.condition = i == 0 ? to : i == count - 1 ? from : from + " AND " + to});
  }
  return splits;
}

Result<> CheckKey(QueryReader& reader, const Selection& selection, const std::string& column,
                  std::stop_token stop) {
  const std::string key = TRY(reader.connection().QuoteIdentifier(column));
  TRY(CheckColumn(reader, selection, column, key, stop));
  TRY(CheckType(reader, selection, column, key, stop));
  const Dependences dependences = TRY(FindDependences(
      reader,
      fmt::format("SELECT {0}, {1} FROM {2} WHERE {1} < {1} OR {1} > {1} OR {1} >= {1}",
                  selection.list, key, selection.from),
      /*by_last_column=*/true, stop));
  if (!dependences.scan.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("split_by: parts read apart may miss rows or have them twice: {}; set "
                            "split_by: none, with which one session reads all",
                            dependences.scan));
  }
  return {};
}

Result<std::vector<Split>> SplitByKey(QueryReader& reader, const Selection& selection,
                                      const std::string& column, const std::string& key_hash,
                                      int64_t splits_max, std::stop_token stop) {
  TRY(CheckKey(reader, selection, column, stop));
  const std::string key = TRY(reader.connection().QuoteIdentifier(column));
  const int64_t estimate = TRY(EstimateRows(reader, selection.Select(), stop));
  const int64_t count = std::clamp<int64_t>(estimate / kRowsPerSplit, 1, splits_max);
  if (count < 2) return std::vector<Split>(1);
  const std::vector<std::string> bounds =
      TRY(FindBounds(reader, selection, key, count, estimate, stop));
  std::vector<Split> splits;
  std::string from;
  for (const std::string& bound : bounds) {
    const std::string below = fmt::format("{} < {}", key, bound);
    splits.push_back({.condition = splits.empty() ? fmt::format("({} OR {} IS NULL)", below, key)
                                                  : from + " AND " + below});
    from = fmt::format("{} >= {}", key, bound);
  }
  splits.push_back({.condition = from});
  if (splits.size() < 2) return splits;
  const std::string number = fmt::format("CASE WHEN {} IS NULL THEN 0 ELSE {} END", key,
                                         Number(key, bounds, 0, bounds.size()));
  TRY(CountAll(reader, selection, number, key_hash, splits, stop));
  return splits;
}

Result<> CountRows(QueryReader& reader, const Selection& selection, Split& split,
                   std::stop_token stop) {
  Selection counted = selection;
  counted.list = "count(*)";
  const Rows rows = TRY(reader.Execute(counted.Select(split.condition), {}, std::move(stop)));
  split.rows = rows.Integer(0, 0);
  return {};
}

Result<> CountRows(const Selection& selection, const BorrowReader& borrow, int parallel,
                   std::vector<Split>& splits, std::stop_token stop) {
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  Result<> failed;
  std::stop_source ended;
  const std::stop_callback passed_on(stop, [&] { ended.request_stop(); });
  const auto count = [&]() -> Result<> {
    const auto reader = TRY(borrow());
    for (size_t i = next++; i < splits.size(); i = next++)
      TRY(CountRows(*reader, selection, splits[i], ended.get_token()));
    // What functions read is locked only now.
    return CheckNoneRewritten(*reader, ended.get_token());
  };
  {
    std::vector<std::jthread> threads;
    const size_t wanted = std::min(static_cast<size_t>(std::max(parallel, 1)), splits.size());
    for (size_t i = 0; i < wanted; ++i) {
      threads.emplace_back([&] {
        Result<> counted = count();
        if (counted.has_value()) return;
        const std::lock_guard lock(mutex);
        if (failed.has_value()) failed = std::move(counted);
        ended.request_stop();
      });
    }
  }
  return failed;
}

}  // namespace spillway::postgres_source
