#include "recipe/output/output_options.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace spillway::recipe {
namespace {

/// What a request over an export's options comes to; what was wrong with it.
std::string Problem(const std::string& request, OutputOptions& output) {
  const auto json = nlohmann::json::parse(request);
  ObjectReader reader(json, "");
  if (auto read = ReadOutput(reader, output); !read) return read.error().message;
  if (auto checked = CheckOutput(output, request); !checked) return checked.error().message;
  return "";
}

std::string Problem(const std::string& request) {
  OutputOptions output;
  return Problem(request, output);
}

TEST(OutputOptions, N4WhatWouldDoNothingIsRefused) {
  EXPECT_EQ(
      Problem(R"({"compression_level": 3})"),
      "compression_level is 3, and nothing is compressed; choose a compression, or leave it out");
  EXPECT_EQ(Problem(R"({"format": "json", "csv": {"null_marker": "NULL"}})"),
            "null_marker is for CSV, and the format is json; leave it out");
  EXPECT_EQ(Problem(R"({"format": "parquet", "csv": {"line_end": "\n"}})"),
            "line_end is for CSV, and the format is parquet; leave it out");
  EXPECT_EQ(Problem(R"({"limits": {"on_limit": "fail"}})"),
            "on_limit has no limit to act at; limit the rows or bytes of a file");
  EXPECT_EQ(Problem(R"({"limits": {"on_limit": "truncate", "columns_max": 3}})"),
            "on_limit has no limit to act at; limit the rows or bytes of a file");
}

/// C7: rows of files are added up, which must not overflow.
TEST(OutputOptions, AFileHasNoMoreRowsThanCanBeAddedUp) {
  EXPECT_EQ(Problem(R"({"limits": {"rows_per_file": 9007199254740992}})"), "");
  for (const char* rows : {"9007199254740993", "9223372036854775807"}) {
    EXPECT_EQ(Problem(std::string(R"({"limits": {"rows_per_file": )") + rows + "}}"),
              "limits.rows_per_file: must be at most 9007199254740992");
  }
}

TEST(OutputOptions, N4WhatDoesSomethingIsTaken) {
  for (const char* request :
       {R"({"format": "parquet", "compression_level": 19})",
        R"({"format": "parquet", "compression": "zip", "compression_level": 9})",
        R"({"compression": "zip", "compression_level": 3})", R"({"csv": {"null_marker": "NULL"}})",
        R"({"compression": "gzip", "compression_level": 9})", R"({"format": "json", "csv": {}})",
        R"({"limits": {"on_limit": "fail", "rows_per_file": 3}})"}) {
    EXPECT_EQ(Problem(request), "") << request;
  }
}

TEST(OutputOptions, ALevelGoesWithItsCompression) {
  const OutputOptions zstd{.compression = Compression::kZstd, .compression_level = 15};
  OutputOptions output = zstd;
  EXPECT_EQ(Problem(R"({"compression": "zstd"})", output), "");
  EXPECT_EQ(output.compression_level, 15);
  output = zstd;
  EXPECT_EQ(Problem(R"({"format": "ndjson"})", output), "");
  EXPECT_EQ(output.compression_level, 15);
  output = {.format = FileFormat::kParquet, .compression_level = 15};
  EXPECT_EQ(Problem(R"({"format": "csv"})", output), "");
  EXPECT_EQ(output.compression_level, 1);
  output = zstd;
  EXPECT_EQ(Problem(R"({"compression": "none"})", output), "");
  EXPECT_EQ(output.compression_level, 1);
  output = zstd;
  EXPECT_EQ(Problem(R"({"compression": "gzip", "compression_level": 6})", output), "");
  EXPECT_EQ(output.compression_level, 6);
}

TEST(OutputOptions, WhatAnExportIsConfiguredWithIsNoAskingForIt) {
  OutputOptions output;
  output.csv.null_marker = "NULL";
  output.limits.on_limit = OnLimit::kFail;
  EXPECT_EQ(Problem(R"({"format": "json"})", output), "");
}

TEST(OutputOptions, ColumnsHaveNamesOfTheirOwn) {
  EXPECT_EQ(Problem(R"({"columns": ["a", {"source": "b", "name": "a"}]})"),
            "columns has two named \"a\"; give each its own name");
  EXPECT_EQ(Problem(R"({"columns": [{"source": "b", "name": ""}]})"),
            "columns gives \"b\" no name");
  for (const char* name : {"a\\nb", "\\t", "a\\u0000", "\\u007f"}) {
    const std::string column = R"({"source": "b", "name": ")" + std::string(name) + "\"}";
    EXPECT_EQ(Problem(R"({"columns": [)" + column + "]}"),
              "columns gives \"b\" a name with a control character, such as the end of a line; "
              "remove it");
  }
  EXPECT_EQ(Problem(R"({"columns": ["a\nb"]})"), "") << "that is what the source calls it";
}

TEST(OutputOptions, StandardOutputTakesOneFile) {
  const auto problem = [](std::string_view limits) {
    OutputOptions output{.destination = "-123"};
    return Problem("{\"limits\": {" + std::string(limits) + "}}", output);
  };
  EXPECT_EQ(problem(R"("rows_per_file": 3)"),
            "rows_per_file is 3, which makes several files, and standard output takes one; use 0, "
            "or write to a directory");
  EXPECT_TRUE(problem(R"("bytes_per_file": 3)").starts_with("bytes_per_file is 3, which"));
  EXPECT_EQ(problem(R"("rows_per_file": 3, "on_limit": "truncate")"), "");
  EXPECT_EQ(problem(R"("columns_max": 3)"), "");
}

TEST(OutputOptions, WhatIsConfiguredIsCorrectedThere) {
  OutputOptions output{.limits = {.rows_per_file = 3}, .destination = "-123"};
  EXPECT_EQ(Problem("{}", output),
            "the configuration's limits.rows_per_file is 3, which makes several files, and "
            "standard output takes one; use 0, or write to a directory");
  OutputOptions packed{.compression = Compression::kGzip};
  EXPECT_TRUE(Problem(R"({"format": "parquet"})", packed)
                  .starts_with("the configuration's compression is gzip, and parquet"));
  OutputOptions plain;
  EXPECT_TRUE(Problem(R"({"format": "parquet", "compression": "gzip"})", plain)
                  .starts_with("compression is gzip, and parquet"));
}

TEST(OutputOptions, O5WholeFloatsAreWrittenAsAsked) {
  OutputOptions output;
  EXPECT_EQ(output.csv.whole_floats, format::WholeFloats::kWithPoint);
  EXPECT_EQ(Problem(R"({"csv": {"whole_floats": "bare"}})", output), "");
  EXPECT_EQ(output.csv.whole_floats, format::WholeFloats::kBare);
  EXPECT_EQ(ToJson(output)["csv"]["whole_floats"], "bare");
  EXPECT_EQ(Problem(R"({"csv": {"whole_floats": "14"}})"),
            "unknown whole_floats \"14\"; there are with_point, bare");
}

// A job's record is read back as it was written, whatever an export's configuration says by then.
TEST(OutputOptions, ARecordReadsBack) {
  OutputOptions written{.format = FileFormat::kParquet, .compression_level = 12};
  const auto json = ToJson(written);
  ObjectReader reader(json, "");
  OutputOptions read;
  ASSERT_TRUE(ReadOutput(reader, read).has_value());
  EXPECT_EQ(ToJson(read), json);
  EXPECT_EQ(read.compression_level, 12);
}

}  // namespace
}  // namespace spillway::recipe
