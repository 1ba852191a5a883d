#include "lake/ingest/ndjson_values.h"

#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spillway::lake {
namespace {

using testing::HasSubstr;

TEST(NdjsonTime, IsReadInEveryFormOfItsOffset) {
  const int64_t expected = 1'769'896'799'500'000;  // 2026-01-31T21:59:59.5Z
  for (const char* text :
       {"2026-01-31T21:59:59.5Z", "2026-01-31t21:59:59.500000z", "2026-01-31 23:59:59.5+02:00",
        "2026-01-31T23:59:59.500000000+02:00", "2026-01-31T16:29:59.5-0530",
        "2026-02-01T00:59:59.50+03", "2026-01-31T21:59:59.5-00:00"}) {
    const auto time = ParseTime(text);
    ASSERT_TRUE(time) << text << ": " << time.error();
    EXPECT_EQ(*time, expected) << text;
  }
}

TEST(NdjsonTime, ReachesFromYear1To9999) {
  EXPECT_EQ(*ParseTime("0001-01-01T00:00:00Z"), -62'135'596'800'000'000);
  EXPECT_EQ(*ParseTime("9999-12-31T23:59:59.999999Z"), 253'402'300'799'999'999);
  EXPECT_EQ(*ParseTime("1969-12-31T23:59:59.999999Z"), -1);
  EXPECT_EQ(*ParseTime("2024-02-29T00:00:00Z"), 1'709'164'800'000'000);
}

TEST(NdjsonTime, FinerThanAMicrosecondIsRefusedUnlessItIsZero) {
  EXPECT_EQ(*ParseTime("1970-01-01T00:00:00.123456000Z"), 123'456);
  const auto fine = ParseTime("1970-01-01T00:00:00.123456001Z");
  ASSERT_FALSE(fine);
  EXPECT_THAT(fine.error(), HasSubstr("finer than a microsecond"));
}

TEST(NdjsonTime, C02FractionsOfAnyLengthAreReadOrRefusedForWhatTheyAre) {
  EXPECT_EQ(*ParseTime("1970-01-01T00:00:00.0000000000Z"), 0);
  EXPECT_EQ(*ParseTime("1970-01-01T00:00:00.1" + std::string(1000, '0') + "+00:00"), 100'000);
  EXPECT_THAT(ParseTime("1970-01-01T00:00:00.0123456789Z").error(),
              HasSubstr("finer than a microsecond"));
  EXPECT_THAT(ParseTime("1970-01-01T00:00:00.0000000000001Z").error(),
              HasSubstr("finer than a microsecond"));
}

TEST(NdjsonTime, C02ALeapSecondIsTheFirstOfTheNextMinute) {
  const int64_t new_year = *ParseTime("2017-01-01T00:00:00Z");
  EXPECT_EQ(*ParseTime("2016-12-31T23:59:60Z"), new_year);
  EXPECT_EQ(*ParseTime("2016-12-31T15:59:60-08:00"), new_year);
  EXPECT_EQ(*ParseTime("2016-12-31t23:59:60.25z"), new_year + 250'000);
  EXPECT_THAT(ParseTime("2016-12-31T23:59:61Z").error(), HasSubstr("is not an RFC 3339 time"));
}

TEST(NdjsonTime, WhatIsInNoYearOfUtcThatALakeHoldsIsSaid) {
  for (const char* text : {"9999-12-31T23:59:60Z", "9999-12-31T23:59:59-00:01",
                           "0001-01-01T00:00:00+00:01", "0000-06-01T00:00:00Z"}) {
    EXPECT_THAT(ParseTime(text).error(), HasSubstr("is outside the years 1 to 9999 of UTC"));
  }
  EXPECT_TRUE(ParseTime("0001-01-01T00:01:00+00:01"));
  EXPECT_TRUE(ParseTime("0000-12-31T23:59:00-00:01"));
}

TEST(NdjsonTime, WhatIsNoneIsRefused) {
  for (const char* text : {"",
                           "2026",
                           "2026-01-31",
                           "2026-01-31T23:59:59,5Z",
                           "2026-13-01T00:00:00Z",
                           "2026-02-29T00:00:00Z",
                           "2026-01-31T24:00:00Z",
                           "2026-01-31T23:60:00Z",
                           "2026-01-31T23:59:59.Z",
                           "2026-01-31T23:59:59+2",
                           "2026-01-31T23:59:59+02:0",
                           "2026-01-31T23:59:59+02:00x",
                           "2026-01-31T23:59:59+24:00",
                           "2026-01-31T23:59:59+02:60",
                           "0000-01-01T00:00:00Z",
                           "2026/01/31T23:59:59Z",
                           "2026-01-31X23:59:59Z",
                           "1769896799",
                           "26-01-31T23:59:59Z",
                           "+026-01-31T23:59:59Z",
                           "2026-01-31T2 :59:59Z"}) {
    EXPECT_FALSE(ParseTime(text)) << text;
  }
  EXPECT_THAT(ParseTime("2026-01-31T23:59:59").error(), HasSubstr("has no offset"));
}

TEST(NdjsonInt64, IsExact) {
  EXPECT_EQ(*ParseInt64("0"), 0);
  EXPECT_EQ(*ParseInt64("-0"), 0);
  EXPECT_EQ(*ParseInt64("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(*ParseInt64("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(*ParseInt64("9007199254740993"), 9007199254740993);
  EXPECT_EQ(*ParseInt64("12.00"), 12);
  EXPECT_EQ(*ParseInt64("1.5e3"), 1500);
  EXPECT_EQ(*ParseInt64("-120e-1"), -12);
  EXPECT_THAT(ParseInt64("9223372036854775808").error(), HasSubstr("does not fit 64 bits"));
  EXPECT_THAT(ParseInt64("-9223372036854775809").error(), HasSubstr("does not fit 64 bits"));
  EXPECT_THAT(ParseInt64("1e19").error(), HasSubstr("does not fit 64 bits"));
  EXPECT_THAT(ParseInt64("1e999999999999").error(), HasSubstr("does not fit 64 bits"));
  EXPECT_THAT(ParseInt64("1.5").error(), HasSubstr("not a whole number"));
  EXPECT_THAT(ParseInt64("1e-1").error(), HasSubstr("not a whole number"));
  EXPECT_EQ(*ParseInt64("0e999999999999"), 0);
}

TEST(NdjsonNumber, WhatJsonDoesNotCallANumberIsNone) {
  for (const char* token : {"", "-", "+1", "01", "-01", ".5", "1.", "1.e3", "1e", "1e+", "0x10",
                            "1_0", "NaN", "Infinity", "1 2", "1a", "١"}) {
    EXPECT_THAT(ParseInt64(token).error(), HasSubstr("not a JSON number")) << token;
    EXPECT_FALSE(ParseDecimal(token, 10, 4)) << token;
    EXPECT_FALSE(ParseDouble(token)) << token;
  }
}

TEST(NdjsonDecimal, IsExact) {
  const auto value = [](std::string_view token) {
    return static_cast<int64_t>(*ParseDecimal(token, 10, 4));
  };
  EXPECT_EQ(value("0.0121"), 121);
  EXPECT_EQ(value("-12.5"), -125'000);
  EXPECT_EQ(value("999999.9999"), 9'999'999'999);
  EXPECT_EQ(value("1e2"), 1'000'000);
  EXPECT_EQ(value("12345.67e-2"), 1'234'567);
  EXPECT_EQ(value("1.23450000"), 12'345);
  EXPECT_EQ(value("0.0"), 0);
  EXPECT_EQ(value("0e99999"), 0);
  EXPECT_THAT(ParseDecimal("1.23456", 10, 4).error(), HasSubstr("more than 4 digits after"));
  EXPECT_THAT(ParseDecimal("1000000", 10, 4).error(), HasSubstr("does not fit decimal(10,4)"));
  EXPECT_THAT(ParseDecimal("1e30", 10, 4).error(), HasSubstr("does not fit decimal(10,4)"));
  EXPECT_THAT(ParseDecimal("1e-99999", 10, 4).error(), HasSubstr("more than 4 digits after"));
}

TEST(NdjsonDecimal, HoldsThirtyEightDigits) {
  const std::string most(38, '9');
  EXPECT_TRUE(*ParseDecimal(most, 38, 0) > 0);
  EXPECT_FALSE(ParseDecimal(most + "9", 38, 0));
  EXPECT_TRUE(*ParseDecimal("-" + most, 38, 0) < 0);
}

TEST(NdjsonDouble, IsTheNearestOrExact) {
  EXPECT_EQ(*ParseDouble("0.1"), 0.1);
  EXPECT_EQ(*ParseDouble("-2.5e-3"), -0.0025);
  EXPECT_TRUE(std::signbit(*ParseDouble("-0")));
  EXPECT_EQ(*ParseDouble("9007199254740992"), 9007199254740992.0);
  EXPECT_EQ(*ParseDouble("9007199254740994"), 9007199254740994.0);
  EXPECT_EQ(*ParseDouble("1e300"), 1e300);
  EXPECT_THAT(ParseDouble("9007199254740993").error(), HasSubstr("beyond 2^53"));
  EXPECT_THAT(ParseDouble("-9007199254740993").error(), HasSubstr("beyond 2^53"));
  EXPECT_THAT(ParseDouble("90071992547409921.5").error(), HasSubstr("beyond 2^53"));
  EXPECT_THAT(ParseDouble("1e400").error(), HasSubstr("out of the range"));
}

TEST(ParseDateTest, OnlyDatesOfTheCalendar) {
  EXPECT_EQ(ParseDate("1970-01-01"), 0);
  EXPECT_EQ(ParseDate("2024-02-29"), 19'782);
  EXPECT_EQ(ParseDate("0001-01-01"), -719'162);
  EXPECT_EQ(ParseDate("9999-12-31"), 2'932'896);
  for (const char* text :
       {"", "2023-02-29", "2023-13-01", "2023-00-01", "2023-01-00", "0000-01-01", "2023-1-1",
        "20230101", "2023-01-01T00:00:00Z", "2023-01-01 ", "2023/01/01"}) {
    EXPECT_FALSE(ParseDate(text)) << text;
  }
  EXPECT_EQ(ParseDate("2023-02-29").error(), "\"2023-02-29\" is not a date such as 2026-01-31");
}

}  // namespace
}  // namespace spillway::lake
