#include <gmock/gmock.h>

#include "engine/acts_fixture.h"
#include "manifest/manifest.h"
#include "staging/outcome.h"
#include "storage/forwarding_store.h"
#include "storage/objects.h"

namespace spillway::engine {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

/// Does what a test says just before a manifest is put.
class RacingStore final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  std::function<void(std::string_view key)> before_manifest = [](std::string_view) {};

  Result<std::unique_ptr<storage::ObjectWriter>> Create(std::string_view key,
                                                        storage::Overwrite overwrite) override {
    if (key.ends_with(Manifest::kName)) before_manifest(key);
    return store_.Create(key, overwrite);
  }
};

/// Jobs of states that share a destination.
class NamesTest : public ActsTest {
 protected:
  NamesTest() { own_recipes_.Add(std::make_unique<LinesRecipe>(racing_)); }

  std::string ManifestKey(const std::string& job_id) { return "out/" + job_id + "/manifest.json"; }

  RacingStore racing_{objects_};
  recipe::Recipes own_recipes_;
  Context racing_context_{.store = store_,
                          .queue = queue_,
                          .recipes = own_recipes_,
                          .clock = clock_,
                          .log = log_,
                          .options = options_,
                          .owner = "worker",
                          .heartbeat = heartbeat_,
                          .stagings = stagings_};
};

TEST_F(NamesTest, O1EqualRequestsInTwoStatesAreJobsOfTwoNames) {
  store::MemoryDatabase other_database;
  store::MemoryStore other_store(other_database, clock_);
  Engine other(other_store, queue_, recipes_, options_, Random(2));
  const recipe::Request request{
      .export_name = "lines", .who = {.organisation = "t"}, .parameters = "1"};
  const Job one = engine_.Submit("lines", request, false)->job;
  const Job two = other.Submit("lines", request, false)->job;
  EXPECT_EQ(one.task_id, two.task_id);
  EXPECT_NE(one.id, two.id);
  EXPECT_THAT(one.id, MatchesRegex("[0-9a-f]{16}-1"));
  EXPECT_EQ(engine_.Submit("lines", request, false)->job.id, one.id) << "the one that stands";
  const Job next = engine_.Submit("lines", request, true)->job;
  EXPECT_THAT(next.id, MatchesRegex("[0-9a-f]{16}-2"));
  EXPECT_NE(next.id.substr(0, 16), one.id.substr(0, 16));
}

TEST_F(NamesTest, O1AManifestThatIsThereAlreadyIsNotOverwrittenAndNoFileIs) {
  const std::string job_id = Submit();
  const std::string file = "out/" + job_id + "/lines.txt";
  ASSERT_TRUE(storage::PutWhole(objects_, ManifestKey(job_id), "another's").has_value());
  ASSERT_TRUE(storage::PutWhole(objects_, file, "another's").has_value());
  WorkOff();
  const Job job = *store_.Get(job_id);
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_EQ(job.failure->code, ErrorCode::kConflict);
  EXPECT_THAT(job.failure->message, HasSubstr("Nothing was overwritten; run the export again"));
  EXPECT_EQ(*storage::ReadWhole(objects_, ManifestKey(job_id)), "another's");
  EXPECT_EQ(*storage::ReadWhole(objects_, file), "another's");
}

TEST_F(NamesTest, O1OfTwoManifestsThatComeAtOnceTheFirstStands) {
  const std::string job_id = Submit();
  racing_.before_manifest = [this](std::string_view key) {
    static_cast<void>(storage::PutWhole(objects_, key, "another's", storage::Overwrite::kNever));
  };
  Worker worker(racing_context_);
  KnownJobs known;
  for (int step = 0; step < 50; ++step) static_cast<void>(worker.Step(random_, known));
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kFailed);
  EXPECT_EQ(store_.Get(job_id)->failure->code, ErrorCode::kConflict);
  EXPECT_EQ(*storage::ReadWhole(objects_, ManifestKey(job_id)), "another's");
}

TEST_F(NamesTest, O1AJobFindsItsOwnManifestAndGoesOn) {
  const std::string job_id = Submit();
  racing_.before_manifest = [&](std::string_view key) {
    // Whoever held the lease before comes first, with what was decided.
    for (const std::string& staged : Staged(job_id)) {
      if (staged.find("outcome-") == std::string::npos) continue;
      const Outcome decided = *OutcomeFromJson(*storage::ReadWhole(objects_, staged));
      static_cast<void>(storage::PutWhole(objects_, key, decided.manifest));
    }
  };
  Worker worker(racing_context_);
  KnownJobs known;
  for (int step = 0; step < 50; ++step) static_cast<void>(worker.Step(random_, known));
  EXPECT_EQ(store_.Get(job_id)->state, JobState::kSucceeded);
  EXPECT_TRUE(ReadManifest(objects_, "out/" + job_id).has_value());
}

}  // namespace
}  // namespace spillway::engine
