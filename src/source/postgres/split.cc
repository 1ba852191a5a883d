#include "source/postgres/split.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/nearest_name.h"
#include "source/postgres/locked_tables.h"

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
    " FROM tables JOIN pg_class AS c USING (oid) LEFT JOIN pg_am AS a ON a.oid = c.relam";

Result<int64_t> EstimateRows(QueryReader& reader, const std::string& select, std::stop_token stop) {
  const Rows plan = TRY(reader.Execute("EXPLAIN (FORMAT JSON) " + select, {}, stop));
  const auto json = nlohmann::json::parse(plan.Text(0, 0), nullptr, /*allow_exceptions=*/false);
  const auto rows = nlohmann::json::json_pointer("/0/Plan/Plan Rows");
  if (!json.is_array() || !json.contains(rows) || !json[rows].is_number()) return kRowsPerSplit;
  return static_cast<int64_t>(std::min(json[rows].get<double>(), 1e15));
}

Result<int64_t> Count(QueryReader& reader, const Selection& selection, const Split& split,
                      std::stop_token stop) {
  Selection counted = selection;
  counted.list = "count(*)";
  const Rows rows = TRY(reader.Execute(counted.Select(split.condition), {}, stop));
  return rows.Integer(0, 0);
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
  // Open at both ends, so that no row is outside, whatever the blocks were counted as.
  for (int64_t i = 0; i < count; ++i) {
    const std::string from = fmt::format("ctid >= '({},0)'::tid", blocks * i / count);
    const std::string to = fmt::format("ctid < '({},0)'::tid", blocks * (i + 1) / count);
    splits.push_back({.condition = i == 0 ? to : i == count - 1 ? from : from + " AND " + to});
  }
  return splits;
}

Result<std::vector<Split>> SplitByKey(QueryReader& reader, const Selection& selection,
                                      const std::string& column, int64_t splits_max,
                                      std::stop_token stop) {
  const auto found = std::ranges::find(selection.keys, column);
  if (found == selection.keys.end()) {
    const auto nearest = NearestName(column, selection.keys);
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("split_by: there is no column \"{}\"{}", column,
                            nearest ? "; did you mean \"" + *nearest + "\"?" : ""));
  }
  const std::string key = TRY(reader.connection().QuoteIdentifier(column));
  const int64_t estimate = TRY(EstimateRows(reader, selection.Select(), stop));
  const int64_t count = std::clamp<int64_t>(estimate / kRowsPerSplit, 1, splits_max);
  if (count < 2) return std::vector<Split>(1);
  std::string fractions;
  for (int64_t i = 1; i < count; ++i)
    fractions +=
        fmt::format("{}{}", i == 1 ? "" : ",", static_cast<double>(i) / static_cast<double>(count));
  const double sampled =
      std::min(1.0, static_cast<double>(kSampleRows) / static_cast<double>(estimate));
  const Rows bounds =
      TRY(reader.Execute(fmt::format("SELECT DISTINCT b::text AS text, b FROM unnest((SELECT "
                                     "percentile_disc(ARRAY[{0}]) WITHIN GROUP (ORDER BY {1})"
                                     " FROM {2} WHERE {1} IS NOT NULL AND random() < {3})) AS b "
                                     "WHERE b IS NOT NULL ORDER BY b",
                                     fractions, key, selection.from, sampled),
                         {}, stop));
  std::vector<Split> splits;
  std::string from;
  for (int i = 0; i < bounds.size(); ++i) {
    const std::string bound = TRY(reader.connection().QuoteLiteral(bounds.Text(i, 0)));
    const std::string below = fmt::format("{} < {}", key, bound);
    splits.push_back({.condition = i == 0 ? fmt::format("({} OR {} IS NULL)", below, key)
                                          : from + " AND " + below});
    from = fmt::format("{} >= {}", key, bound);
  }
  splits.push_back({.condition = from});
  return splits;
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
      splits[i].rows = TRY(Count(*reader, selection, splits[i], ended.get_token()));
    // What functions read is locked no sooner.
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
