#include "settings/setting_checks.h"

#include <gmock/gmock.h>

#include "recipe/registry.h"
#include "settings/settings_file.h"

namespace spillway {
namespace {

using testing::ElementsAre;

const recipe::Registry& TheRegistry() {
  static const recipe::Registry kRegistry = recipe::RecipesInProgram();
  return kRegistry;
}

std::vector<std::string> ProblemsOf(const std::string& text,
                                    const config::Environment& environment = {}) {
  const auto loaded = ParseSettings(text, "spillway.yaml", {environment, {}}, TheRegistry());
  std::vector<std::string> lines;
  if (loaded.has_value()) return lines;
  for (const config::Problem& problem : loaded.error()) lines.push_back(config::ToString(problem));
  return lines;
}

TEST(SettingChecks, M1AMistypedStateIsRefusedWithoutItsPassword) {
  for (const std::string state :
       {"postgress://u:hush@h/d", "mysql://u:hush@h/d", "postgres:/u:hush@h/d", "u:hush@h/d",
        "//u:hush@h/d", "Postgres://u:hush@h/d", "postgres:u:hush@h/d", "u:hush/x@h/d",
        "host=h password=hush", "dbname=hush", "password = hush", "postgresql//ada:hush@host/db"}) {
    const std::vector<std::string> expected = {
        "spillway.yaml:1:8: state is neither a file nor postgres://user@host/database"};
    EXPECT_EQ(ProblemsOf("state: '" + state + "'"), expected) << state;
    EXPECT_THAT(ProblemsOf("", {{"SPILLWAY_STATE", state}}),
                ElementsAre("SPILLWAY_STATE: state is neither a file nor "
                            "postgres://user@host/database"));
    EXPECT_THAT(ProblemsOf("state: '${ADDRESS}'", {{"ADDRESS", state}}),
                ElementsAre("spillway.yaml:1:8: state is not usable; use a file, or "
                            "postgres://user@host/database"));
  }
  for (const std::string state : {"postgres://u:hu/sh@h/d", "postgres://h/d?pasword=hush"}) {
    EXPECT_THAT(ProblemsOf("state: '" + state + "'"),
                ElementsAre("spillway.yaml:1:8: state does not read as "
                            "postgres://user@host:port/database; percent-encode special "
                            "characters"))
        << state;
  }
  for (const std::string state :
       {"state.db", "/srv/a:b/state.db", "/srv/12:30@home/state.db", "a b.db", "./x@y",
        "postgres://u:p%2Fw@h:5432,i/d?sslmode=require", "postgresql:///d?host=/run"})
    EXPECT_THAT(ProblemsOf("state: '" + state + "'"), ElementsAre()) << state;
}

}  // namespace
}  // namespace spillway
