#include "store/transfer/transfer.h"

#include <memory>

#include <gmock/gmock.h>

#include "base/manual_clock.h"
#include "store/conformance/job_store_fixture.h"
#include "store/postgres/temporary_state.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/sqlite_store.h"
#include "store/sqlite/temporary_state.h"

namespace spillway::store {
namespace {

using engine::Job;
using engine::JobState;
using testing::HasSubstr;

class TransferTest : public testing::Test {
 protected:
  Result<Transferred> Transfer() {
    return TransferState(file_.path(), target_.address(), clock_, {});
  }

  engine::Lease Hold(const Job& job) {
    const Job held = Must(source_.AcquireJob(job.id, "worker", std::chrono::seconds(30)));
    return {.job_id = held.id, .owner = "worker", .token = held.lease_token};
  }

  /// A job with odd texts whose two chunks wait.
  Job Planned(const std::string& task) {
    Job request;
    request.id = request.task_id = task;
    request.group = "group of " + task;
    request.parameters = "tab\t, line\n, back\\slash, naïve 東京" + std::string("\0nul\xff", 5);
    Must(source_.Create(request, false));
    const Job job = *Must(source_.Admit(request.group, 1));
    const engine::Lease lease = Hold(job);
    Must(source_.AddChunks(lease, std::vector<NewChunk>{{.index = 0, .spec = "\\N", .planned = 1},
                                                        {.index = 1, .spec = "", .planned = 1}}));
    return Must(source_.Update(lease, {.phase = engine::JobPhase::kProcessing,
                                       .planned = 2,
                                       .bytes_planned = 5'000'000'000,
                                       .chunks_total = 2,
                                       .release = true}));
  }

  TemporaryState file_;
  postgres_state::TemporaryState target_;
  ManualClock clock_;
  std::unique_ptr<Database> database_ = Must(Database::Open(file_.path()));
  SqliteStore source_{*database_, clock_};
};

TEST_F(TransferTest, EverythingIsThereAndGoesOn) {
  const Job half = Planned("half");
  const auto chunk =
      Must(source_.ClaimChunks(half.id, -1, 1, "worker", std::chrono::seconds(30))).chunks.at(0);
  const engine::Lease lease{
      .job_id = half.id, .chunk = 0, .owner = "worker", .token = chunk.lease_token};
  Must(source_.Settle(std::vector<Settlement>{{.lease = lease,
                                               .kind = Settlement::Kind::kSucceeded,
                                               .result = "{}",
                                               .counts = {.planned = 1, .written = 1}}}));
  const Job failed = Planned("failed");
  Must(source_.Update(Hold(failed), {.state = JobState::kFailed,
                                     .failure = Error{.message = "no\xff encoding"},
                                     .actor = "worker",
                                     .cause = "broken"}));
  Must(source_.Fire({.schedule = "nightly", .until = clock_.Now()}));
  Must(source_.RecordSigningKey("", "key of the file"));
  Must(postgres_state::OpenState(target_.address(), clock_)
           .store.RecordSigningKey("", "key of a machine that was started too early"));

  const Transferred moved = Must(Transfer());
  EXPECT_EQ(moved.jobs, 2);
  EXPECT_EQ(moved.chunks, 4);
  postgres_state::OpenState open(target_.address(), clock_);
  JobStore& store = open.store;
  EXPECT_EQ(Must(store.Get(half.id)).parameters, half.parameters);
  EXPECT_EQ(Must(store.Get(half.id)).chunks_succeeded, 1);
  EXPECT_EQ(Must(store.Get(half.id)).bytes_planned, 5'000'000'000);
  EXPECT_EQ(Must(store.Get(failed.id)).failure->message, "no\xff encoding");
  EXPECT_EQ(Must(store.History(failed.id)).size(), Must(source_.History(failed.id)).size());
  EXPECT_EQ(Must(store.Schedules()).size(), 1U);
  EXPECT_EQ(Must(store.SigningKeyId()), "key of the file");
  EXPECT_EQ(Must(store.ListChunks(half.id, engine::ChunkState::kSucceeded, -1, 10)).size(), 1U);

  EXPECT_EQ(
      Must(store.ClaimChunks(half.id, -1, 9, "another", std::chrono::seconds(30))).chunks.size(),
      1U);
  EXPECT_EQ(Must(store.Redrive(failed.id, "ada")).state, JobState::kPending);
  Job next;
  next.id = next.task_id = "next";
  EXPECT_TRUE(Must(store.Create(next, false)).created);
  EXPECT_FALSE(open.database->Run("DELETE FROM spillway.transitions", {}).has_value())
      << "the triggers are on again";
}

TEST_F(TransferTest, RefusesWhileWorkIsUnderWay) {
  const Job job = Planned("busy");
  Must(source_.ClaimChunks(job.id, -1, 1, "worker", std::chrono::seconds(30)));
  EXPECT_THAT(Transfer().error().message, HasSubstr("workers hold 1 leases"));
  clock_.Advance(std::chrono::seconds(31));
  EXPECT_TRUE(Transfer().has_value());
}

TEST_F(TransferTest, RefusesATargetThatHasJobs) {
  Planned("one");
  EXPECT_TRUE(Transfer().has_value());
  const Result<Transferred> again = Transfer();
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);
  EXPECT_THAT(again.error().message, HasSubstr("has 1 jobs and schedules"));
}

TEST_F(TransferTest, LeavesNoColumnBehind) {
  Planned("one");
  {
    const auto file =
        Must(Connection::Open(file_.path(), Connection::Mode::kReadWrite, Database::kBusyTimeout));
    Must(file->Execute("ALTER TABLE jobs ADD COLUMN later TEXT"));
  }
  const Result<Transferred> moved = Transfer();
  ASSERT_FALSE(moved.has_value());
  EXPECT_THAT(moved.error().message, HasSubstr("table jobs has"));
}

}  // namespace
}  // namespace spillway::store
