/// A local store whose directory is moved or removed while it is open.
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/scratch_directory.h"
#include "storage/conformance.h"
#include "storage/local/local_store.h"
#include "storage/objects.h"

namespace spillway::storage {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::string_view kStageKey = ".spillway/jobs/j1/stage-1";

class MovedStoreTest : public testing::Test {
 protected:
  /// `made_again`: another directory is in its place, which may be opened.
  template <class T>
  static void ExpectMoved(const Result<T>& refused, bool made_again) {
    ASSERT_THAT(refused, FailsWith(made_again ? ErrorCode::kConflict : ErrorCode::kUnavailable));
    EXPECT_TRUE(refused.error().retryable);
    EXPECT_THAT(refused.error().message, HasSubstr("root is no longer the directory"));
  }

  static Bytes BytesOf(std::string_view text) { return std::as_bytes(std::span(text)); }

  const ScratchDirectory scratch_;
  const fs::path root_ = scratch_ / "root";
  const fs::path moved_ = scratch_ / "moved";
  std::unique_ptr<LocalStore> store_ = LocalStore::OpenOrCreate(root_.string()).value();
};

TEST_F(MovedStoreTest, NothingCountsAsPublishedInADirectoryThatWasMoved) {
  const Bytes staged = BytesOf("staged");
  auto stage = store_->CreateStage(kStageKey, {}).value();
  const std::vector<ObjectRange> ranges = {stage->Append({&staged, 1}, {}).value()};
  auto writer = store_->Create("written", Overwrite::kNever).value();
  const NewObject put{"put", BytesOf("put")};
  ASSERT_TRUE(store_->CheckInPlace());
  fs::rename(root_, moved_);
  for (const bool made_again : {false, true}) {
    if (made_again) fs::create_directory(root_);
    ExpectMoved(store_->CheckInPlace(), made_again);
    ExpectMoved(store_->Compose("composed", ranges, {}), made_again);
    ExpectMoved(store_->PutMany({&put, 1})[0], made_again);
  }
  ExpectMoved(writer->Finish(), true);
  EXPECT_TRUE(fs::is_empty(root_));

  fs::remove(root_);
  fs::rename(moved_, root_);
  EXPECT_TRUE(store_->CheckInPlace());
  EXPECT_TRUE(store_->Compose("composed", ranges, {}));
  EXPECT_TRUE(store_->PutMany({&put, 1})[0]);
  EXPECT_EQ(ReadWhole(*store_, "composed").value(), "staged");
}

TEST_F(MovedStoreTest, WhatCannotBeLookedAtIsNotTakenForMoved) {
  fs::rename(root_, moved_);
  fs::create_symlink(root_, root_);  // It leads to itself.
  const Result<> looked = store_->CheckInPlace();
  ASSERT_FALSE(looked.has_value());
  EXPECT_THAT(looked.error().message, testing::HasSubstr("cannot look at " + root_.string()));
}

TEST(MountedStoreTest, WhereNothingIsMountedAnyMoreNothingElseIsOpenedInItsPlace) {
  const ScratchDirectory scratch;
  const fs::path link = scratch / "link";
  fs::create_directory_symlink("/dev/shm", link);  // A file system of its own.
  const auto store = LocalStore::OpenExisting(link.string()).value();
  ASSERT_TRUE(store->CheckInPlace());
  fs::remove(link);
  fs::create_directory(link);
  EXPECT_THAT(store->CheckInPlace(), FailsWith(ErrorCode::kUnavailable));
  fs::remove(link);
  fs::create_directory_symlink("/dev", link);
  EXPECT_THAT(store->CheckInPlace(), FailsWith(ErrorCode::kConflict));
}

TEST_F(MovedStoreTest, NothingIsBegunInADirectoryThatWasRemoved) {
  auto writer = store_->Create("written", Overwrite::kNever).value();
  const NewObject put{"put", BytesOf("put")};
  fs::remove_all(root_);
  for (const bool made_again : {false, true}) {
    if (made_again) fs::create_directory(root_);
    ExpectMoved(store_->CreateStage(kStageKey, {}), made_again);
    ExpectMoved(store_->Create("another", Overwrite::kNever), made_again);
    ExpectMoved(store_->PutMany({&put, 1})[0], made_again);
  }
  ExpectMoved(writer->Finish(), true);
  EXPECT_TRUE(fs::is_empty(root_));
}

}  // namespace
}  // namespace spillway::storage
