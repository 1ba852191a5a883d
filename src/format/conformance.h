#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "format/format.h"
#include "format/sample_table.h"

/// What every Format must do; included by one test file of a program. A new one is a line in an
/// INSTANTIATE_TEST_SUITE_P of FormatConformance.
namespace spillway::format {

/// Cells as text: strings as they are, numbers with all digits, instants as RFC 3339 in UTC, absent
/// ones empty.
using Rows = std::vector<std::vector<std::optional<std::string>>>;

struct FormatCase {
  std::string name;
  std::function<Result<std::unique_ptr<Format>>()> make;
  /// Reads a whole file back.
  std::function<Rows(std::string_view file)> read;

  friend void PrintTo(const FormatCase& item, std::ostream* out) { *out << item.name; }
};

class FormatConformance : public ::testing::TestWithParam<FormatCase> {
 protected:
  void SetUp() override {
    auto made = GetParam().make();
    ASSERT_TRUE(made.has_value()) << made.error().message;
    format_ = *std::move(made);
  }

  /// One run. Batches may differ in where they lie in memory and in their dictionaries.
  std::string Encode(const arrow::RecordBatchVector& batches, const arrow::Schema& schema,
                     Position position = {}, bool drain = false) {
    auto encoder = format_->NewEncoder(schema, position);
    EXPECT_TRUE(encoder.has_value()) << encoder.error().message;
    Buffer out;
    std::string file;
    for (const auto& batch : batches) {
      const auto appended = (*encoder)->Append(*batch, out);
      EXPECT_TRUE(appended.has_value()) << appended.error().message;
      if (drain) {
        file += out.view();
        out.Clear();
      }
    }
    const auto finished = (*encoder)->Finish(out);
    EXPECT_TRUE(finished.has_value()) << finished.error().message;
    return file.append(out.view());
  }

  Rows Read(std::string_view file) { return GetParam().read(file); }

  std::unique_ptr<Format> format_;
};

TEST_P(FormatConformance, WritesEveryKindOfValue) {
  const auto table = SampleTable(3);
  const Rows rows = Read(Encode({table}, *table->schema()));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0], (Rows::value_type{"plain", "1", "1970-01-01T00:00:00.000000Z", "0.0000", "sms",
                                       "true"}));
  EXPECT_EQ(rows[1],
            (Rows::value_type{"comma, \"quote\"\r\nand line", "-9223372036854775808",
                              "2025-01-31T23:59:59.000001Z", "-123456.7890", "voice", "false"}));
  EXPECT_EQ(rows[2],
            (Rows::value_type{"größe 通知 🙂", "9223372036854775807", "9999-12-31T23:59:59.999999Z",
                              "99999999999999.9999", "sms", "true"}));
}

TEST_P(FormatConformance, TellsAbsentValuesFromEmptyOnes) {
  const auto table = NullTable(40);
  const Rows rows = Read(Encode({table}, *table->schema()));
  ASSERT_EQ(rows.size(), 40u);
  for (size_t row = 0; row < rows.size(); ++row) {
    for (size_t column = 0; column < rows[row].size(); ++column) {
      EXPECT_EQ(rows[row][column].has_value(),
                !table->column(static_cast<int>(column))->IsNull(static_cast<int64_t>(row)))
          << row << ", " << column;
    }
    EXPECT_EQ(rows[row][0].value_or(""), "");
  }
}

TEST_P(FormatConformance, SlicedBatchesReadAsWhole) {
  const auto table = SampleTable(1'000);
  const Rows whole = Read(Encode({table}, *table->schema()));
  arrow::RecordBatchVector slices;
  for (int64_t at = 0, rows = 1; at < 1'000; at += rows, rows = rows % 37 + 3)
    slices.push_back(table->Slice(at, rows));
  EXPECT_EQ(Read(Encode(slices, *table->schema())), whole);
  EXPECT_EQ(whole.size(), 1'000u);

  const auto nulls = NullTable(500);
  EXPECT_EQ(
      Read(Encode({nulls->Slice(0, 3), nulls->Slice(3, 200), nulls->Slice(203)}, *nulls->schema())),
      Read(Encode({nulls}, *nulls->schema())));
}

TEST_P(FormatConformance, DictionariesMayChangeBetweenBatches) {
  const auto table = SampleTable(10);
  const auto other = WithOtherDictionary(*table);
  const Rows rows = Read(Encode({table, other, table}, *table->schema()));
  ASSERT_EQ(rows.size(), 30u);
  for (size_t row = 0; row < 10; ++row) {
    EXPECT_EQ(rows[row][4], rows[row + 20][4]);
    EXPECT_EQ(*rows[row + 10][4], "changed " + *rows[row][4]);
  }
}

TEST_P(FormatConformance, TextMayComeWithAndWithoutDictionary) {
  const auto coded = SampleTable(10);
  const int channel = coded->schema()->GetFieldIndex("channel");
  const auto plain = WithoutDictionary(*coded, channel);
  const Rows expected = Read(Encode({coded}, *coded->schema()));
  for (const auto& schema : {coded->schema(), plain->schema()}) {
    const Rows rows = Read(Encode({plain, coded, plain}, *schema));
    ASSERT_EQ(rows.size(), 30u);
    for (size_t row = 0; row < 30; ++row) EXPECT_EQ(rows[row], expected[row % 10]) << row;
  }
}

TEST_P(FormatConformance, RefusesBatchesOfOtherTypes) {
  const auto table = SampleTable(10);
  const auto other = OneColumn(table->GetColumnByName("price"));
  const auto number = OneColumn(table->GetColumnByName("number"));
  auto encoder = *format_->NewEncoder(*number->schema(), {});
  Buffer out;
  ASSERT_TRUE(encoder->Append(*number, out).has_value());
  for (const auto& wrong : {other, table}) {
    const auto appended = encoder->Append(*wrong, out);
    ASSERT_FALSE(appended.has_value());
    EXPECT_EQ(appended.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_P(FormatConformance, AbandonedRunsWriteNothingMore) {
  const auto table = SampleTable(100);
  auto encoder = *format_->NewEncoder(*table->schema(), {});
  auto out = std::make_unique<Buffer>();
  ASSERT_TRUE(encoder->Append(*table, *out).has_value());
  const size_t bytes = out->size();
  encoder.reset();
  EXPECT_EQ(out->size(), bytes);
}

TEST_P(FormatConformance, DrainingChangesNothing) {
  const auto table = SampleTable(500);
  const arrow::RecordBatchVector batches = {table->Slice(0, 100), table->Slice(100, 1),
                                            table->Slice(101)};
  EXPECT_EQ(Encode(batches, *table->schema(), {}, true),
            Encode(batches, *table->schema(), {}, false));
}

TEST_P(FormatConformance, EmptyFilesAndBatchesAreValid) {
  const auto table = SampleTable(5);
  EXPECT_EQ(Read(Encode({}, *table->schema())).size(), 0u);
  EXPECT_EQ(Read(Encode({table->Slice(0, 0)}, *table->schema())).size(), 0u);
  EXPECT_EQ(Read(Encode({table->Slice(0, 0), table, table->Slice(5)}, *table->schema())),
            Read(Encode({table}, *table->schema())));
}

TEST_P(FormatConformance, WritesWideTables) {
  const auto table = WideTable(3'000, 20);
  const Rows rows = Read(Encode({table}, *table->schema()));
  ASSERT_EQ(rows.size(), 20u);
  for (size_t row = 0; row < rows.size(); ++row) {
    ASSERT_EQ(rows[row].size(), 3'000u);
    for (size_t column = 0; column < 3'000; ++column) {
      const auto expected = (row + column) % 7 == 0
                                ? std::nullopt
                                : std::optional(std::to_string(row * 3'000 + column));
      ASSERT_EQ(rows[row][column], expected) << row << ", " << column;
    }
  }
}

TEST_P(FormatConformance, JoinedRunsReadAsOneFile) {
  const auto table = SampleTable(300);
  const auto run = [&](int64_t at, int64_t rows, Position position) {
    return Encode({table->Slice(at, rows)}, *table->schema(), position);
  };
  const Rows whole = Read(Encode({table}, *table->schema()));
  if (!format_->joinable()) {
    // Every run is a file, whatever its position.
    EXPECT_EQ(Read(run(0, 300, {.first = false, .last = false})), whole);
    return;
  }
  EXPECT_EQ(
      Read(run(0, 1, {true, false}) + run(1, 298, {false, false}) + run(299, 1, {false, true})),
      whole);
  EXPECT_EQ(
      Read(run(0, 300, {true, false}) + run(300, 0, {false, false}) + run(300, 0, {false, true})),
      whole);
  EXPECT_EQ(run(0, 100, {true, false}) + run(100, 200, {false, true}),
            Encode({table}, *table->schema()));
}

TEST_P(FormatConformance, AppendsAfterWhatTheBufferHolds) {
  const auto table = SampleTable(2);
  auto encoder = *format_->NewEncoder(*table->schema(), {});
  Buffer out;
  out.Append(std::string_view("before"));
  ASSERT_TRUE(encoder->Append(*table, out).has_value());
  ASSERT_TRUE(encoder->Finish(out).has_value());
  ASSERT_TRUE(out.view().starts_with("before"));
  EXPECT_EQ(Read(out.view().substr(6)).size(), 2u);
}

TEST_P(FormatConformance, NamesColumnsItCannotCarry) {
  const auto type = arrow::dense_union({arrow::field("a", arrow::int32())});
  const auto encoder = format_->NewEncoder(
      *arrow::schema({arrow::field("fine", arrow::utf8()), arrow::field("odd", type)}), {});
  ASSERT_FALSE(encoder.has_value());
  EXPECT_EQ(encoder.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(encoder.error().message.find("\"odd\""), std::string::npos) << encoder.error().message;
}

}  // namespace spillway::format
