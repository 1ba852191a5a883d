#include <future>
#include <thread>

#include "recipe/open_data/day_reader.h"
#include "recipe/open_data/open_data_fixture.h"

namespace spillway::recipe::open_data {
namespace {

/// Tables that are loaded again while days are read: to a snapshot that is older they are empty.
class ReloadsTest : public OpenDataTest {
 protected:
  /// Reads a day whose reader has to wait for `change`, which is committed then.
  Result<> ReadWhile(const std::string& change) {
    const auto other = Open();
    Must(other->ExecuteScript("BEGIN; " + change));
    const auto connection = Open();
    DayReader reader(*connection, "public");
    auto read = std::async(std::launch::async, [&] {
      const std::vector<LocationDay> days = {{.location = 1, .day = "2025-01-01"}};
      return reader.Read(days, [](const arrow::RecordBatch&) { return Result<>(); }, {});
    });
    while (Ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
               "AND datname = current_database()") == "0")
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    Must(other->ExecuteScript("COMMIT"));
    const Result<> done = read.get();
    if (done.has_value()) {
      EXPECT_TRUE(reader.days().front().has_location) << change;
    }
    return done;
  }
};

TEST_F(ReloadsTest, R03LocationsThatAreLoadedAgainAreNotGone) {
  AddLocation(1, "UTC");
  AddReading(11, "2025-01-01 12:00Z");
  Sql("ALTER VIEW open_data_locations RENAME TO live_locations;"
      "CREATE MATERIALIZED VIEW open_data_locations AS SELECT * FROM live_locations");
  for (const char* change :
       {"REFRESH MATERIALIZED VIEW open_data_locations",
        "CREATE TEMP TABLE kept AS SELECT * FROM measurements; TRUNCATE measurements;"
        "INSERT INTO measurements SELECT * FROM kept"}) {
    const Result<> read = ReadWhile(change);
    ASSERT_FALSE(read.has_value()) << change;
    EXPECT_EQ(read.error().code, ErrorCode::kConflict);
    EXPECT_TRUE(read.error().retryable);
  }
}

}  // namespace
}  // namespace spillway::recipe::open_data
