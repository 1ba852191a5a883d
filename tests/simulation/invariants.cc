#include "simulation/invariants.h"

#include <algorithm>

#include "job/state_machine.h"
#include "manifest/manifest.h"
#include "simulation/rows_recipe.h"
#include "staging/outcome.h"
#include "staging/staging.h"

namespace spillway::simulation {

using engine::Job;
using engine::JobPhase;
using engine::JobState;

namespace {

constexpr std::string_view kPublished = "out/";
constexpr std::string_view kStaged = ".spillway/";
constexpr size_t kAll = 100'000;

/// Whether the source's defects, a lost disk or too many faults in a row can end a job with this.
/// Everything else would be the engine's own doing.
bool IsExcuse(const Error& failure) {
  return failure.code == ErrorCode::kInvalidArgument || failure.code == ErrorCode::kCorrupt ||
         failure.code == ErrorCode::kUnavailable ||
         failure.message.ends_with("an unexpected exception: the source throws");
}

}  // namespace

void Invariants::Violate(std::string what) {
  if (!violation_.has_value()) violation_ = std::move(what);
}

Invariants::JobBook& Invariants::BookOf(std::string_view job_id) {
  return books_[std::string(job_id)];
}

void Invariants::Created(const store::Created& created, bool fresh) {
  const Job& job = created.job;
  if (fresh && !created.created) Violate("E2: a fresh run of " + job.id + " was not made");
  if (!created.created) {
    if (!job.stands()) Violate("E2: a request was answered with " + job.id + ", which is over");
    return;
  }
  if (books_.contains(job.id)) Violate("E2: the run " + job.id + " was made twice");
  for (const auto& [id, book] : books_) {
    const bool newest = book.job.run == job.run - 1;
    if (!fresh && book.job.task_id == job.task_id && newest && book.job.stands()) {
      Violate("E2: " + job.id + " was made although " + id + " stands");
    }
  }
  JobBook& book = BookOf(job.id);
  book.job = job;
  book.number = static_cast<int64_t>(jobs_.size());
  jobs_.push_back(job.id);
  CheckHistory(job);
}

void Invariants::Fired(const store::Firing& firing, const store::Fired& fired) {
  if (!fired.applied) return;
  if (!firing.after) {
    if (schedule_begun_) Violate("E10: the schedule was begun twice");
    schedule_begun_ = firing.until;
    return;
  }
  const Timestamp settled = ticks_.empty() ? *schedule_begun_ : ticks_.back();
  if (*firing.after != settled) Violate("E10: a tick was fired by somebody who missed another");
  if (!fired.job) return Violate("E10: a tick was passed over");
  ticks_.push_back(firing.until);
  Created({.job = *fired.job, .created = true}, true);
}

Invariants::InFlight Invariants::InFlightOf(std::string_view group, std::string_view tenant) const {
  InFlight in_flight;
  for (const auto& [id, book] : books_) {
    if (book.job.group != group || book.job.tenant != tenant ||
        book.job.state != JobState::kProcessing)
      continue;
    in_flight.bytes += book.job.bytes_planned;
    ++in_flight.jobs;
  }
  return in_flight;
}

/// As the books stand, the job is pending still.
void Invariants::Admitted(const Job& job) {
  const InFlight of_its_tenant = InFlightOf(job.group, job.tenant);
  for (const auto& [id, book] : books_) {
    if (book.job.group != job.group || book.job.state != JobState::kPending || id == job.id)
      continue;
    const InFlight of_other = InFlightOf(job.group, book.job.tenant);
    if (of_other < of_its_tenant ||
        (of_other == of_its_tenant && book.number < BookOf(job.id).number)) {
      Violate("E3: " + job.id + " was let in before " + id);
    }
  }
  JobChanged(job.id);
}

void Invariants::CheckToken(LeaseBook& lease, std::string_view owner, int64_t token,
                            Timestamp expires_at, const std::string& what) {
  const Timestamp now = clock_.Now();
  if (token <= lease.token) Violate("E4: the token of " + what + " did not grow");
  if (!lease.owner.empty() && lease.owner != owner && lease.expires_at > now) {
    Violate("E4: " + what + " was given to " + std::string(owner) + " while " + lease.owner +
            " held it");
  }
  lease = {.owner = std::string(owner),
           .token = token,
           .expires_at = expires_at,
           .acquired_at = now,
           .settled_token = lease.settled_token};
}

void Invariants::Acquired(const Job& job) {
  CheckToken(BookOf(job.id).lease, job.lease_owner, job.lease_token, job.lease_expires_at, job.id);
  if (job.state != JobState::kProcessing) Violate("E4: the lease of an idle job was given");
  JobChanged(job.id);
}

void Invariants::Updated(const engine::Lease& lease, const Job& job) {
  LeaseBook& book = BookOf(lease.job_id).lease;
  if (lease.token != book.token || lease.owner != book.owner) {
    Violate("E4: " + lease.owner + " changed " + lease.job_id + " although it had lost its lease");
  }
  if (job.lease_owner.empty()) book.owner.clear();
  JobChanged(lease.job_id);
}

void Invariants::Claimed(const engine::Chunk& chunk) {
  const std::string what = chunk.job_id + "/" + std::to_string(chunk.index);
  CheckToken(BookOf(chunk.job_id).chunk_leases[chunk.index], chunk.lease_owner, chunk.lease_token,
             chunk.lease_expires_at, what);
  JobChanged(chunk.job_id);
}

void Invariants::Settled(const store::Settlement& settlement, const store::Settled& settled) {
  if (!settled.applied) return;
  const engine::Lease& lease = settlement.lease;
  const std::string what = lease.job_id + "/" + std::to_string(lease.chunk);
  LeaseBook& book = BookOf(lease.job_id).chunk_leases[lease.chunk];
  if (lease.token != book.token || lease.owner != book.owner) {
    Violate("E4: " + lease.owner + " settled " + what + " although it had lost its lease");
  }
  if (book.settled_token == lease.token) Violate("E4: " + what + " was settled twice");
  book.settled_token = lease.token;
  book.owner.clear();
  JobChanged(lease.job_id);
}

void Invariants::Renewed(const engine::Lease& lease, bool held) {
  if (!held) return;
  JobBook& job = BookOf(lease.job_id);
  LeaseBook& book = lease.chunk == engine::Lease::kJob ? job.lease : job.chunk_leases[lease.chunk];
  if (lease.token != book.token) Violate("E4: a lost lease of " + lease.job_id + " was renewed");
  book.expires_at = clock_.Now() + options_.lease;
  JobChanged(lease.job_id);
}

void Invariants::JobChanged(std::string_view job_id) {
  Result<Job> job = store_.Get(job_id);
  if (!job.has_value()) {
    Violate("the store lost " + std::string(job_id));
    return;
  }
  JobBook& book = BookOf(job_id);
  CheckStep(book, *job);
  CheckExpiry(book.job, *job);
  const bool moved = book.job.state != job->state;
  book.job = *job;
  if (!moved) return;
  CheckHistory(*job);
  CheckGroup(job->group);
  succeeded_ += job->state == JobState::kSucceeded ? 1 : 0;
  if (engine::IsFinal(job->state)) CheckFinal(book, *job);
}

void Invariants::CheckStep(JobBook& book, const Job& job) {
  const Job& before = book.job;
  if (job.state != before.state && !engine::IsLegal(before.state, job.state)) {
    Violate("E1: " + job.id + " went from " + std::string(Name(before.state)) + " to " +
            std::string(Name(job.state)));
  }
  const bool redriven = before.state == JobState::kFailed && job.state == JobState::kPending;
  if (!redriven && job.phase < before.phase) Violate("E1: the phase of " + job.id + " went back");
  if (engine::IsFinal(job.state) != job.finished_at.has_value()) {
    Violate("E1: the finishing time of " + job.id + " does not go with its state");
  }
  if (job.phase == JobPhase::kCompleted) {
    if (!job.counts.Reconciled()) Violate("E9: " + job.id + " was decided without reconciling");
    if (job.cancel_requested_at) Violate("E6: " + job.id + " was decided and is to be cancelled");
    if (before.phase == JobPhase::kCompleted && before.outcome != job.outcome) {
      Violate("E9: the outcome of " + job.id + " changed");
    }
  }
}

void Invariants::CheckExpiry(const Job& before, const Job& job) {
  if (!job.expiry) {
    if (before.expiry) Violate("E11: the expiry of " + job.id + " was forgotten");
    return;
  }
  if (!engine::IsFinal(job.state)) Violate("E11: " + job.id + " expires, but is not over");
  if (before.expiry && (before.expiry->objects != job.expiry->objects ||
                        before.expiry->bytes != job.expiry->bytes)) {
    Violate("E11: the figures of the expiry of " + job.id + " changed");
  }
  const bool ends = job.expiry->ended_at && !(before.expiry && before.expiry->ended_at);
  if (ends) CheckNothingPublished(job);
}

void Invariants::CheckHistory(const Job& job) {
  const auto history = store_.History(job.id);
  std::optional<JobState> at;
  int64_t sequence = 0;
  for (const engine::Transition& step : *history) {
    if (step.sequence != ++sequence || step.from != at) {
      Violate("E1: the history of " + job.id + " has a gap at " + std::to_string(sequence));
    }
    if (at.has_value() && !engine::IsLegal(*at, step.to)) {
      Violate("E1: an illegal step in the history of " + job.id);
    }
    if (step.cause.empty() || step.actor.empty()) {
      Violate("E1: a step of " + job.id + " without actor or cause");
    }
    at = step.to;
  }
  if (at != job.state) Violate("E1: the history of " + job.id + " does not end in its state");
}

void Invariants::CheckGroup(const std::string& group) {
  int64_t processing = 0;
  for (const auto& [id, book] : books_) {
    processing += book.job.group == group && book.job.state == JobState::kProcessing ? 1 : 0;
  }
  if (processing > options_.ParallelMax(group))
    Violate("E3: too many jobs of " + group + " at once");
}

void Invariants::CheckFinal(JobBook& book, const Job& job) {
  switch (job.state) {
    case JobState::kSucceeded:
      CheckSucceeded(job);
      CheckPublished(book, job);
      CheckStagedIsGone(book, job);
      break;
    case JobState::kCancelled:
      CheckNothingPublished(job);
      if (!job.failure.has_value()) CheckStagedIsGone(book, job);
      if (job.started_at.has_value() && !engine::ReceiptFromJson(job.outcome).has_value()) {
        Violate("E6: " + job.id + " was cancelled without a receipt");
      }
      break;
    case JobState::kFailed:
      if (!job.failure.has_value()) Violate("E1: " + job.id + " failed without a cause");
      if (job.cancel_requested_at) Violate("E6: " + job.id + " was to be cancelled, but failed");
      if (job.failure.has_value() && !IsExcuse(*job.failure)) {
        Violate("E5: " + job.id + " failed without need: " + job.failure->message);
      }
      if (job.phase < JobPhase::kCompleted) CheckNothingPublished(job);
      break;
    case JobState::kPending:
    case JobState::kProcessing:
      break;
  }
}

void Invariants::CheckSucceeded(const Job& job) {
  if (job.phase != JobPhase::kCompleted) Violate("E1: " + job.id + " succeeded undecided");
  if (!healed_ && source_.Of(job.parameters).IsBroken()) {
    Violate("E9: " + job.id + " succeeded although its source was broken");
  }
  if (job.counts != Source::CountsOf(source_.Of(job.parameters), RowsRecipe::VersionOf(job))) {
    Violate("E9: the counts of " + job.id + " are not those of its source");
  }
}

void Invariants::CheckNothingPublished(const Job& job) {
  const auto published = disk_.List(RowsRecipe::DirectoryOf(job.id) + "/", "", kAll);
  if (!published->empty()) {
    Violate("E4: " + job.id + " is " + std::string(Name(job.state)) + ", but " +
            published->front().key + " is published");
  }
}

/// What was staged before the closing act began is to be gone; what workers that had lost their
/// leases stage later, the cleaner finds.
void Invariants::CheckStagedIsGone(const JobBook& book, const Job& job) {
  if (book.lease.token == 0) return;
  const auto staged = disk_.List(engine::Staging::PrefixOf(job.id), "", kAll);
  for (const storage::ObjectInfo& object : *staged) {
    if (staged_[object.key] < book.lease.acquired_at) {
      Violate("E6: " + job.id + " is " + std::string(Name(job.state)) + ", but left " + object.key);
    }
  }
}

void Invariants::ObjectChanged(const std::string& key) {
  if (key.starts_with(kStaged)) {
    staged_[key] = clock_.Now();
    return;
  }
  if (!key.starts_with(kPublished)) {
    Violate("an object in a strange place: " + key);
    return;
  }
  const std::string_view below = std::string_view(key).substr(kPublished.size());
  const std::string_view job_id = below.substr(0, below.find('/'));
  const Result<Job> job = store_.Get(job_id);
  const bool decided = job.has_value() && job->phase == JobPhase::kCompleted;
  if (!decided && !disk_.Head(key)->has_value()) return;
  if (!decided) {
    Violate("E4: " + key + " was published before the commit point");
    return;
  }
  CheckPublished(BookOf(job_id), *job);
}

void Invariants::CheckPublished(JobBook& book, const Job& job) {
  const std::string directory = RowsRecipe::DirectoryOf(job.id) + "/";
  const std::string key = directory + std::string(engine::Manifest::kName);
  if (!disk_.Head(key)->has_value()) {
    if (job.expiry) return;
    if (!book.manifest.empty()) Violate("E9: the manifest of " + job.id + " went away");
    if (job.state == JobState::kSucceeded) Violate("E9: " + job.id + " succeeded unpublished");
    return;
  }
  // A finisher that slept through all of it publishes once more, and takes it back.
  if (job.expiry && job.expiry->ended_at) return;
  const std::string text = disk_.Read(key);
  if (book.manifest.empty()) book.manifest = text;
  if (book.manifest != text) Violate("E9: " + job.id + " has a second manifest");
  const auto files = Source::FilesOf(source_.Of(job.parameters), RowsRecipe::VersionOf(job));
  for (const auto& [name, bytes] : files) {
    if (disk_.Read(directory + name) != bytes) {
      Violate("E9: " + directory + name + " is not what the source holds");
    }
  }
  CheckManifest(job, text);
}

void Invariants::CheckManifest(const Job& job, const std::string& text) {
  const SourceTask& task = source_.Of(job.parameters);
  const int version = RowsRecipe::VersionOf(job);
  const Result<engine::Manifest> manifest = engine::ManifestFromJson(text);
  if (!manifest.has_value()) {
    Violate("E9: " + job.id + ": " + manifest.error().message);
    return;
  }
  if (manifest->counts != Source::CountsOf(task, version)) {
    Violate("E9: the manifest of " + job.id + " does not count what the source holds");
  }
  if (manifest->job_id != job.id || manifest->source != job.plan ||
      manifest->parameters != job.parameters) {
    Violate("E9: the manifest of " + job.id + " is of something else");
  }
  const auto files = Source::FilesOf(task, version);
  if (manifest->files.size() != files.size()) {
    Violate("E9: the manifest of " + job.id + " does not list its files");
  }
  for (const engine::ManifestFile& file : manifest->files) {
    uint64_t offset = 0;
    for (const engine::ManifestPart& part : file.parts) {
      const auto bytes = files.contains(file.name) ? files.at(file.name) : std::string();
      const std::string_view run =
          std::string_view(bytes).substr(std::min(offset, bytes.size()), part.bytes);
      if (ToHex(Sha256Of(run)) != part.sha256) {
        Violate("E9: a digest in the manifest of " + job.id + " is wrong");
      }
      offset += part.bytes;
    }
  }
  CheckReports(job, *manifest);
  const auto tallied = manifest->tallies.find("rows");
  const int64_t rows = tallied == manifest->tallies.end() ? 0 : tallied->second;
  if (rows != manifest->counts.planned) {
    Violate("E9: the tallies of " + job.id + " do not count what the source holds");
  }
  const auto left_out = std::ranges::count_if(
      manifest->errors,
      [](const engine::ErrorRecord& error) { return error.key.starts_with("chunk"); });
  const int64_t cut = static_cast<int64_t>(manifest->errors.size()) - left_out;
  if (cut == 0 && left_out != manifest->counts.excluded + manifest->counts.failed) {
    Violate("E9: the manifest of " + job.id + " does not list what it leaves out");
  }
}

void Invariants::CheckReports(const Job& job, const engine::Manifest& manifest) {
  const SourceTask& task = source_.Of(job.parameters);
  const bool expected = task.report && !task.chunks.empty();
  if (manifest.reports.size() != (expected ? 1 : 0)) {
    Violate("E9: the manifest of " + job.id + " does not list its report");
    return;
  }
  if (!expected) return;
  const std::string report = disk_.Read(RowsRecipe::DirectoryOf(job.id) + "/" + kReportName);
  if (report != Source::ReportOf(task, RowsRecipe::VersionOf(job))) {
    Violate("E9: the report of " + job.id + " does not say what became of its rows");
  }
  if (manifest.reports[0].bytes != report.size()) {
    Violate("E9: the manifest of " + job.id + " has another report");
  }
}

void Invariants::AtRest(int64_t queue_depth) {
  for (const std::string& id : jobs_) {
    const Job job = *store_.Get(id);
    if (!engine::IsFinal(job.state)) {
      Violate("liveness: " + id + " is still " + std::string(Name(job.state)) + ", " +
              std::string(Name(job.phase)));
    }
    const auto staged = disk_.List(engine::Staging::PrefixOf(id), "", kAll);
    if (job.expiry && job.expiry->ended_at) CheckNothingPublished(job);
    if ((job.state != JobState::kFailed || job.expiry) && !staged->empty()) {
      Violate("E6: " + staged->front().key + " was left behind");
    }
    if (engine::IsFinal(job.state)) CheckFinal(BookOf(id), job);
  }
  if (queue_depth != 0) Violate("the queue holds messages that nobody needs");
}

}  // namespace spillway::simulation
