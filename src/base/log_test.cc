#include "base/log.h"

#include <sys/mman.h>
#include <unistd.h>

#include <sstream>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/redacted.h"

namespace spillway {
namespace {

/// What a log writes, held in memory.
class LogTest : public testing::Test {
 protected:
  ~LogTest() override { close(descriptor_); }

  std::string Written() const {
    std::string text(static_cast<size_t>(lseek(descriptor_, 0, SEEK_END)), '\0');
    EXPECT_EQ(pread(descriptor_, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    return text;
  }

  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    std::istringstream text(Written());
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }

  const int descriptor_ = memfd_create("log", MFD_CLOEXEC);
};

TEST_F(LogTest, WritesOneJsonObjectALine) {
  Log log(LogLevel::kInfo, LogFormat::kJson, descriptor_);
  const std::string job = "j-1";
  log.Info("job finished",
           {{"job", job}, {"rows", 12u}, {"rate", 0.5}, {"whole", true}, {"name", "a\nb\"c"}});
  log.Error("second");
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 2u);
  auto first = nlohmann::json::parse(lines[0]);
  EXPECT_THAT(first["time"].get<std::string>(),
              testing::MatchesRegex("....-..-..T..:..:..\\.......Z"));
  first.erase("time");
  EXPECT_EQ(first, (nlohmann::json{{"level", "info"},
                                   {"message", "job finished"},
                                   {"job", "j-1"},
                                   {"rows", 12},
                                   {"rate", 0.5},
                                   {"whole", true},
                                   {"name", "a\nb\"c"}}));
  EXPECT_EQ(nlohmann::json::parse(lines[1])["level"], "error");
}

TEST_F(LogTest, WritesReadableText) {
  Log log(LogLevel::kDebug, LogFormat::kText, descriptor_);
  log.Warning(
      "job slow",
      {{"job", "j-1"}, {"rows", -3}, {"organisation", "a b"}, {"empty", ""}, {"whole", false}});
  log.Debug("two\nlines", {{"key", "x\ny=z"}});
  EXPECT_THAT(
      Lines(),
      testing::ElementsAre(
          testing::EndsWith(
              "Z warning job slow job=j-1 rows=-3 organisation=\"a b\" empty=\"\" whole=false"),
          testing::EndsWith("Z debug   two\\nlines key=\"x\\ny=z\"")));
}

TEST_F(LogTest, HoldsNothingThatATerminalActsOn) {
  const std::string text =
      "\x1b[1m\x7f\xc2\x9b"
      "1m";
  Log(LogLevel::kInfo, LogFormat::kText, descriptor_).Info(text, {{"name", text}});
  Log(LogLevel::kInfo, LogFormat::kJson, descriptor_).Info(text, {{"name", text}});
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0], testing::EndsWith("Z info    \\u001b[1m\\u007f\\u009b1m "
                                          "name=\"\\u001b[1m\\u007f\\u009b1m\""));
  EXPECT_THAT(lines[1], testing::HasSubstr("\\u001b[1m\\u007f\\u009b1m"));
  EXPECT_EQ(nlohmann::json::parse(lines[1])["name"], text);
}

TEST_F(LogTest, LeavesOutWhatIsBelowItsLevel) {
  Log log(LogLevel::kWarning, LogFormat::kText, descriptor_);
  log.Debug("1");
  log.Info("2");
  EXPECT_EQ(Written(), "");
  log.Warning("3");
  log.Error("4");
  EXPECT_EQ(Lines().size(), 2u);
}

TEST_F(LogTest, SurvivesBytesThatAreNotUtf8) {
  for (const LogFormat format : {LogFormat::kJson, LogFormat::kText}) {
    Log(LogLevel::kInfo, format, descriptor_).Info("bad \xff message", {{"name", "\xc3("}});
  }
  EXPECT_EQ(Lines().size(), 2u);
  EXPECT_EQ(nlohmann::json::parse(Lines()[0])["name"], "\uFFFD(");
}

TEST_F(LogTest, ThreadsDoNotMixTheirLines) {
  Log log(LogLevel::kInfo, LogFormat::kJson, descriptor_);
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&log, thread] {
        for (int i = 0; i < 100; ++i)
          log.Info(std::string(200, 'x'), {{"thread", thread}, {"i", i}});
      });
    }
  }
  const auto lines = Lines();
  EXPECT_EQ(lines.size(), 400u);
  for (const std::string& line : lines) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
}

TEST_F(LogTest, GoesOnWhenNobodyCanBeWrittenTo) {
  Log log(LogLevel::kInfo, LogFormat::kText, -1);
  log.Info("lost");
  EXPECT_EQ(Written(), "");
}

template <class T>
concept Streamable = requires(std::ostream& out, const T& value) { out << value; };

TEST(Redacted, CannotBePrinted) {
  static_assert(!std::is_constructible_v<LogField, std::string_view, Redacted>);
  static_assert(!fmt::is_formattable<Redacted>::value);
  static_assert(!std::is_convertible_v<Redacted, std::string>);
  static_assert(!Streamable<Redacted>);
  Redacted secret("hunter2");
  const Redacted copy = secret;
  secret = Redacted("");
  EXPECT_TRUE(secret.empty());
  EXPECT_EQ(copy.Reveal(), "hunter2");
}

}  // namespace
}  // namespace spillway
