/// Results that are too long for a record, reports, and what is counted by name.
#include "engine/recorded_result.h"

#include <gmock/gmock.h>

#include "engine/acts_fixture.h"
#include "manifest/manifest.h"
#include "staging/outcome.h"
#include "storage/objects.h"

namespace spillway::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class RecordedResultTest : public ActsTest {
 protected:
  static std::vector<ErrorRecord> Errors(int excluded, int failed) {
    std::vector<ErrorRecord> errors;
    for (int i = 0; i < excluded + failed; ++i) {
      errors.push_back({.key = "object " + std::to_string(i),
                        .classification = i < excluded ? "excluded" : "unavailable",
                        .message = std::string(100, 'm')});
    }
    return errors;
  }

  std::string RecordOf(const std::string& job_id, int64_t chunk) {
    return store_.ListChunks(job_id, ChunkState::kSucceeded, chunk - 1, 1)->at(0).result;
  }

  Manifest ManifestOf(const std::string& job_id) {
    const auto manifest = ReadManifest(objects_, "out/" + job_id);
    EXPECT_TRUE(manifest.has_value()) << manifest.error().message;
    return manifest.value_or(Manifest());
  }
};

TEST_F(RecordedResultTest, ALongResultStandsInAnObjectAndIsReadFromThere) {
  lines_->errors = Errors(900, 100);
  const std::string job_id = Submit();
  RunUntil(job_id, JobPhase::kProcessing);
  Worker worker(context_);
  KnownJobs known;
  ASSERT_TRUE(worker.Step(random_, known).has_value());
  const std::string record = RecordOf(job_id, 0);
  EXPECT_LE(record.size(), kChunkFieldBytesMax);
  const ChunkResult shown = *ChunkResultFromJson(record);
  EXPECT_EQ(shown.counts.written, 2);
  EXPECT_THAT(shown.parts, IsEmpty());
  ASSERT_FALSE(shown.errors.empty());
  EXPECT_EQ(shown.errors[0].classification, "unavailable") << "failures first";
  EXPECT_EQ(shown.errors.size() + static_cast<size_t>(shown.errors_left_out), 1'000U);
  EXPECT_EQ(shown.errors[0].message, std::string(100, 'm'));
  const std::string object = *storage::ReadWhole(objects_, shown.stored.key);
  const ChunkResult stored = *ChunkResultFromJson(object);
  EXPECT_THAT(stored.errors, SizeIs(1'000));
  EXPECT_THAT(stored.errors.back().message, HasSubstr("whoever runs the export can see why"))
      << "recipients may read it";

  WorkOff();
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
  EXPECT_THAT(ManifestOf(job_id).errors, SizeIs(1'000)) << "no report lists them";
  EXPECT_THAT(Verify(objects_, "out/" + job_id, nullptr, {})->problems, IsEmpty());
  EXPECT_THAT(Staged(job_id), IsEmpty());
}

TEST_F(RecordedResultTest, AShortResultStandsInItsRecord) {
  const std::string job_id = Submit();
  WorkOff();
  EXPECT_EQ(ChunkResultFromJson(RecordOf(job_id, 0))->stored.key, "");
  EXPECT_THAT(ChunkResultFromJson(RecordOf(job_id, 0))->parts, SizeIs(1));
}

TEST_F(RecordedResultTest, AStoredResultThatWasDeletedOrChangedFailsTheJob) {
  for (const bool deleted : {true, false}) {
    lines_->errors = Errors(900, 100);
    const std::string job_id = Submit(deleted ? "1" : "2");
    RunUntil(job_id, JobPhase::kProcessing);
    Worker worker(context_);
    KnownJobs known;
    ASSERT_TRUE(worker.Step(random_, known).has_value());
    const std::string key = ChunkResultFromJson(RecordOf(job_id, 0))->stored.key;
    if (deleted) {
      ASSERT_TRUE(objects_.Remove(key).has_value());
    } else {
      ASSERT_TRUE(storage::PutWhole(objects_, key, "{}").has_value());
    }
    WorkOff();
    const Job job = *store_.Get(job_id);
    EXPECT_EQ(job.state, JobState::kFailed);
    EXPECT_EQ(job.failure->code, ErrorCode::kCorrupt);
    EXPECT_THAT(Published(job_id), IsEmpty());
  }
}

TEST_F(RecordedResultTest, AResultThatCannotBeStoredIsAFailedAttempt) {
  lines_->errors = Errors(0, 1);
  for (int i = 0; i < 2'000; ++i) lines_->tallies["a name of some length " + std::to_string(i)] = 1;
  const std::string job_id = Submit();
  WorkOff();
  const Job job = *store_.Get(job_id);
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_THAT(job.failure->message, HasSubstr("the tallies of chunk 0 take"));
}

TEST_F(RecordedResultTest, TalliesAreSummedIntoManifestAndOutcome) {
  lines_->tallies = {{"copied", 2}, {"skipped", 5}};
  const std::string job_id = Submit();
  WorkOff();
  EXPECT_THAT(ManifestOf(job_id).tallies, ElementsAre(Pair("copied", 6), Pair("skipped", 15)));
  EXPECT_THAT(OutcomeReferenceFromJson(store_.Get(job_id)->outcome)->tallies,
              ElementsAre(Pair("copied", 6), Pair("skipped", 15)));
}

TEST_F(RecordedResultTest, AReportListsWhatTheManifestDoesNot) {
  lines_->report = "report.csv";
  lines_->errors = Errors(250, 10);
  const std::string job_id = Submit();
  WorkOff();
  const Job job = *store_.Get(job_id);
  ASSERT_EQ(job.state, JobState::kSucceeded) << job.failure->message;
  const Manifest manifest = ManifestOf(job_id);
  ASSERT_THAT(manifest.reports, SizeIs(1));
  EXPECT_EQ(manifest.reports[0].name, "report.csv");
  EXPECT_THAT(manifest.reports[0].parts, SizeIs(3));
  EXPECT_THAT(manifest.files, SizeIs(1)) << "a report is no file of the export";
  EXPECT_THAT(manifest.errors, SizeIs(kErrorsKept));
  EXPECT_EQ(manifest.errors[0].classification, "unavailable");
  EXPECT_EQ(manifest.errors_left_out, 160);
  EXPECT_EQ(ChunkResultFromJson(RecordOf(job_id, 0))->errors_left_out, 160);
  const std::string published = "out/" + job_id + "/report.csv";
  EXPECT_EQ(*storage::ReadWhole(objects_, published), "report of 0\nreport of 1\nreport of 2\n");
  EXPECT_THAT(Verify(objects_, "out/" + job_id, nullptr, {})->problems, IsEmpty());

  ASSERT_TRUE(storage::PutWhole(objects_, published, "report of nobody\n").has_value());
  EXPECT_FALSE(Verify(objects_, "out/" + job_id, nullptr, {})->problems.empty());
}

TEST_F(RecordedResultTest, TheErrorsOfAChunkWithoutAReportAreAllInTheManifest) {
  lines_->report = "report.csv";
  lines_->reports_from = 1;
  lines_->errors = Errors(250, 10);
  const std::string job_id = Submit();
  WorkOff();
  const Manifest manifest = ManifestOf(job_id);
  ASSERT_THAT(manifest.reports, SizeIs(1));
  EXPECT_THAT(manifest.errors, SizeIs(260));
  EXPECT_EQ(manifest.errors_left_out, 0);
}

TEST_F(RecordedResultTest, AFileMayNotHaveTheNameOfTheManifest) {
  lines_->report = Manifest::kName;
  const std::string job_id = Submit();
  WorkOff();
  const Job job = *store_.Get(job_id);
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_THAT(job.failure->message, HasSubstr("a file of the export is named manifest.json"));
  EXPECT_THAT(Published(job_id), IsEmpty());
}

TEST_F(RecordedResultTest, AReportStandsBesideTheManifestWhereverTheFilesAre) {
  lines_->publishes_at_once = true;
  lines_->report = "report.csv";
  const std::string job_id = Submit();
  WorkOff();
  ASSERT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
  const Manifest manifest = ManifestOf(job_id);
  EXPECT_EQ(manifest.levels_up, 2);
  EXPECT_EQ(manifest.reports.at(0).name, "report.csv");
  EXPECT_THAT(Verify(objects_, "out/" + job_id, nullptr, {})->problems, IsEmpty());
}

TEST_F(RecordedResultTest, AReportMayNotHaveTheNameOfAFile) {
  lines_->report = "lines.txt";
  const std::string job_id = Submit();
  WorkOff();
  const Job job = *store_.Get(job_id);
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_THAT(job.failure->message, HasSubstr("two files of the export are named lines.txt"));
}

}  // namespace
}  // namespace spillway::engine
