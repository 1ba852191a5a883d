#include "recipe/open_data/open_data_fixture.h"

namespace spillway::recipe::open_data {
namespace {

/// Everything that stands in a schema, a line each: functions, views, tables with their columns,
/// constraints, indexes and triggers, and who may do what.
constexpr char kDescribed[] = R"sql(
  WITH relation AS (
    SELECT c.* FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $1
  )
  SELECT replace(line, $1, '@schema@') FROM (
    SELECT pg_get_functiondef(p.oid) || coalesce(proacl::text, '') AS line
    FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = $1
    UNION ALL SELECT concat(relname, ' ', relkind) || coalesce(relacl::text, '') FROM relation
    UNION ALL SELECT relname || pg_get_viewdef(oid) FROM relation WHERE relkind = 'v'
    UNION ALL SELECT pg_get_indexdef(oid) FROM relation WHERE relkind = 'i'
    UNION ALL
    SELECT format('%s %s %s %s %s %s', relname, attnum, attname, format_type(atttypid, atttypmod),
                  attnotnull, pg_get_expr(adbin, adrelid))
    FROM relation JOIN pg_attribute a ON a.attrelid = relation.oid AND attnum > 0
    LEFT JOIN pg_attrdef ON adrelid = a.attrelid AND adnum = attnum
    UNION ALL
    SELECT relname || pg_get_constraintdef(pg_constraint.oid)
    FROM relation JOIN pg_constraint ON conrelid = relation.oid
    UNION ALL
    SELECT pg_get_triggerdef(pg_trigger.oid)
    FROM relation JOIN pg_trigger ON tgrelid = relation.oid AND NOT tgisinternal) AS described
  ORDER BY replace(line, $1, '@schema@') COLLATE "C")sql";

class UpgradeTest : public OpenDataTest {
 protected:
  std::vector<std::string> Described(const std::string& schema) {
    const postgres::Rows rows = Must(database_->Execute(std::string(kDescribed), {schema}));
    EXPECT_GT(rows.size(), 50);
    std::vector<std::string> lines;
    for (int row = 0; row < rows.size(); ++row) lines.emplace_back(rows.Text(row, 0));
    return lines;
  }

  /// A log of version 4, as its program made it.
  void MakeOldLog() {
    std::ifstream file(SPILLWAY_OPEN_DATA_VERSION_4);
    const std::string sql(std::istreambuf_iterator<char>(file), {});
    ASSERT_FALSE(sql.empty());
    Sql("CREATE SCHEMA upgraded; SET search_path = upgraded, pg_temp; SET check_function_bodies = "
        "off;"
        "CREATE TABLE open_data_migrations (version integer PRIMARY KEY, applied_on timestamptz "
        "NOT NULL DEFAULT now()); INSERT INTO open_data_migrations SELECT generate_series(1, 4)");
    Sql(WithSchema(sql, "upgraded"));
  }
};

TEST_F(UpgradeTest, ALogOfVersion4BecomesWhatAFreshOneIs) {
  MakeOldLog();
  Sql("CREATE TABLE readings (sensors_id int, datetime timestamptz);"
      "SELECT open_data_track('readings');"
      "INSERT INTO open_data_export_logs (sensor_nodes_id, day, records, exported_on, key, "
      "metadata) "
      "VALUES (7, '2024-01-31', 24, clock_timestamp(), 'a key', '{\"time_zone\": \"UTC\"}')");
  const char* row =
      "SELECT concat_ws(' ', sensor_nodes_id, day, records, modified_on, exported_on, key, "
      "metadata, version) FROM upgraded.open_data_export_logs";
  const std::string before = Ask(row);
  EXPECT_EQ(Must(MigrateLog(*database_, "upgraded")), 4);
  EXPECT_EQ(Ask(row), before);

  Must(MigrateLog(*database_, "fresh"));
  Sql("CREATE TABLE fresh.readings (sensors_id int, datetime timestamptz);"
      "SELECT fresh.open_data_track('fresh.readings'); SET search_path = public");
  EXPECT_EQ(Described("upgraded"), Described("fresh"));
}

}  // namespace
}  // namespace spillway::recipe::open_data
