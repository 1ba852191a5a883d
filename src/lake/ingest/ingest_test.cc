#include "lake/ingest/ingest.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/manual_clock.h"
#include "lake/failing_store.h"
#include "lake/lake_contents.h"
#include "storage/memory/memory_store.h"

namespace spillway::lake {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

IngestOptions Small() {
  IngestOptions options;
  options.files.row_group_rows = 64;
  options.files.page_rows = 16;
  return options;
}

Result<IngestReport> IngestInto(storage::ObjectStore& store, CommitLog& log, std::string_view text,
                                const IngestOptions& options, RejectSink& rejects,
                                std::stop_token stop = {}) {
  static std::atomic<uint64_t> seed = 1;
  Random random(seed++);
  const auto input = NdjsonFromMemory(text, "memory");
  return Ingest(store, log, MessageSchema(), *input, rejects, options, random, stop, {});
}

class IngestTest : public testing::Test {
 protected:
  Result<IngestReport> Run(std::string_view text, const IngestOptions& options = Small()) {
    return IngestInto(store_, log_, text, options, rejected_);
  }
  std::vector<std::string> All() { return Contents(store_, log_, MessageSchema()); }

  ManualClock clock_;
  storage::MemoryPlace place_;
  storage::MemoryStore store_{place_, clock_};
  CommitLog log_{store_, clock_};
  RejectedText rejected_;
};

std::string Message(std::string_view organisation, std::string_view at, std::string_view id) {
  return nlohmann::json({{"organisation", organisation}, {"at", at}, {"id", id}}).dump() + "\n";
}

TEST_F(IngestTest, RowsAreFoundByOrganisationInOrderOfTime) {
  const std::string text = Message("b", "1970-01-02T00:00:00Z", "3") +
                           Message("a", "1970-01-01T00:00:00.000002Z", "2") +
                           Message("b", "1970-01-01T01:00:00+01:00", "1") +
                           Message("a", "1970-01-01T00:00:00.000001Z", "1") +
                           Message("a", "1970-01-01T00:00:00.000001Z", "1b");
  const auto report = Run(text);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->rows, 5);
  EXPECT_EQ(report->lines, 5);
  EXPECT_EQ(report->files, 3);
  EXPECT_EQ(report->version, 1);
  EXPECT_EQ(report->input_bytes, text.size());
  EXPECT_THAT(report->batch_id, testing::MatchesRegex("sha256-[0-9a-f]{64}"));
  EXPECT_THAT(All(), ElementsAre("a|1|1|-|-|-|-|-", "a|1b|1|-|-|-|-|-", "a|2|2|-|-|-|-|-",
                                 "b|1|0|-|-|-|-|-", "b|3|86400000000|-|-|-|-|-"));
}

TEST_F(IngestTest, EveryKindOfValueComesBackExactly) {
  ASSERT_TRUE(
      Run(R"({"organisation":"a","at":"2026-01-01T00:00:00Z","id":"é😀\u0000","text":"","count":)"
          R"(-9223372036854775808,"ratio":0.1,"price":"123456.7891","open":false})"));
  EXPECT_EQ(All(),
            std::vector<std::string>{std::string("a|é😀\0|1767225600000000||-9223372036854775808|"
                                                 "0.1|123456.7891|false",
                                                 70)});
}

TEST_F(IngestTest, TheSameBatchAddsNothing) {
  const std::string text = Message("a", "2026-01-01T00:00:00Z", "1");
  const auto first = Run(text);
  const auto again = Run(text);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->batch_id, first->batch_id);
  EXPECT_EQ(again->rows, 0);
  EXPECT_EQ(All().size(), 1);

  IngestOptions named = Small();
  named.batch_id = "monday";
  EXPECT_FALSE(Run(text, named)->duplicate);
  EXPECT_TRUE(Run(Message("a", "2026-01-01T00:00:00Z", "2"), named)->duplicate);
  EXPECT_EQ(All().size(), 2);
}

TEST_F(IngestTest, BadLinesAreCountedAndToldInOrder) {
  std::string text = Message("a", "2026-01-01T00:00:00Z", "1") + "\r\n" + "no json\r\n";
  text += Message("a", "2026-01-01T00:00:00Z", "2") + "  \n";
  text += "{\"organisation\":\"\xFF\"}\n";
  const size_t before_long = text.size();
  text += std::string(2 << 20, 'x') + "\n" + Message("a", "2026-01-01T00:00:00Z", "3");
  const auto report = Run(text);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->lines, 8);
  EXPECT_EQ(report->rows, 3);
  EXPECT_EQ(report->rejected, 3);
  EXPECT_EQ(report->empty_lines, 2);

  std::vector<nlohmann::json> lines;
  std::istringstream stream(rejected_.text);
  for (std::string line; std::getline(stream, line);) lines.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(lines.size(), 3);
  EXPECT_EQ(lines[0]["line"], 3);
  EXPECT_EQ(lines[0]["text"], "no json");
  EXPECT_EQ(lines[1]["line"], 6);
  EXPECT_EQ(lines[1]["reason"], "not valid UTF-8");
  EXPECT_EQ(lines[1]["text"], "{\"organisation\":\"\uFFFD\"}");
  EXPECT_EQ(lines[2]["line"], 7);
  EXPECT_EQ(lines[2]["byte"], before_long);
  EXPECT_EQ(lines[2]["reason"], "longer than 1048576 bytes");
  EXPECT_EQ(lines[2]["text"], std::string(1024, 'x'));

  ASSERT_TRUE(log_.History([&](int64_t, const Commit& commit) -> Result<> {
    EXPECT_EQ(commit.lines, 8);
    EXPECT_EQ(commit.rejected, 3);
    EXPECT_EQ(commit.empty_lines, 2);
    return {};
  }));
}

/// Sees the lake when it is finished.
class WatchingRejects final : public RejectSink {
 public:
  explicit WatchingRejects(std::function<Result<>()> finish) : finish_(std::move(finish)) {}
  Result<> Write(std::string_view) override { return {}; }
  Result<> Finish() override { return finish_(); }

 private:
  const std::function<Result<>()> finish_;
};

TEST_F(IngestTest, RefusedLinesAreDurableBeforeTheCommit) {
  const std::string text = Message("a", "2026-01-01T00:00:00Z", "1") + "no json\n";
  WatchingRejects full([] { return Fail(ErrorCode::kOutOfSpace, "full"); });
  EXPECT_EQ(IngestInto(store_, log_, text, Small(), full).error().code, ErrorCode::kOutOfSpace);
  EXPECT_EQ(*log_.Version(), 0);
  EXPECT_THAT(Debris(store_, log_), IsEmpty());
  int finished = 0;
  WatchingRejects rejects([&]() -> Result<> {
    ++finished;
    EXPECT_EQ(*log_.Version(), 0);
    return {};
  });
  EXPECT_TRUE(IngestInto(store_, log_, text, Small(), rejects));
  EXPECT_EQ(finished, 1);
}

TEST_F(IngestTest, FilesThatVacuumTookAreNotCommitted) {
  ASSERT_TRUE(Run(Message("a", "2026-01-01T00:00:00Z", "0")));
  const std::string text =
      Message("a", "2026-01-01T00:00:00Z", "1") + Message("b", "2026-01-01T00:00:00Z", "2");
  WatchingRejects rejects([&]() -> Result<> {
    clock_.Advance(std::chrono::hours(1));
    EXPECT_EQ(TRY(log_.Vacuum(clock_.Now())).objects, 2);
    return {};
  });
  const auto report = IngestInto(store_, log_, text, Small(), rejects);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kConflict);
  EXPECT_THAT(report.error().message, HasSubstr("was removed before it was committed"));
  EXPECT_EQ(*log_.Version(), 1);
  EXPECT_EQ(Run(text)->rows, 2);
}

TEST_F(IngestTest, AnInputWithoutRowsCommitsNothing) {
  const auto report = Run("x\ny\n");
  ASSERT_TRUE(report);
  EXPECT_EQ(report->rejected, 2);
  EXPECT_EQ(report->version, 0);
  EXPECT_FALSE(*log_.HasBatch(report->batch_id));
  EXPECT_EQ(*log_.Version(), 0);
  EXPECT_EQ(Run("")->lines, 0);
}

TEST_F(IngestTest, NamesThatAreNoPathsStayNames) {
  const std::vector<std::string> names = {"../../etc",
                                          "a/b",
                                          "a=b",
                                          "..",
                                          "%2F",
                                          std::string("n\0l", 3),
                                          "🙂",
                                          " ",
                                          "con\n",
                                          std::string(1024, 'x'),
                                          std::string(1023, 'x') + "y"};
  std::string text;
  for (const std::string& name : names) text += Message(name, "2026-01-01T00:00:00Z", "1");
  ASSERT_TRUE(Run(text)) << rejected_.text;
  EXPECT_THAT(rejected_.text, IsEmpty());
  for (const std::string& name : names) {
    EXPECT_EQ(Contents(store_, log_, MessageSchema(), name).size(), 1) << name;
  }
  std::set<std::string> known(names.begin(), names.end());
  EXPECT_THAT(*log_.Organisations(), testing::ElementsAreArray(known));
}

TEST_F(IngestTest, LongRowsMakeShortRowGroups) {
  std::string text;
  for (int i = 0; i < 200; ++i) {
    text += R"({"organisation":"a","at":"2026-01-01T00:00:00Z","text":")" +
            std::string(1'000'000, static_cast<char>('a' + i % 26)) + "\"}\n";
  }
  IngestOptions options = Small();
  options.files.row_group_rows = 131072;
  const auto report = Run(text, options);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->rows, 200);
  const auto snapshot = log_.Read("a");
  for (const DataFile& file : snapshot->files) {
    for (const RowGroup& group : file.row_groups) EXPECT_LE(group.rows, 150);
  }
}

TEST_F(IngestTest, OptionsOutOfBoundsAreRefused) {
  IngestOptions options = Small();
  options.threads = 0;
  EXPECT_EQ(Run("", options).error().code, ErrorCode::kInvalidArgument);
  options = Small();
  options.line_bytes_max = 1ULL << 40;
  EXPECT_EQ(Run("", options).error().code, ErrorCode::kInvalidArgument);
  options = Small();
  options.batch_id = "\xFF";
  EXPECT_EQ(Run("", options).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(IngestTest, AStopLeavesNothing) {
  std::stop_source stop;
  stop.request_stop();
  std::string text;
  for (int i = 0; i < 1000; ++i) text += Message("a", "2026-01-01T00:00:00Z", std::to_string(i));
  const auto report = IngestInto(store_, log_, text, Small(), rejected_, stop.get_token());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(*log_.Version(), 0);
  EXPECT_THAT(Debris(store_, log_), IsEmpty());
}

TEST_F(IngestTest, DamagedInputLeavesNothing) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += Message("a", "2026-01-01T00:00:00Z", std::to_string(i));
  IngestOptions options = Small();
  options.batch_id = "b";
  class Broken final : public NdjsonInput {
   public:
    explicit Broken(std::string_view bytes) : inner_(NdjsonFromMemory(bytes, "pipe")) {}
    Result<size_t> Read(std::span<std::byte> into) override {
      const size_t read = TRY(inner_->Read(into.first(std::min<size_t>(into.size(), 5000))));
      if (read == 0) return FailTransient(ErrorCode::kUnavailable, "the pipe broke");
      return read;
    }
    const std::string& name() const override { return inner_->name(); }
    std::optional<uint64_t> bytes() const override { return std::nullopt; }
    Result<std::unique_ptr<NdjsonInput>> Reopen() const override { return nullptr; }

   private:
    std::unique_ptr<NdjsonInput> inner_;
  } input(text);
  Random random(1);
  options.memory_bytes = 1000;
  const auto report =
      Ingest(store_, log_, MessageSchema(), input, rejected_, options, random, {}, {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().message, "the pipe broke");
  EXPECT_THAT(Debris(store_, log_), IsEmpty());
  EXPECT_FALSE(*log_.HasBatch("b"));
}

/// Random messages, and what the lake must hold of them.
struct Sample {
  std::string text;
  std::vector<std::string> rows;
  int64_t rejected = 0;
};

Sample MakeSample(uint64_t seed, int lines) {
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t bound) { return static_cast<int64_t>(random() % bound); };
  struct Row {
    std::string organisation;
    int64_t at;
    std::string rest;
    std::string id;
  };
  std::vector<Row> rows;
  Sample sample;
  for (int i = 0; i < lines; ++i) {
    if (below(50) == 0) {
      sample.text += below(2) == 0 ? "\n" : "broken\n";
      if (sample.text.ends_with("broken\n")) ++sample.rejected;
      continue;
    }
    Row row{.organisation = fmt::format("o/{}", below(5)), .id = std::to_string(i)};
    row.at = 1'767'225'600'000'000 + below(3) * 86'400'000'000 + below(1000) * 1'000'003;
    const std::string at = FormatTimestamp(Timestamp(std::chrono::microseconds(row.at)));
    std::vector<std::pair<std::string, std::string>> fields = {
        {"organisation", nlohmann::json(row.organisation).dump()},
        {"at", nlohmann::json(at).dump()},
        {"id", nlohmann::json(row.id).dump()}};
    std::string text = "-", count = "-", ratio = "-", price = "-", open = "-";
    if (below(3) > 0) {
      text.clear();
      for (int64_t n = below(30); n > 0; --n) {
        static const std::vector<std::string> kPieces = {"a", "\"", "\\", "\n",
                                                         "é", "🙂", "\t", " "};
        text += kPieces[static_cast<size_t>(below(kPieces.size()))];
      }
      fields.emplace_back("text", nlohmann::json(text).dump(-1, ' ', below(2) == 0));
    }
    if (below(3) > 0) {
      count = std::to_string(static_cast<int64_t>(random()));
      fields.emplace_back("count", count);
    }
    if (below(3) > 0) {
      const double value = static_cast<double>(below(1'000'000)) / 1024;
      ratio = fmt::format("{}", value);
      fields.emplace_back("ratio", ratio);
    }
    if (below(3) > 0) {
      price = fmt::format("{}.{:04}", below(1000), below(10000));
      fields.emplace_back("price", below(2) == 0 ? price : "\"" + price + "\"");
    }
    if (below(3) > 0) {
      open = below(2) == 0 ? "true" : "false";
      fields.emplace_back("open", open);
    } else if (below(2) == 0) {
      fields.emplace_back("open", "null");
    }
    if (below(4) == 0) std::ranges::shuffle(fields, random);
    std::string line;
    for (const auto& [name, value] : fields) {
      line += (line.empty() ? "{\"" : ",\"") + name + "\":" + value;
    }
    sample.text += line + (below(4) == 0 ? "}\r\n" : "}\n");
    row.rest = fmt::format("{}|{}|{}|{}|{}", text, count, ratio, price, open);
    rows.push_back(std::move(row));
  }
  std::ranges::stable_sort(rows, [](const Row& a, const Row& b) {
    return std::tie(a.organisation, a.at) < std::tie(b.organisation, b.at);
  });
  for (const Row& row : rows) {
    sample.rows.push_back(fmt::format("{}|{}|{}|{}", row.organisation, row.id, row.at, row.rest));
  }
  return sample;
}

TEST_F(IngestTest, TheLakeHoldsWhatTheLinesSaidInTheirOrder) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    const Sample sample = MakeSample(seed, 200 << (seed % 4));
    storage::MemoryPlace place;
    storage::MemoryStore store(place, clock_);
    CommitLog log(store, clock_);
    IngestOptions options = Small();
    options.threads = 1 + static_cast<int>(seed % 3);
    const auto report = IngestInto(store, log, sample.text, options, rejected_);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->rejected, sample.rejected) << rejected_.text;
    EXPECT_EQ(Contents(store, log, MessageSchema()), sample.rows) << seed;
  }
}

TEST_F(IngestTest, LittleMemoryMakesMoreFilesOfTheSameRows) {
  const Sample sample = MakeSample(7, 20'000);
  IngestOptions options = Small();
  options.memory_bytes = 64 << 10;
  const auto report = Run(sample.text, options);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_GT(report->files, 15);
  EXPECT_EQ(report->rows, static_cast<int64_t>(sample.rows.size()));
  // Between files, rows of one instant may change places.
  std::vector<std::string> all = All();
  std::vector<std::string> expected = sample.rows;
  std::ranges::sort(all);
  std::ranges::sort(expected);
  EXPECT_EQ(all, expected);
}

TEST_F(IngestTest, OfTwoIngestsOfOneBatchExactlyOneLands) {
  for (int round = 0; round < 8; ++round) {
    const Sample sample = MakeSample(static_cast<uint64_t>(round), 500);
    storage::MemoryPlace place;
    storage::MemoryStore store(place, clock_);
    CommitLog log(store, clock_);
    std::atomic<int> landed = 0;
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
          RejectedText rejected;
          const auto report = IngestInto(store, log, sample.text, Small(), rejected);
          ASSERT_TRUE(report) << report.error().message;
          if (!report->duplicate) ++landed;
        });
      }
    }
    EXPECT_EQ(landed, 1);
    EXPECT_EQ(Contents(store, log, MessageSchema()), sample.rows);
    EXPECT_THAT(Debris(store, log), IsEmpty());
  }
}

TEST_F(IngestTest, DifferentBatchesAtOnceAllLand) {
  std::vector<std::jthread> threads;
  for (uint64_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      RejectedText rejected;
      for (uint64_t batch = 0; batch < 5; ++batch) {
        const Sample sample = MakeSample(i * 100 + batch, 50);
        ASSERT_TRUE(IngestInto(store_, log_, sample.text, Small(), rejected));
      }
    });
  }
  threads.clear();
  size_t expected = 0;
  for (uint64_t i = 0; i < 4; ++i) {
    for (uint64_t batch = 0; batch < 5; ++batch)
      expected += MakeSample(i * 100 + batch, 50).rows.size();
  }
  EXPECT_EQ(All().size(), expected);
  EXPECT_EQ(*log_.Version(), 20);
}

TEST_F(IngestTest, ADeathAtAnyCallLeavesAllOrNothingAndTheNextAttemptCompletes) {
  const Sample sample = MakeSample(3, 100);
  for (const auto fatal : {FailingStore::Fatal::kBefore, FailingStore::Fatal::kAfter}) {
    for (int64_t calls = 0;; ++calls) {
      storage::MemoryPlace place;
      storage::MemoryStore store(place, clock_);
      FailingStore failing(store, calls, fatal);
      CommitLog dying(failing, clock_);
      const auto died = IngestInto(failing, dying, sample.text, Small(), rejected_);

      CommitLog log(store, clock_);
      const auto between = Contents(store, log, MessageSchema());
      if (died) {
        ASSERT_EQ(between, sample.rows);
      }
      ASSERT_TRUE(between.empty() || between == sample.rows) << calls;
      const auto again = IngestInto(store, log, sample.text, Small(), rejected_);
      ASSERT_TRUE(again) << again.error().message;
      ASSERT_EQ(again->duplicate, !between.empty());
      ASSERT_EQ(Contents(store, log, MessageSchema()), sample.rows) << calls;

      clock_.Advance(std::chrono::hours(1));
      ASSERT_TRUE(log.Vacuum(clock_.Now()));
      ASSERT_THAT(Debris(store, log), IsEmpty());
      ASSERT_EQ(Contents(store, log, MessageSchema()), sample.rows) << calls;
      if (!failing.died()) break;
    }
  }
}

}  // namespace
}  // namespace spillway::lake
