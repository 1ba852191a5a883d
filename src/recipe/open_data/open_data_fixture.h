#pragma once

#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/manual_clock.h"
#include "postgres/server_fixture.h"
#include "recipe/collected_plan.h"
#include "recipe/ignored_progress.h"
#include "recipe/open_data/migrations.h"
#include "recipe/open_data/open_data.h"
#include "staging/staging.h"
#include "storage/forwarding_store.h"
#include "storage/lent.h"
#include "storage/memory/memory_store.h"

namespace spillway::recipe::open_data {

using postgres::Must;

/// Does a chunk that is expected to end, one way or the other.
inline Result<engine::ChunkResult> ProcessWith(const OpenData& recipe, const engine::Job& job,
                                               const engine::Chunk& chunk,
                                               storage::ObjectStore& store,
                                               std::stop_token stop = {}) {
  engine::Staging staging(store, "unused", "unused", 1);
  IgnoredProgress progress;
  Result<ChunkOutcome> outcome = recipe.Process(job, chunk, staging, progress, std::move(stop));
  if (!outcome.has_value()) return std::unexpected(outcome.error());
  return std::get<engine::ChunkResult>(*std::move(outcome));
}

/// Does what a test says before and after files are put in place.
class HookedStore final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  std::function<void()> before_put = [] {};
  std::function<void()> after_put = [] {};
  /// Keys that cannot be written.
  std::function<std::optional<Error>(std::string_view)> refuse = [](std::string_view) {
    return std::nullopt;
  };

  std::vector<Result<storage::ObjectInfo>> PutMany(
      std::span<const storage::NewObject> objects) override {
    Call(before_put);
    std::vector<Result<storage::ObjectInfo>> put;
    for (const storage::NewObject& object : objects) {
      if (const auto error = refuse(object.key)) {
        put.emplace_back(std::unexpected(*error));
      } else {
        put.push_back(store_.PutMany({&object, 1})[0]);
      }
    }
    Call(after_put);
    return put;
  }

 private:
  /// A hook may replace itself.
  static void Call(std::function<void()> hook) { hook(); }
};

/// What a run came to.
struct Ran {
  engine::Counts counts;
  std::vector<std::string> items;   ///< Published, in order.
  std::vector<std::string> errors;  ///< "key: classification: message"
};

/// Of a file's rows: "11,1 11,2".
inline std::string SensorsAndValues(const std::string& file) {
  std::istringstream lines(file);
  std::string line, all;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    line.pop_back();  // CR
    const size_t sensor = line.find(',') + 1;
    if (!all.empty()) all += ' ';
    all += line.substr(sensor, line.find(',', sensor) - sensor) + line.substr(line.rfind(','));
  }
  return all;
}

/// A database of the shape of OpenAQ's with the export log, and a recipe that exports it to memory,
/// without an engine.
class OpenDataTest : public postgres::ServerTest {
 protected:
  OpenDataTest() {
    std::ifstream schema(SPILLWAY_OPEN_DATA_EXAMPLE);
    Sql(std::string(std::istreambuf_iterator<char>(schema), {}));
    Must(MigrateLog(*database_));
    Sql("SELECT open_data_track('measurements');"
        "INSERT INTO measurands VALUES (1, 'pm25', 'µg/m³'), (2, 'o3', 'ppm')");
    options_.read_address = Url();
    options_.write_address = Url();
    options_.formats = {"csv"};
    options_.claims.retry_pause = std::chrono::milliseconds(0);
  }

  void Sql(const std::string& sql) { Must(database_->ExecuteScript(sql)); }

  /// The first column of the first row.
  std::string Ask(const std::string& sql) {
    const postgres::Rows rows = Must(database_->Execute(sql));
    return rows.empty() ? "(no row)" : std::string(rows.Text(0, 0));
  }

  /// All readings; how many days are marked by that.
  std::string CountAgain() {
    return Ask("SELECT marked FROM open_data_recount_locations(NULL, NULL)");
  }

  /// A location with two sensors, number * 10 + 1 and + 2.
  void AddLocation(int number, const std::string& zone) {
    Sql(
        fmt::format("INSERT INTO timezones VALUES ({0}, '{1}');"
                    "INSERT INTO sensor_nodes VALUES ({0}, 'Station {0}', 1.5, -2.25, {0});"
                    "INSERT INTO sensor_systems VALUES ({0}, {0});"
                    "INSERT INTO sensors VALUES ({0} * 10 + 1, {0}, 1), ({0} * 10 + 2, {0}, 2)",
                    number, zone));
  }
  void AddReading(int sensor, const std::string& time, double value = 1) {
    Sql(fmt::format("INSERT INTO measurements VALUES ({}, '{}', {})", sensor, time, value));
  }
  std::string State(int location, const std::string& day) {
    return Ask(
        fmt::format("SELECT state FROM open_data_states WHERE sensor_nodes_id = {} AND day = '{}'",
                    location, day));
  }

  OpenData::Destinations Destinations() {
    return [this](std::string_view) -> Result<std::shared_ptr<storage::ObjectStore>> {
      return storage::Lent(store_);
    };
  }

  OpenData& Recipe() {
    if (recipe_ == nullptr) {
      recipe_ = Must(OpenData::Make(options_, Destinations(), clock_, Random(++recipes_)));
    }
    return *recipe_;
  }

  /// From now on with the options as they are.
  void Restart() { recipe_.reset(); }

  /// Its chunks are for the test to think of.
  engine::Job PlannedJob() {
    engine::Job job = NewJob();
    CollectedPlan plan;
    job.plan = Must(Recipe().MakePlan(job, plan, {})).source;
    return job;
  }

  engine::Job NewJob(const std::string& parameters = "{}") {
    const CanonicalRequest request =
        Must(Recipe().Canonicalise({.export_name = "open-data", .parameters = parameters}));
    return {.id = "job-" + std::to_string(++jobs_),
            .parameters = request.parameters,
            .created_at = clock_.Now(),
            .started_at = clock_.Now()};
  }

  Result<engine::ChunkResult> Process(const engine::Job& job, const engine::Chunk& chunk) {
    return ProcessWith(Recipe(), job, chunk, store_);
  }

  Ran Run(const std::string& parameters = "{}") {
    engine::Job job = NewJob(parameters);
    CollectedPlan plan;
    const Planned planned = Must(Recipe().MakePlan(job, plan, {}));
    job.plan = planned.source;
    Ran ran;
    for (size_t i = 0; i < plan.chunks.size(); ++i) {
      Take(Must(Process(job, {.index = static_cast<int64_t>(i),
                              .planned = plan.chunks[i].planned,
                              .attempts = 1,
                              .lease_token = 1})),
           ran);
    }
    EXPECT_TRUE(ran.counts.Reconciled());
    EXPECT_EQ(ran.counts.planned, planned.planned);
    return ran;
  }

  static void Take(const engine::ChunkResult& result, Ran& ran) {
    ran.counts += result.counts;
    for (const engine::PublishedFile& file : result.published) ran.items.push_back(file.item);
    for (const engine::ErrorRecord& error : result.errors) {
      ran.errors.push_back(error.key + ": " + error.classification + ": " + error.message);
    }
  }

  std::string File(const std::string& key) {
    const auto reader = memory_.Open(key, {});
    if (!reader.has_value()) return "(no file)";
    std::string text((*reader)->size(), '\0');
    Must((*reader)->ReadAt(0, std::as_writable_bytes(std::span(text))));
    return text;
  }
  std::vector<std::string> Keys() {
    std::vector<std::string> keys;
    for (const auto& info : Must(memory_.List("", "", 10'000))) keys.push_back(info.key);
    return keys;
  }

  std::unique_ptr<postgres::Connection> database_ = Open();
  OpenDataOptions options_;
  ManualClock clock_;
  storage::MemoryPlace place_;
  storage::MemoryStore memory_{place_, clock_};
  HookedStore store_{memory_};

 private:
  std::unique_ptr<OpenData> recipe_;
  uint64_t recipes_ = 0;
  int jobs_ = 0;
};

}  // namespace spillway::recipe::open_data
