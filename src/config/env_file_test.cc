#include "config/env_file.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.h"

namespace spillway::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::map<std::string, std::string> TextsOf(std::string_view file) {
  Problems problems;
  std::map<std::string, std::string> texts;
  for (const auto& [name, variable] : ParseEnvFile(file, ".env", problems)) {
    texts[name] = variable.text;
  }
  EXPECT_THAT(problems, IsEmpty());
  return texts;
}

std::vector<std::string> ProblemsOf(std::string_view file) {
  Problems problems;
  ParseEnvFile(file, ".env", problems);
  std::vector<std::string> lines;
  for (const Problem& problem : problems) lines.push_back(ToString(problem));
  return lines;
}

using Texts = std::map<std::string, std::string>;

TEST(EnvFileTest, O20ReadsWhatTheSeedsUsersHave) {
  EXPECT_EQ(TextsOf("# The log level to use, must be capitalized\n"
                    "LOG_LEVEL=INFO\n"
                    "\n"
                    "  export LIMIT = 500\n"
                    "DATABASE_HOST=172.17.0.2   # the container\r\n"
                    "DATABASE_DB=\"openaq\" # quoted\n"
                    "DATABASE_READ_PASSWORD='a#b \"$c\" ${d} \\n'\n"
                    "DATABASE_WRITE_PASSWORD=a#b=c$d\n"
                    "EMPTY=\n"
                    "ALSO_EMPTY= # nothing\n"
                    "NAME_ALONE\n"
                    "LIMIT=7"),
            (Texts{{"LOG_LEVEL", "INFO"},
                   {"LIMIT", "7"},
                   {"DATABASE_HOST", "172.17.0.2"},
                   {"DATABASE_DB", "openaq"},
                   {"DATABASE_READ_PASSWORD", "a#b \"$c\" ${d} \\n"},
                   {"DATABASE_WRITE_PASSWORD", "a#b=c$d"},
                   {"EMPTY", ""},
                   {"ALSO_EMPTY", ""}}));
}

TEST(EnvFileTest, QuotedValuesMayHaveLineBreaksAndEscapes) {
  EXPECT_EQ(
      TextsOf("\xEF\xBB\xBFKEY=\"one\ntwo\\n\\\"three\\\" \\$ \\\\ \\x\"\nNEXT='it\nis'\nLAST=1"),
      (Texts{{"KEY", "one\ntwo\n\"three\" $ \\ \\x"}, {"NEXT", "it\nis"}, {"LAST", "1"}}));
}

TEST(EnvFileTest, LinesThatAreNoAssignmentAreNamedWithoutTheirText) {
  EXPECT_THAT(ProblemsOf("A=1\nDATABASE_HOST hunter2\n=hunter2\nB='hunter2\nC=\"hunter2\" more\n"),
              ElementsAre(".env:2:1: is no NAME=value; correct the line, or begin it with #",
                          ".env:3:1: is no NAME=value; correct the line, or begin it with #",
                          ".env:4:1: opens a quote that nothing closes",
                          ".env:5:1: goes on after its closing quote; put the whole value in "
                          "quotes"));
  EXPECT_THAT(ProblemsOf(std::string_view("A=a\0b\n", 6)),
              ElementsAre(".env:1:1: has a value with a zero byte"));
}

TEST(EnvFileTest, WhatWouldBeReplacedElsewhereIsRefusedOnceItIsNeeded) {
  Problems problems;
  const FileVariables variables =
      ParseEnvFile("URL=http://${HOST}/\nQUOTED=\"${HOST}\"\nPLAIN='${HOST}'\n", ".env", problems);
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_NE(variables.at("URL").problem, "");
  EXPECT_NE(variables.at("QUOTED").problem, "");
  EXPECT_EQ(variables.at("PLAIN").problem, "");
}

}  // namespace
}  // namespace spillway::config
