#include "maintenance/expirer.h"

#include <algorithm>

#include <gmock/gmock.h>

#include "engine/acts_fixture.h"
#include "maintenance/services.h"
#include "staging/outcome.h"
#include "storage/forwarding_store.h"
#include "storage/lent.h"
#include "storage/maintenance.h"
#include "storage/memory/memory_store.h"
#include "storage/objects.h"

namespace spillway::engine {
namespace {

using std::chrono::hours;
using testing::IsEmpty;

class ExpirerTest : public ActsTest {
 protected:
  ExpirerTest() {
    options_.retention_of_export["lines"] = {.published = hours(48), .redrivable = hours(24)};
  }

  std::string Succeeded() {
    const std::string job_id = Submit(std::to_string(++submitted_));
    WorkOff();
    EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
    return job_id;
  }

  std::string Failed() {
    lines_->before_chunk = [](const Chunk& chunk) -> Result<> {
      if (chunk.index != 1) return {};
      return Fail(ErrorCode::kInvalidArgument, "broken");
    };
    const std::string job_id = Submit(std::to_string(++submitted_));
    WorkOff();
    EXPECT_EQ(store_.Get(job_id)->state, JobState::kFailed);
    lines_->before_chunk = [](const Chunk&) { return Result<>(); };
    return job_id;
  }

  /// Of another process, whose recipes may write elsewhere.
  Context ContextOf(recipe::Recipes& recipes) {
    return {.store = store_,
            .queue = queue_,
            .recipes = recipes,
            .clock = clock_,
            .log = log_,
            .options = options_,
            .owner = "other",
            .heartbeat = heartbeat_,
            .stagings = stagings_};
  }

  /// Once over everything.
  static int64_t ExpireAll(Context& context, Missing missing = Missing::kKept) {
    int64_t expired = 0;
    for (ExpiryWalk& walk : ExpiryWalks(context.options, missing)) {
      do {
        std::vector<std::string> jobs;
        EXPECT_TRUE(ExpireDue(context, {&walk, 1}, jobs).has_value());
        expired += static_cast<int64_t>(jobs.size());
      } while (!walk.ended());
    }
    return expired;
  }

  /// Runs maintenance for so long that each service has run.
  void SweepOften() {
    Services services = WorkerServices(context_);
    for (int i = 0; i < 20; ++i) {
      clock_.Advance(options_.lease);
      swept_.push_back(services.RunDue());
    }
  }

  int submitted_ = 0;
  std::vector<Result<>> swept_;
};

TEST_F(ExpirerTest, AJobLosesItsFilesAndKeepsItsRecord) {
  const std::string job_id = Succeeded();
  const Job before = *store_.Get(job_id);
  clock_.Advance(*before.finished_at + hours(48) - clock_.Now());
  EXPECT_EQ(ExpireAll(context_), 0);
  EXPECT_THAT(Published(job_id), testing::SizeIs(2));
  const auto bytes = storage::ReadWhole(objects_, "out/" + job_id + "/lines.txt")->size() +
                     storage::ReadWhole(objects_, "out/" + job_id + "/manifest.json")->size();

  clock_.Advance(std::chrono::microseconds(1));
  EXPECT_EQ(ExpireAll(context_), 1);
  EXPECT_THAT(Published(job_id), IsEmpty());
  const Job after = *store_.Get(job_id);
  ASSERT_TRUE(after.expiry.has_value());
  EXPECT_EQ(after.expiry->objects, 2);
  EXPECT_EQ(after.expiry->bytes, static_cast<int64_t>(bytes));
  EXPECT_EQ(after.expiry->ended_at, clock_.Now());
  EXPECT_EQ(after.state, JobState::kSucceeded);
  EXPECT_EQ(after.outcome, before.outcome);
  EXPECT_EQ(ExpireAll(context_), 0);
}

TEST_F(ExpirerTest, WorkersExpireWhatIsDue) {
  const std::string job_id = Succeeded();
  clock_.Advance(hours(49));
  SweepOften();
  for (const Result<>& swept : swept_) ASSERT_TRUE(swept.has_value());
  EXPECT_THAT(Published(job_id), IsEmpty());
  EXPECT_TRUE(store_.Get(job_id)->expiry->ended_at.has_value());
}

TEST_F(ExpirerTest, WhatIsKeptForEverStays) {
  options_.retention_of_export["lines"] = {};
  const std::string job_id = Succeeded();
  const std::string failed = Failed();
  clock_.Advance(hours(1'000'000));
  EXPECT_EQ(ExpireAll(context_), 0);
  EXPECT_THAT(Published(job_id), testing::SizeIs(2));
  EXPECT_THAT(Staged(failed), testing::Not(IsEmpty()));
}

TEST_F(ExpirerTest, AFailedJobThatNobodyRedroveLosesWhatItStaged) {
  const std::string job_id = Failed();
  ASSERT_THAT(Staged(job_id), testing::Not(IsEmpty()));
  clock_.Advance(hours(25));
  EXPECT_EQ(ExpireAll(context_), 1);
  EXPECT_THAT(Staged(job_id), IsEmpty());
  const auto redriven = engine_.Redrive(job_id, "ada");
  ASSERT_FALSE(redriven.has_value());
  EXPECT_EQ(redriven.error().message,
            "job " + job_id + ": what it had staged has expired; run the export again");
}

TEST_F(ExpirerTest, ARedrivenJobDoesNotExpire) {
  const std::string job_id = Failed();
  clock_.Advance(hours(25));
  const auto due = *ExpiryWalk("lines", JobState::kFailed, hours(24)).Next(context_, 10);
  ASSERT_EQ(due.size(), 1U);
  ASSERT_TRUE(engine_.Redrive(job_id, "ada").has_value());
  EXPECT_FALSE(*Expire(context_, due[0]));
  WorkOff();
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
  EXPECT_THAT(Published(job_id), testing::SizeIs(2));
}

TEST_F(ExpirerTest, NobodyElsesFilesAreTouched) {
  const std::string expiring = Succeeded();
  clock_.Advance(hours(47));
  const std::string staying = Succeeded();
  lines_->publishes_at_once = true;
  clock_.Advance(hours(2));
  const std::string in_place = Succeeded();
  ExpireAll(context_);
  EXPECT_THAT(Published(expiring), IsEmpty());
  EXPECT_THAT(Published(staying), testing::SizeIs(2));

  // Files that were put in their places are for later jobs to write.
  clock_.Advance(hours(49));
  ExpireAll(context_);
  EXPECT_THAT(Published(in_place), IsEmpty());
  EXPECT_THAT(Keys("items/"), testing::SizeIs(3));
}

/// Fails the n-th call that removes, and notes the order.
class CuttingStore : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  int removals_left = 1'000'000;
  std::vector<std::string> removed;
  std::function<void()> before_list = [] {};

  Result<uint64_t> Remove(std::string_view key) override {
    if (removals_left-- == 0) return FailTransient(ErrorCode::kUnavailable, "cut short");
    removed.emplace_back(key);
    return store_.Remove(key);
  }
  Result<std::vector<storage::ObjectInfo>> List(std::string_view prefix, std::string_view after,
                                                size_t limit) override {
    before_list();
    return store_.List(prefix, after, limit);
  }
};

/// Cannot be swept: of a bucket whose role may not list uploads.
class UnsweepableStore final : public storage::ForwardingStore, public storage::Maintenance {
 public:
  using ForwardingStore::ForwardingStore;
  storage::Maintenance* maintenance() override { return this; }
  Result<> ProveCreateOnce() override { return {}; }
  Result<> RemoveUnfinished(std::string_view) override { return {}; }
  Result<size_t> SweepAbandoned(std::chrono::seconds, storage::Sweep) override {
    return Fail(ErrorCode::kPermissionDenied, "no permission to list uploads");
  }
};

TEST_F(ExpirerTest, AStoreThatCannotBeSweptKeepsNoJobFromExpiring) {
  UnsweepableStore unsweepable(objects_);
  const std::string job_id = Succeeded();
  const auto use = stagings_.Of(*store_.Get(job_id), storage::Lent(unsweepable), "out");
  clock_.Advance(hours(49));
  SweepOften();
  EXPECT_TRUE(std::ranges::any_of(swept_, [](const Result<>& swept) {
    return !swept.has_value() && swept.error().code == ErrorCode::kPermissionDenied;
  }));
  EXPECT_THAT(Published(job_id), IsEmpty());
}

TEST_F(ExpirerTest, CutShortAnywhereItIsCarriedThrough) {
  bool whole = false;
  for (int cut = 0; !whole; ++cut) {
    const std::string job_id = Succeeded();
    clock_.Advance(hours(49));
    CuttingStore cutting(objects_);
    recipe::Recipes recipes;
    recipes.Add(std::make_unique<LinesRecipe>(cutting));
    Context context = ContextOf(recipes);
    cutting.removals_left = cut;
    const int64_t expired = ExpireAll(context);
    whole = expired == 1;
    if (!cutting.removed.empty()) {
      EXPECT_EQ(cutting.removed[0], "out/" + job_id + "/manifest.json");
    }
    if (cut > 0) {
      EXPECT_FALSE(objects_.Head("out/" + job_id + "/manifest.json")->has_value());
    }
    // Nobody takes it over before the lease's time; then anybody does.
    EXPECT_EQ(ExpireAll(context_), 0);
    clock_.Advance(options_.lease + std::chrono::seconds(1));
    EXPECT_EQ(ExpireAll(context_), whole ? 0 : 1);
    EXPECT_THAT(Published(job_id), IsEmpty());
    EXPECT_EQ(store_.Get(job_id)->expiry->objects, 2);
  }
}

TEST_F(ExpirerTest, AFinisherThatComesTooLateTakesItsFilesBack) {
  const std::string job_id = Succeeded();
  ASSERT_TRUE(RemoveIfExpired(context_, job_id).has_value());
  EXPECT_THAT(Published(job_id), testing::SizeIs(2));
  clock_.Advance(hours(49));
  ASSERT_EQ(ExpireAll(context_), 1);
  auto late = *objects_.Create("out/" + job_id + "/manifest.json", storage::Overwrite::kAllowed);
  ASSERT_TRUE(late->Finish().has_value());
  ASSERT_TRUE(RemoveIfExpired(context_, job_id).has_value());
  EXPECT_THAT(Published(job_id), IsEmpty());
}

/// C13: what died between publishing an expired job's file and taking it back.
TEST_F(ExpirerTest, WhatIsPublishedTooLateIsFoundAtASecondLook) {
  const std::string job_id = Succeeded();
  clock_.Advance(hours(49));
  Services services = WorkerServices(context_);
  for (int i = 0; i < 20 && !Published(job_id).empty(); ++i) {
    clock_.Advance(options_.lease);
    ASSERT_TRUE(services.RunDue().has_value());
  }
  ASSERT_TRUE(store_.Get(job_id)->expiry->ended_at.has_value());
  ASSERT_TRUE(storage::PutWhole(objects_, "out/" + job_id + "/lines.txt", "late").has_value());
  for (int i = 0; i < 20; ++i) {
    clock_.Advance(options_.lease);
    ASSERT_TRUE(services.RunDue().has_value());
  }
  EXPECT_THAT(Published(job_id), IsEmpty());
}

TEST_F(ExpirerTest, JobsThatCannotExpireKeepNoOther) {
  constexpr int kMoreThanASweepLooksAt = 51;
  for (int i = 0; i < kMoreThanASweepLooksAt; ++i) lines_->without_destination.insert(Succeeded());
  const std::string last = Succeeded();
  lines_->no_destination = Error{.code = ErrorCode::kUnavailable, .message = "gone"};
  clock_.Advance(hours(49));
  SweepOften();
  EXPECT_THAT(Published(last), IsEmpty());
  EXPECT_EQ(ExpireAll(context_), 0);
  lines_->no_destination.reset();
  EXPECT_EQ(ExpireAll(context_), kMoreThanASweepLooksAt);
}

TEST_F(ExpirerTest, NothingExpiresWhereItsManifestIsNot) {
  const std::string job_id = Succeeded();
  clock_.Advance(hours(49));
  storage::MemoryPlace elsewhere;
  storage::MemoryStore unmounted(elsewhere, clock_);
  // Something else was published there meanwhile.
  ASSERT_TRUE((*unmounted.Create("out/other/manifest.json", storage::Overwrite::kAllowed))
                  ->Finish()
                  .has_value());
  recipe::Recipes recipes;
  recipes.Add(std::make_unique<LinesRecipe>(unmounted));
  Context context = ContextOf(recipes);
  EXPECT_EQ(ExpireAll(context), 0);
  const auto due = *ExpiryWalk("lines", JobState::kSucceeded, hours(48)).Next(context, 10);
  ASSERT_EQ(due.size(), 1U);
  EXPECT_THAT(due[0].error->message,
              testing::HasSubstr("out/" + job_id + "/manifest.json is not where it was published"));
  EXPECT_FALSE(Expire(context, due[0]).has_value());
  EXPECT_FALSE(store_.Get(job_id)->expiry.has_value());
  EXPECT_EQ(ExpireAll(context_), 1);
  EXPECT_THAT(Published(job_id), IsEmpty());
}

TEST_F(ExpirerTest, WhatSomebodyRemovedExpiresOnDemand) {
  const std::string removed = Succeeded();
  ASSERT_TRUE(objects_.Remove("out/" + removed + "/manifest.json").has_value());
  clock_.Advance(hours(49));
  EXPECT_EQ(ExpireAll(context_), 0);
  EXPECT_EQ(ExpireAll(context_, Missing::kExpires), 1);
  EXPECT_THAT(Published(removed), IsEmpty());
  EXPECT_EQ(store_.Get(removed)->expiry->objects, 1);
}

TEST_F(ExpirerTest, AnExpiryThatWasNotRecordedEnds) {
  const std::string job_id = Succeeded();
  clock_.Advance(hours(49));
  // As a process that dies before it can record that everything is removed.
  ASSERT_TRUE(store_.BeginExpiry(*store_.Get(job_id), 2, 20).has_value());
  for (const std::string& key : Published(job_id)) ASSERT_TRUE(objects_.Remove(key).has_value());
  clock_.Advance(options_.lease + std::chrono::seconds(1));
  EXPECT_EQ(ExpireAll(context_), 1);
  EXPECT_TRUE(store_.Get(job_id)->expiry->ended_at.has_value());
}

TEST_F(ExpirerTest, AStopComesBetweenJobs) {
  for (int i = 0; i < 3; ++i) Succeeded();
  clock_.Advance(hours(49));
  CuttingStore cutting(objects_);
  recipe::Recipes recipes;
  recipes.Add(std::make_unique<LinesRecipe>(cutting));
  Context context = ContextOf(recipes);
  // Each job is listed twice, below its directory and below its stages: to count, then to remove.
  struct Case {
    int stop_at;
    int lists;
    size_t expired;
  };
  for (const auto& [stop_at, lists, expired] : {Case{1, 2, 0}, Case{6, 6, 0}, Case{7, 8, 1}}) {
    std::stop_source stop;
    int listed = 0;
    cutting.before_list = [&stop, &listed, stop_at = stop_at] {
      if (++listed == stop_at) stop.request_stop();
    };
    std::vector<ExpiryWalk> walks = ExpiryWalks(options_);
    std::vector<std::string> jobs;
    EXPECT_TRUE(ExpireDue(context, walks, jobs, stop.get_token()).has_value());
    EXPECT_EQ(jobs.size(), expired);
    EXPECT_EQ(listed, lists);
  }
  cutting.before_list = [] {};
  EXPECT_EQ(ExpireAll(context), 2);
}

}  // namespace
}  // namespace spillway::engine
