#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "job/job.h"

namespace spillway::store {

/// The answer to a request for a job.
struct Created {
  engine::Job job;
  /// False: the task's latest run is still valid, and this is it.
  bool created = false;
};

struct JobFilter {
  std::optional<std::string> export_name;
  std::optional<std::string> tenant;
  std::optional<engine::JobState> state;
};

/// Newest first.
struct JobPage {
  std::vector<engine::Job> jobs;
  std::string next_cursor;  ///< Empty on the last page.
};

struct NewChunk {
  int64_t index = 0;
  std::string spec;
  int64_t planned = 0;
};

/// The answer to a claim of chunks.
struct Claims {
  /// State kLeased, `attempts` and `lease_token` raised by one, no rows or bytes done; in the order
  /// of their indices.
  std::vector<engine::Chunk> chunks;
  /// The job is to be cancelled: it gives out no chunks any more.
  bool cancel_requested = false;
  /// If no chunk can be claimed now: when the pause of the first pending one ends. None when all
  /// open chunks are leased, or none is open.
  std::optional<Timestamp> again_at;
};

/// How the work on a leased chunk ended.
struct Settlement {
  enum class Kind {
    kSucceeded,  ///< `result` and `counts` are recorded; the job's sums grow.
    /// Back to pending, not before `not_before`; `failure` and `position` are kept.
    kRetry,
    kDead,  ///< Attempts are exhausted or the error is permanent; `failure` is kept.
    /// Given back (cancelled, shutting down, another process's): the attempt does not count. Back
    /// to pending, not before `not_before`; `position` is kept.
    kReleased,
    /// Too early: like kReleased, but what is asked about answers, so attempts begin again at 0.
    kPostponed,
  };
  engine::Lease lease;
  Kind kind = Kind::kReleased;
  std::string result;
  engine::Counts counts;
  std::optional<Error> failure;
  Timestamp not_before;
  /// Of ChunkProgress: where the next attempt goes on. If it is neither empty nor the one that is
  /// stored, the attempts before this one are forgiven.
  std::string position;
};

/// A lease that its holder still needs.
struct Renewal {
  engine::Lease lease;
  /// Of a chunk; replaces what was written before. An empty position leaves the one that is stored;
  /// another one forgives the attempts before this one.
  engine::ChunkProgress progress;
};

/// The answer to a settlement.
struct Settled {
  /// False: the lease was lost, or the job is final; nothing changed. True again, without any
  /// change, for a repeated kSucceeded or kDead: its lease ended the chunk in that way before.
  bool applied = false;
  /// If applied: how many chunks of the job were open after this settlement, in the order of the
  /// call. Exactly one settlement of a job gets 0, apart from repetitions of what was settled before.
  int64_t chunks_open = 0;
};

/// A succeeded chunk whose result cannot be used any more.
struct LostChunk {
  int64_t index = 0;
  engine::Counts counts;  ///< Those that its success added to the job's sums.
  Error cause;
};

/// A change of a job under its lease. Absent fields stay as they are. The store refuses kFinalizing
/// with open chunks; kCompleted with counts that do not reconcile or after a request to cancel;
/// kSucceeded before kCompleted, kFailed without `failure` or after a request to cancel,
/// kCancelled without one.
struct JobUpdate {
  /// Recorded as a Transition with `actor` and `cause`; kCancelled with those of the request.
  /// kSucceeded clears `failure`; so does kCancelled, unless the update brings one.
  std::optional<engine::JobState> state;
  /// A change sets `attempts` back to the current one, and clears `failure`, which was of the phase
  /// before, unless the update brings one.
  std::optional<engine::JobPhase> phase;
  std::optional<int64_t> planned;        ///< Counts::planned alone.
  std::optional<int64_t> bytes_planned;  ///< Job::bytes_planned.
  std::optional<int64_t> chunks_total;
  std::optional<engine::Counts> counts;
  std::optional<std::string> plan;
  std::optional<std::string> outcome;
  std::optional<Error> failure;
  bool release = false;  ///< Gives the lease up in the same step. Final states always do.
  std::string actor;
  std::string cause;
};

/// E10. A step of a schedule along its ticks.
struct Firing {
  std::string schedule;
  /// Up to where the schedule was settled when the caller looked; none: it had no record.
  std::optional<Timestamp> after;
  Timestamp until;  ///< Later than `after`: up to here it is settled from now on.
  /// The job to create, as a new run of its task, for the tick at `until`. None: no tick fires, and
  /// those up to `until` are passed over.
  std::optional<engine::Job> job;
  /// Why the job cannot be made: it is created as failed, with this, and never begins.
  std::optional<Error> failure;
};

/// What became of a firing.
struct Fired {
  bool applied = false;            ///< False: somebody else settled the schedule; nothing changed.
  std::optional<engine::Job> job;  ///< The run that was created.
};

/// What is kept of a schedule.
struct ScheduleRecord {
  std::string name;
  Timestamp settled_until;             ///< Ticks up to here were fired or passed over.
  std::optional<Timestamp> last_tick;  ///< The last that fired, and its job; none: none has.
  std::string last_job_id;
};

/// Which jobs are to expire.
struct ExpiryFilter {
  std::string export_name;
  engine::JobState state = engine::JobState::kSucceeded;  ///< A final one.
  Timestamp ended_before;                                 ///< Job::finished_at is earlier.
  Timestamp begun_before;  ///< Nobody has begun, or taken over, their expiry since.

  /// Only those after this job.
  struct After {
    Timestamp finished_at = Timestamp::min();
    std::string id;
  } after = {};
};

/// Which stalled jobs are to be looked at.
struct StalledFilter {
  Timestamp before;  ///< Nothing has touched them since.

  /// Only those after this job.
  struct After {
    Timestamp updated_at = Timestamp::min();
    std::string id;
  } after = {};
};

/// What one call of JobStore::AddChunks may have.
inline constexpr size_t kNewChunksMax = 1'000;
/// What MarkLost takes at once.
inline constexpr size_t kLostChunksMax = 90;

/// What one call of JobStore::Settle may have of one job.
inline constexpr size_t kSettlementsMax = 512;

/// The source of truth for jobs and chunks. Every write is conditional on a state or a fencing
/// token and touches at most 100 items (docs/adr/0003), so that SQL databases and DynamoDB can both
/// carry it. A lease whose time has passed is still held while nobody has taken it over: the newest
/// token decides, not the clock. Thread-safe; any number of processes may share one store. Time
/// comes from the Clock that the store was made with. Errors: kUnavailable (retryable) when the
/// database does not answer, kNotFound for an unknown job, kConflict for a condition that does not
/// hold; illegal transitions are kConflict and are refused by the database itself.
class JobStore {
 public:
  virtual ~JobStore() = default;

  /// E2. Creates a new run of `job.task_id` (run, state and times are filled in, and `-<run>` is
  /// appended to the id), unless `fresh` is false and the latest run is neither over nor to be
  /// cancelled. Durable on return. kInvalidArgument for a job without an id.
  virtual Result<Created> Create(const engine::Job& job, bool fresh) = 0;

  virtual Result<engine::Job> Get(std::string_view job_id) = 0;

  /// Newest first. Pages stand still while jobs are added: `cursor` is the last page's, or empty.
  virtual Result<JobPage> List(const JobFilter& filter, std::string_view cursor, size_t limit) = 0;
  virtual Result<std::vector<engine::Transition>> History(std::string_view job_id) = 0;

  /// E3. Moves a pending job of the group to processing, if fewer than `parallel_max` of the group
  /// are; none otherwise. Takes the job of the tenant whose jobs in processing, in this group, have
  /// the fewest bytes planned; of tenants with equally many, the one with the fewest such jobs; of
  /// tenants alike in both, and of the tenant's own jobs, the oldest job. A redriven job keeps its
  /// age.
  virtual Result<std::optional<engine::Job>> Admit(std::string_view group,
                                                   int64_t parallel_max) = 0;

  /// Takes the lease for a job-level act (plan, finalize, discard); raises `attempts` and the
  /// token. kConflict while another owner's is unexpired, and on jobs that are not in processing.
  virtual Result<engine::Job> AcquireJob(std::string_view job_id, std::string_view owner,
                                         std::chrono::milliseconds duration) = 0;

  /// E4. kConflict when the lease was lost or the change is illegal. A change to kCompleted or of
  /// state is durable on return.
  virtual Result<engine::Job> Update(const engine::Lease& lease, const JobUpdate& update) = 0;

  /// E6. Cancels a pending job at once. Marks a job in processing: no more chunks can be claimed,
  /// and `attempts` starts again, to count those at discarding it. A job that waits to be redriven
  /// is marked, too: its staged bytes are discarded once it is admitted. kConflict when the job is
  /// final or its outcome is decided (phase kCompleted).
  virtual Result<engine::Job> RequestCancel(std::string_view job_id, std::string_view actor,
                                            std::string_view cause) = 0;

  /// Adds chunks (at most kNewChunksMax a call) under the job's lease, before its phase is
  /// kProcessing; in one transaction, or several in a store whose transactions are small. A chunk
  /// with the same index is replaced: planning may be repeated, on a newer snapshot. Chunks with an
  /// index at or above `chunks_total`, left by an earlier plan, do not exist for any other call.
  virtual Result<> AddChunks(const engine::Lease& lease, std::span<const NewChunk> chunks) = 0;

  /// Claims chunks of the job, at most `limit` (up to kSettlementsMax), with an index above `after`
  /// that are pending with their pause over, or whose lease has expired: first those that never
  /// paused, then those whose pause ended first, each in the order of their indices. Claims made at
  /// the same time never share a chunk. Nothing for an unknown job, for one that is not in
  /// processing, not planned yet, or to be cancelled. kInvalidArgument without an owner. After
  /// kUnavailable chunks may be leased all the same; they are claimed again when these leases end.
  virtual Result<Claims> ClaimChunks(std::string_view job_id, int64_t after, size_t limit,
                                     std::string_view owner,
                                     std::chrono::milliseconds duration) = 0;

  /// Ends leased work, at most kSettlementsMax of one job; answers in order. May be repeated where
  /// an answer was lost. The settlements of each job are one durable transaction, or several in a
  /// store whose transactions are small. Finished work counts even if the job is to be cancelled;
  /// nothing is settled on a final job. kInvalidArgument for a result or position above
  /// engine::kChunkFieldBytesMax.
  virtual Result<std::vector<Settled>> Settle(std::span<const Settlement> settlements) = 0;

  /// Makes succeeded chunks (at most kLostChunksMax a call) dead, under the job's lease and before
  /// its commit point, so that a redrive repeats them: their results go, and their counts leave the
  /// job's sums. One that has not succeeded, as when this was done before, stays as it is. Durable on
  /// return. kConflict when the lease was lost or the outcome is decided.
  virtual Result<engine::Job> MarkLost(const engine::Lease& lease,
                                       std::span<const LostChunk> lost) = 0;

  /// Extends leases still held, of jobs in processing, and writes how far their work is; answers in
  /// order. False: the lease was lost and nothing was written, so its holder stops working.
  /// kInvalidArgument for a position above engine::kChunkFieldBytesMax.
  virtual Result<std::vector<bool>> Renew(std::span<const Renewal> renewals,
                                          std::chrono::milliseconds duration) = 0;

  /// Whether each job shall stop, in order: it is to be cancelled. Only reads. False for unknown
  /// jobs.
  virtual Result<std::vector<bool>> CancelRequested(std::span<const std::string> job_ids) = 0;

  /// Chunks of a job with an index above `after`, in order; `state` filters.
  virtual Result<std::vector<engine::Chunk>> ListChunks(std::string_view job_id,
                                                        std::optional<engine::ChunkState> state,
                                                        int64_t after, size_t limit) = 0;

  /// Redrive: a failed job goes back to pending; its failure is forgotten.
  /// kConflict unless failed. Its phase is
  ///   kCompleted still, when it failed after the commit point: only publication is left;
  ///   kProcessing, when its plan stands: dead chunks (all of them) are pending with no attempts,
  ///     succeeded ones stay; none may be open, then finalizing is what is left;
  ///   kInitializing, when it has no chunks: planning starts over.
  /// kConflict too once its expiry was begun: what it had staged is gone, or going; and for a job
  /// that never began.
  virtual Result<engine::Job> Redrive(std::string_view job_id, std::string_view actor) = 0;

  /// E7. How many jobs of its group have waited longer than this one; 0 for one that is not
  /// pending.
  virtual Result<int64_t> CountAhead(std::string_view job_id) = 0;

  /// E4. Jobs in processing that nothing has touched since `filter.before` and whose own lease is
  /// not held: the rescuer looks at them. In the order in which they were touched last, and then of
  /// their ids. Every call that changes the job, AddChunks, Settle and Renew touch it; claims do
  /// not. A job whose open chunks all wait for their time, or are leased, is not stalled, unless it
  /// is to be cancelled.
  virtual Result<std::vector<engine::Job>> Stalled(const StalledFilter& filter, size_t limit) = 0;

  /// Groups that have jobs pending that nothing has touched since `before`, in order of their
  /// names.
  virtual Result<std::vector<std::string>> WaitingGroups(Timestamp before) = 0;

  /// E10. Settles a schedule up to `firing.until` and puts its job, both or neither, provided that
  /// its record says `firing.after`: of any number of processes that saw a tick come, one fires it.
  /// Durable on return. kInvalidArgument unless `until` is later than `after`.
  virtual Result<Fired> Fire(const Firing& firing) = 0;

  /// All schedules that were ever settled, in order of their names.
  virtual Result<std::vector<ScheduleRecord>> Schedules() = 0;

  /// E11. Jobs whose expiry has not ended, in the order of their ends and then of their ids. Not
  /// those that failed before they began: they have left nothing.
  virtual Result<std::vector<engine::Job>> Expirable(const ExpiryFilter& filter, size_t limit) = 0;

  /// Begins the expiry of a final job, or takes it over; `objects` and `bytes` of the first
  /// beginning are kept. kConflict unless the job is as `seen` (state, finished_at, expiry), or
  /// when its expiry has ended. Durable on return.
  virtual Result<engine::Job> BeginExpiry(const engine::Job& seen, int64_t objects,
                                          int64_t bytes) = 0;

  /// Records that everything is removed, and when. Repeatable: the first time is kept. kConflict
  /// unless the expiry was begun.
  virtual Result<engine::Job> EndExpiry(std::string_view job_id) = 0;

  /// The id of the key that the manifests of these jobs are signed with; empty: none is recorded.
  virtual Result<std::string> SigningKeyId() = 0;

  /// Records another one, provided that the record says `known` (empty: none is recorded), and
  /// returns what is recorded then: of any number of processes that begin with no record, all get
  /// the id of the first. Durable on return. kInvalidArgument for an empty `key_id`.
  virtual Result<std::string> RecordSigningKey(std::string_view known, std::string_view key_id) = 0;
};

}  // namespace spillway::store
