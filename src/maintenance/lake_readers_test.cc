#include "maintenance/lake_readers.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "recipe/recipe.h"
#include "store/memory/memory_store.h"

namespace spillway::engine {
namespace {

constexpr std::chrono::seconds kLease{30};
constexpr std::string_view kOfLake = "of_lake";

/// Only says what it reads.
class NamedRecipe final : public recipe::Recipe {
 public:
  NamedRecipe(std::string_view name, bool reads_lake) : name_(name), reads_lake_(reads_lake) {}

  std::string_view name() const override { return name_; }
  bool reads_lake() const override { return reads_lake_; }
  Result<recipe::CanonicalRequest> Canonicalise(const recipe::Request&) const override {
    return spillway::Fail(ErrorCode::kUnsupported, "nobody asks");
  }
  Result<recipe::Destination> DestinationOf(const Job&) const override {
    return spillway::Fail(ErrorCode::kUnsupported, "nobody asks");
  }
  Result<recipe::Survey> Look(const std::string&, const recipe::CanonicalRequest&,
                              std::stop_token) const override {
    return spillway::Fail(ErrorCode::kUnsupported, "nobody asks");
  }
  Result<recipe::Planned> MakePlan(const Job&, recipe::Planning&, std::stop_token) const override {
    return spillway::Fail(ErrorCode::kUnsupported, "nobody asks");
  }
  Result<recipe::ChunkOutcome> Process(const Job&, const Chunk&, Staging&, recipe::Progress&,
                                       std::stop_token) const override {
    return spillway::Fail(ErrorCode::kUnsupported, "nobody asks");
  }
  Result<recipe::Assembly> Assemble(const Job&, std::vector<Part>, Staging&,
                                    std::stop_token) const override {
    return spillway::Fail(ErrorCode::kUnsupported, "nobody asks");
  }

 private:
  const std::string_view name_;
  const bool reads_lake_;
};

class LakeReadersTest : public testing::Test {
 protected:
  LakeReadersTest() {
    recipes_.Add(std::make_unique<NamedRecipe>(kOfLake, true));
    recipes_.Add(std::make_unique<NamedRecipe>("query_export", false));
  }

  /// A job that was let in.
  std::string Begin(const std::string& task, std::string_view recipe = kOfLake) {
    Job job;
    job.id = job.task_id = job.group = task;
    job.recipe = recipe;
    const std::string id = jobs_.Create(job, false)->job.id;
    EXPECT_TRUE(jobs_.Admit(task, 1)->has_value());
    return id;
  }

  Lease Hold(const std::string& id) {
    return {.job_id = id,
            .owner = "worker",
            .token = jobs_.AcquireJob(id, "worker", kLease)->lease_token};
  }

  std::string Planned(const std::string& task, const std::string& plan,
                      std::string_view recipe = kOfLake) {
    const std::string id = Begin(task, recipe);
    EXPECT_TRUE(jobs_.Update(Hold(id), {.phase = JobPhase::kProcessing, .plan = plan}));
    return id;
  }

  void Fail(const std::string& id) {
    EXPECT_TRUE(jobs_.Update(
        Hold(id), {.state = JobState::kFailed, .failure = Error{.message = "the disk is full"}}));
  }

  recipe::Recipes recipes_;
  ManualClock clock_;
  store::MemoryDatabase database_;
  store::MemoryStore jobs_{database_, clock_};
};

TEST_F(LakeReadersTest, NobodyReads) {
  const LakeReaders readers = *FindLakeReaders(jobs_, recipes_);
  EXPECT_EQ(readers.jobs, 0);
  EXPECT_EQ(readers.oldest_version, std::nullopt);
  EXPECT_EQ(readers.planning_since, std::nullopt);
}

TEST_F(LakeReadersTest, JobsUnderWayAndThoseThatCanBeRedrivenRead) {
  Planned("running", R"({"lake_version": 7})");
  EXPECT_EQ(FindLakeReaders(jobs_, recipes_)->oldest_version, 7);

  Fail(Planned("failed", R"({"lake_version": 5})"));
  EXPECT_EQ(FindLakeReaders(jobs_, recipes_)->oldest_version, 5);

  const std::string redriven = Planned("redriven", R"({"lake_version": 4})");
  Fail(redriven);
  EXPECT_TRUE(jobs_.Redrive(redriven, "ada"));
  EXPECT_EQ(FindLakeReaders(jobs_, recipes_)->oldest_version, 5)
      << "it has no chunks: it is planned again";

  const Timestamp before = clock_.Now();
  Begin("planning");
  clock_.Advance(kLease);
  Begin("planning too");
  const LakeReaders readers = *FindLakeReaders(jobs_, recipes_);
  EXPECT_EQ(readers.planning_since, before);
  EXPECT_EQ(readers.jobs, 4);
}

TEST_F(LakeReadersTest, JobsThatAreOverOrOfOtherRecipesDoNot) {
  Planned("query", R"({"lake_version": 1})", "query_export");

  const std::string expired = Planned("expired", R"({"lake_version": 2})");
  Fail(expired);
  EXPECT_TRUE(jobs_.BeginExpiry(*jobs_.Get(expired), 0, 0));

  const std::string decided = Planned("decided", R"({"lake_version": 3})");
  const Lease lease = Hold(decided);
  EXPECT_TRUE(jobs_.Update(lease, {.phase = JobPhase::kCompleted}));
  EXPECT_EQ(FindLakeReaders(jobs_, recipes_)->jobs, 0);
  EXPECT_TRUE(jobs_.Update(lease, {.state = JobState::kSucceeded}));
  EXPECT_EQ(FindLakeReaders(jobs_, recipes_)->jobs, 0);
}

TEST_F(LakeReadersTest, APlanThatDoesNotSayWhatItReadsKeepsEverything) {
  Planned("odd", "no JSON");
  EXPECT_EQ(FindLakeReaders(jobs_, recipes_)->oldest_version, 0);
}

}  // namespace
}  // namespace spillway::engine
