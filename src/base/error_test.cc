#include "base/error.h"

#include <array>
#include <cerrno>
#include <memory>

#include <gtest/gtest.h>

namespace spillway {
namespace {

TEST(Error, NamesAreStableAndReadBack) {
  constexpr std::array<std::pair<ErrorCode, std::string_view>, 11> kNames = {{
      {ErrorCode::kInvalidArgument, "invalid_argument"},
      {ErrorCode::kNotFound, "not_found"},
      {ErrorCode::kAlreadyExists, "already_exists"},
      {ErrorCode::kConflict, "conflict"},
      {ErrorCode::kPermissionDenied, "permission_denied"},
      {ErrorCode::kOutOfSpace, "out_of_space"},
      {ErrorCode::kUnavailable, "unavailable"},
      {ErrorCode::kCancelled, "cancelled"},
      {ErrorCode::kCorrupt, "corrupt"},
      {ErrorCode::kUnsupported, "unsupported"},
      {ErrorCode::kInternal, "internal"},
  }};
  for (const auto& [code, name] : kNames) {
    EXPECT_EQ(Name(code), name);
    EXPECT_EQ(ErrorCodeFromName(name), code);
  }
  EXPECT_EQ(ErrorCodeFromName("no such code"), ErrorCode::kInternal);
}

TEST(Error, WithinPutsThePlaceBeforeTheMessage) {
  const Error error =
      Error{.code = ErrorCode::kCorrupt, .message = "bad magic", .retryable = true}.Within("a.zip");
  EXPECT_EQ(error.message, "a.zip: bad magic");
  EXPECT_EQ(error.code, ErrorCode::kCorrupt);
  EXPECT_TRUE(error.retryable);
}

TEST(Error, SystemCallsTellWhatAndWhy) {
  const Error full = FromErrno(ENOSPC, "cannot write /out/a.csv");
  EXPECT_EQ(full.message, "cannot write /out/a.csv: No space left on device");
  EXPECT_EQ(full.code, ErrorCode::kOutOfSpace);
  EXPECT_FALSE(full.retryable);
  EXPECT_EQ(FromErrno(EDQUOT, "x").code, ErrorCode::kOutOfSpace);
  EXPECT_EQ(FromErrno(EFBIG, "x").code, ErrorCode::kOutOfSpace);
  EXPECT_EQ(FromErrno(ENOENT, "x").code, ErrorCode::kNotFound);
  EXPECT_EQ(FromErrno(EEXIST, "x").code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(FromErrno(EACCES, "x").code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(FromErrno(EROFS, "x").code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(FromErrno(ENAMETOOLONG, "x").code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(FromErrno(EIO, "x").code, ErrorCode::kUnavailable);
  EXPECT_TRUE(FromErrno(EIO, "x").retryable);
  for (const int away : {ESTALE, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ECONNREFUSED, ENOTCONN}) {
    EXPECT_EQ(FromErrno(away, "x").code, ErrorCode::kUnavailable) << away;
    EXPECT_TRUE(FromErrno(away, "x").retryable) << away;
  }
  EXPECT_EQ(FromErrno(EBADF, "x").code, ErrorCode::kInternal);
}

Result<int> Parse(bool good) {
  if (!good) return FailTransient(ErrorCode::kUnavailable, "not now");
  return 7;
}

Result<std::string> ParseTwice(bool first, bool second) {
  const int sum = TRY(Parse(first)) + TRY(Parse(second));
  return std::to_string(sum);
}

TEST(Try, GivesTheValueOrLeavesWithTheError) {
  EXPECT_EQ(ParseTwice(true, true).value(), "14");
  const auto failed = ParseTwice(true, false);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(failed.error().message, "not now");
  EXPECT_TRUE(failed.error().retryable);
}

Result<std::unique_ptr<int>> MakeOwned() { return std::make_unique<int>(3); }

Result<int> TakeOwned() {
  const std::unique_ptr<int> owned = TRY(MakeOwned());
  return *owned;
}

Result<> RunNothing(bool good) {
  TRY(Parse(good));
  return {};
}

TEST(Try, MovesValuesThatCannotBeCopiedAndServesResultsWithoutValue) {
  EXPECT_EQ(TakeOwned().value(), 3);
  EXPECT_TRUE(RunNothing(true).has_value());
  EXPECT_FALSE(RunNothing(false).has_value());
}

TEST(Fail, IsForGood) {
  const Result<int> failed = Fail(ErrorCode::kNotFound, "no such job");
  EXPECT_EQ(failed.error().message, "no such job");
  EXPECT_FALSE(failed.error().retryable);
  EXPECT_FALSE(failed.error().retry_after.has_value());
}

}  // namespace
}  // namespace spillway
