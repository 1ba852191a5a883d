/// The simulation has to be able to fail: with something broken in the engine's surroundings, it
/// does within a few seeds.
#include <array>
#include <functional>
#include <utility>

#include <gtest/gtest.h>

#include "simulation/world.h"
#include "storage/forwarding_store.h"
#include "store/forwarding_store.h"

namespace spillway::simulation {
namespace {

using engine::Job;
using engine::Lease;
using std::chrono::milliseconds;

/// Lets everybody change a job who ever held it.
class UnfencedJobs final : public store::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  Result<Job> Update(const Lease& lease, const store::JobUpdate& update) override {
    const Job job = TRY(store_.Get(lease.job_id));
    Lease forged = lease;
    forged.owner = job.lease_owner;
    forged.token = job.lease_token;
    return store_.Update(forged, update);
  }
};

/// Lets everybody settle a chunk who ever held it.
class UnfencedChunks final : public store::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  Result<std::vector<store::Settled>> Settle(
      std::span<const store::Settlement> settlements) override {
    std::vector<store::Settlement> forged(settlements.begin(), settlements.end());
    for (store::Settlement& one : forged) {
      const auto chunks =
          TRY(store_.ListChunks(one.lease.job_id, std::nullopt, one.lease.chunk - 1, 1));
      if (chunks.empty()) continue;
      one.lease.owner = chunks[0].lease_owner;
      one.lease.token = chunks[0].lease_token;
    }
    return store_.Settle(forged);
  }
};

/// Lets in one job more than it may.
class CrowdedStore final : public store::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  Result<std::optional<Job>> Admit(std::string_view group, int64_t parallel_max) override {
    return store_.Admit(group, parallel_max + 1);
  }
};

/// Gives a held job to whoever asks.
class GenerousStore final : public store::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  Result<Job> AcquireJob(std::string_view job_id, std::string_view owner,
                         milliseconds duration) override {
    const Job job = TRY(store_.Get(job_id));
    if (!job.lease_owner.empty()) {
      TRY(store_.Update({.job_id = job.id, .owner = job.lease_owner, .token = job.lease_token},
                        {.release = true}));
    }
    return store_.AcquireJob(job_id, owner, duration);
  }
};

/// Its writers publish what they have when they go.
class HastyStorage final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  Result<std::unique_ptr<storage::ObjectWriter>> Create(std::string_view key,
                                                        storage::Overwrite overwrite) override {
    return std::make_unique<Writer>(TRY(store_.Create(key, overwrite)));
  }

 private:
  class Writer final : public storage::ObjectWriter {
   public:
    explicit Writer(std::unique_ptr<ObjectWriter> writer) : writer_(std::move(writer)) {}
    ~Writer() override {
      if (!finished_) static_cast<void>(writer_->Finish());
    }
    Result<> Write(storage::Bytes bytes) override { return writer_->Write(bytes); }
    Result<storage::ObjectInfo> Finish() override {
      finished_ = true;
      return writer_->Finish();
    }

   private:
    std::unique_ptr<ObjectWriter> writer_;
    bool finished_ = false;
  };
};

/// Forgets the last run of every file it puts together.
class ShortStorage final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  Result<storage::ObjectInfo> Compose(std::string_view key,
                                      std::span<const storage::ObjectRange> ranges,
                                      std::stop_token) override {
    return store_.Compose(key, ranges.first(ranges.size() - std::min<size_t>(ranges.size(), 1)),
                          {});
  }
};

/// Says that bytes are safe which are not.
class ForgetfulStorage final : public storage::ForwardingStore {
 public:
  explicit ForgetfulStorage(storage::ObjectStore& store) : ForwardingStore(store, {.epoch = ""}) {}
};

/// The violation that the first of the seeds runs into; none when all pass.
std::string FirstViolation(const Doubles& doubles, uint64_t seeds) {
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const Outcome outcome = RunWorld({.seed = seed, .doubles = doubles});
    if (outcome.violation.has_value()) return *outcome.violation;
  }
  return "";
}

template <class Double, class Whole>
std::unique_ptr<Whole> Make(Whole& whole) {
  return std::make_unique<Double>(whole);
}

TEST(PlantedDoubles, AStoreThatDoesNotFenceJobs) {
  EXPECT_NE(FirstViolation({.store = Make<UnfencedJobs, store::JobStore>}, 1'000), "");
}

TEST(PlantedDoubles, AStoreThatDoesNotFenceChunks) {
  EXPECT_NE(FirstViolation({.store = Make<UnfencedChunks, store::JobStore>}, 1'000), "");
}

TEST(PlantedDoubles, AStoreThatLetsTooManyIn) {
  EXPECT_EQ(FirstViolation({.store = Make<CrowdedStore, store::JobStore>}, 200).substr(0, 2), "E3");
}

TEST(PlantedDoubles, AStoreThatGivesAHeldJobAway) {
  EXPECT_EQ(FirstViolation({.store = Make<GenerousStore, store::JobStore>}, 500).substr(0, 2),
            "E4");
}

TEST(PlantedDoubles, AStorageWhoseWritersPublishWhenTheyGo) {
  EXPECT_EQ(
      FirstViolation({.storage = Make<HastyStorage, storage::ObjectStore>}, 1'000).substr(0, 2),
      "E9");
}

TEST(PlantedDoubles, AStorageThatPublishesShortFiles) {
  EXPECT_EQ(FirstViolation({.storage = Make<ShortStorage, storage::ObjectStore>}, 20).substr(0, 2),
            "E9");
}

TEST(PlantedDoubles, AStorageThatLosesWhatItSaidWasSafe) {
  EXPECT_NE(FirstViolation({.storage = Make<ForgetfulStorage, storage::ObjectStore>}, 2'000), "");
}

TEST(PlantedDoubles, NothingBrokenNothingFound) { EXPECT_EQ(FirstViolation({}, 50), ""); }

TEST(World, TheSeedAloneDecidesWhatHappens) {
  const auto events_of = [](uint64_t seed) {
    std::string events;
    RunWorld({.seed = seed, .trace = [&](std::string_view process, const std::string& event) {
                events.append(process).append(" ").append(event).append("\n");
              }});
    return events;
  };
  for (uint64_t seed = 1; seed <= 5; ++seed) EXPECT_EQ(events_of(seed), events_of(seed));
  EXPECT_NE(events_of(1), events_of(2));
}

}  // namespace
}  // namespace spillway::simulation
