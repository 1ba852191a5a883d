#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/signing.h"
#include "engine/options.h"
#include "job/job.h"
#include "manifest/manifest.h"
#include "simulation/disk.h"
#include "simulation/source.h"
#include "store/job_store.h"

namespace spillway::simulation {

/// What has to hold after every step. It looks at the store and the disk themselves, and keeps its
/// own books of leases, so that no double between the engine and them can hide anything.
class Invariants {
 public:
  Invariants(store::JobStore& store, Disk& disk, Source& source, Clock& clock,
             const engine::Options& options)
      : store_(store), disk_(disk), source_(source), clock_(clock), options_(options) {}

  // What a store answered, told right after it happened.
  void Created(const store::Created& created, bool fresh);
  void Admitted(const engine::Job& job);
  void Acquired(const engine::Job& job);
  void Updated(const engine::Lease& lease, const engine::Job& job);
  void Claimed(const engine::Chunk& chunk);
  void Settled(const store::Settlement& settlement, const store::Settled& settled);
  void Renewed(const engine::Lease& lease, bool held);
  void JobChanged(std::string_view job_id);
  void Fired(const store::Firing& firing, const store::Fired& fired);

  /// What the disk did.
  void ObjectChanged(const std::string& key);

  /// What was broken in the source is so no more.
  void Healed() { healed_ = true; }

  /// When everything has come to rest: `idle` says what is left to do.
  void AtRest(int64_t queue_depth);

  void Violate(std::string what);
  const std::optional<std::string>& violation() const { return violation_; }

  /// When the schedule was begun, and the ticks that were fired, in order.
  std::optional<Timestamp> schedule_begun() const { return schedule_begun_; }
  const std::vector<Timestamp>& ticks() const { return ticks_; }

  /// Every job that was created, in that order.
  const std::vector<std::string>& jobs() const { return jobs_; }
  size_t succeeded() const { return succeeded_; }

 private:
  struct LeaseBook {
    std::string owner;
    int64_t token = 0;
    Timestamp expires_at;
    Timestamp acquired_at;
    int64_t settled_token = -1;
  };

  struct JobBook {
    engine::Job job;  ///< As last seen.
    int64_t number = 0;
    LeaseBook lease;
    std::map<int64_t, LeaseBook> chunk_leases;
    std::string manifest;  ///< The first content that was published.
  };

  /// What a tenant has in processing.
  struct InFlight {
    int64_t bytes = 0;
    int64_t jobs = 0;
    auto operator<=>(const InFlight&) const = default;
  };

  JobBook& BookOf(std::string_view job_id);
  InFlight InFlightOf(std::string_view group, std::string_view tenant) const;
  void CheckStep(JobBook& book, const engine::Job& job);
  void CheckHistory(const engine::Job& job);
  void CheckFinal(JobBook& book, const engine::Job& job);
  void CheckSucceeded(const engine::Job& job);
  void CheckNothingPublished(const engine::Job& job);
  void CheckStagedIsGone(const JobBook& book, const engine::Job& job);
  void CheckPublished(JobBook& book, const engine::Job& job);
  void CheckManifest(const engine::Job& job, const std::string& text);
  void CheckReports(const engine::Job& job, const engine::Manifest& manifest);
  void CheckExpiry(const engine::Job& before, const engine::Job& job);
  void CheckGroup(const std::string& group);
  void CheckToken(LeaseBook& lease, std::string_view owner, int64_t token, Timestamp expires_at,
                  const std::string& what);

  store::JobStore& store_;
  Disk& disk_;
  Source& source_;
  Clock& clock_;
  const engine::Options& options_;
  bool healed_ = false;
  size_t succeeded_ = 0;
  std::vector<std::string> jobs_;
  std::map<std::string, JobBook, std::less<>> books_;
  std::optional<Timestamp> schedule_begun_;
  std::vector<Timestamp> ticks_;
  std::map<std::string, Timestamp> staged_;  ///< When each staged object was last written.
  std::optional<std::string> violation_;
};

}  // namespace spillway::simulation
