#include "settings/state_address.h"

#include <gmock/gmock.h>

namespace spillway {
namespace {

TEST(StateAddress, APasswordIsNotShown) {
  for (const auto& [text, shown] : {
           std::pair("state.db", "state.db"),
           std::pair("postgres://ada@host:5432/jobs", "postgres://ada@host:5432/jobs"),
           std::pair("postgres://host/jobs", "postgres://host/jobs"),
           std::pair("postgres://ada:hush@host:5432/jobs",
                     "postgres://ada:(secret)@host:5432/jobs"),
           std::pair("postgresql://ada:h:u@s@host/jobs?a=b",
                     "postgresql://ada:(secret)@host/jobs?a=b"),
           std::pair("postgres://host/jobs?user=ada&password=hush&a=b",
                     "postgres://host/jobs?user=ada&password=(secret)&a=b"),
           std::pair("postgres://ada:hu?sh@host/jobs", "postgres://ada:(secret)@host/jobs"),
           std::pair("postgres://host?password=hush", "postgres://host?password=(secret)"),
       }) {
    EXPECT_EQ(StateAddress(text).Shown(), shown);
  }
}

TEST(StateAddress, OnlyFilesAreRelative) {
  StateAddress file("data/state.db");
  file.Resolve("/etc/spillway");
  EXPECT_EQ(file.file(), "/etc/spillway/data/state.db");
  EXPECT_FALSE(file.is_postgres());
  StateAddress database("postgres://host/jobs");
  database.Resolve("/etc/spillway");
  EXPECT_EQ(database.postgres(), "postgres://host/jobs");
  EXPECT_TRUE(database.is_postgres());
}

}  // namespace
}  // namespace spillway
