#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

/// The records of the engine, as stores keep them.
namespace spillway::engine {

/// E1. pending → processing → succeeded | failed | cancelled; pending → cancelled; and, by redrive
/// only, failed → pending. Nothing else: see state_machine.h.
enum class JobState { kPending, kProcessing, kSucceeded, kFailed, kCancelled };

/// How far a job is. A job only moves forward, except that redrive sets it back. At kCompleted the
/// outcome is decided and recorded: from then on any worker may publish it, any number of times,
/// and it is too late to cancel the job.
enum class JobPhase { kInitializing, kDiscovering, kProcessing, kFinalizing, kCompleted };

enum class ChunkState { kPending, kLeased, kSucceeded, kDead };

std::string_view Name(JobState state);
std::string_view Name(JobPhase phase);
std::string_view Name(ChunkState state);
Result<JobState> JobStateFromName(std::string_view name);
Result<JobPhase> JobPhaseFromName(std::string_view name);
Result<ChunkState> ChunkStateFromName(std::string_view name);

inline bool IsFinal(JobState state) {
  return state != JobState::kPending && state != JobState::kProcessing;
}

/// The completion contract's sums, in rows (or objects). planned = written + excluded + failed.
struct Counts {
  int64_t planned = 0;  ///< What the source counted.
  int64_t written = 0;
  int64_t excluded = 0;  ///< Left out on purpose, with a listed reason.
  int64_t failed = 0;    ///< Each listed as an ErrorRecord.
  int64_t bytes = 0;     ///< Written, after compression.

  bool Reconciled() const { return planned == written + excluded + failed; }
  Counts& operator+=(const Counts& other);
  bool operator==(const Counts&) const = default;
};

/// A fenced right to work, for a time. Tokens of one job or chunk only grow: a holder whose token
/// is no longer the newest has lost the lease, and every conditional write of it fails with
/// kConflict.
struct Lease {
  std::string job_id;
  int64_t chunk = kJob;  ///< The chunk's index, or kJob.
  std::string owner;
  int64_t token = 0;
  Timestamp expires_at;

  static constexpr int64_t kJob = -1;
};

/// E11. The removal of an expired job's published files and of whatever it still has staged. The
/// record stays. Once begun, it can only be completed, and the job cannot be redriven any more.
struct Expiry {
  Timestamp begun_at;                 ///< When a process last began it or took it over.
  int64_t objects = 0;                ///< How many are to be removed, counted before any was.
  int64_t bytes = 0;                  ///< Of these objects.
  std::optional<Timestamp> ended_at;  ///< Set when everything is removed.
};

/// One run of an export.
struct Job {
  std::string id;       ///< `<16 random digits>-<run>`, unique in all databases (ADR 20).
  std::string task_id;  ///< E2: from export, tenant and canonical parameters.
  int64_t run = 1;      ///< 1, 2, …: runs of the same task.
  std::string export_name;
  std::string recipe;
  std::string tenant;
  std::string group;  ///< E3: parallel jobs are limited, and tenants take turns, within a group.
  std::string parameters;  ///< Canonical JSON.
  std::string requested_by;

  JobState state = JobState::kPending;
  JobPhase phase = JobPhase::kInitializing;
  Timestamp created_at;
  Timestamp updated_at;
  std::optional<Timestamp> started_at;   ///< A failed job without it never began.
  std::optional<Timestamp> finished_at;  ///< Set exactly in final states.
  std::optional<Timestamp> cancel_requested_at;

  int64_t bytes_planned = 0;  ///< Of the source, as the plan estimates them; 0 without a plan.
  int64_t chunks_total = 0;
  int64_t chunks_succeeded = 0;
  int64_t chunks_dead = 0;
  Counts counts;  ///< `planned` from the plan, the rest summed over succeeded chunks.
  int64_t attempts =
      0;  ///< Of the act under way, since the last change of phase or the request to cancel.
  std::string plan;  ///< The recipe's JSON: source snapshot, expectations. Empty before discovery.
  std::string outcome;  ///< JSON: manifest key and digest, or the receipt of a cancellation.
  std::optional<Error> failure;
  std::optional<Expiry> expiry;  ///< In final states only.

  std::string lease_owner;  ///< Of the job-level act under way; empty when free.
  int64_t lease_token = 0;
  Timestamp lease_expires_at;

  /// Whether a repeated request is answered with this run.
  bool stands() const { return !IsFinal(state) && !cancel_requested_at.has_value(); }

  /// Chunks that are neither succeeded nor dead.
  int64_t chunks_open() const { return chunks_total - chunks_succeeded - chunks_dead; }
};

/// One step of a job's history: recorded with every change of state, in the same transaction.
struct Transition {
  std::string job_id;
  int64_t sequence = 0;          ///< 1, 2, … within the job.
  std::optional<JobState> from;  ///< None: the job was created.
  JobState to = JobState::kPending;
  Timestamp at;
  std::string actor;
  std::string cause;
};

/// What a chunk's record may hold of its result, or of its position. A result that is longer stands
/// in an object of the stage, and the record has its key (docs/adr/0003).
inline constexpr size_t kChunkFieldBytesMax = 32 << 10;

/// How far the work on a chunk is, as told by whoever does it.
struct ChunkProgress {
  int64_t rows = 0;      ///< Done so far, of those planned.
  int64_t bytes = 0;     ///< Written so far.
  std::string position;  ///< The recipe's own: from where another attempt can go on; may be empty.
};

/// A unit of leased, retried work.
struct Chunk {
  std::string job_id;
  int64_t index = 0;
  ChunkState state = ChunkState::kPending;
  std::string spec;      ///< The recipe's JSON: what to do.
  int64_t planned = 0;   ///< Rows (or objects) the source counted for it.
  int64_t attempts = 0;  ///< Since its position advanced or it was postponed.
  Timestamp not_before;
  std::string result;            ///< JSON of a ChunkResult, once succeeded.
  std::optional<Error> failure;  ///< Of the last attempt.
  /// Rows and bytes of the attempt under way; the position is the last that any attempt told, until
  /// the chunk has succeeded or died.
  ChunkProgress progress;

  std::string lease_owner;
  int64_t lease_token = 0;
  Timestamp lease_expires_at;
};

/// The lower-case hexadecimal task id: SHA-256 over export, tenant and canonical parameters, cut to
/// 32 digits.
std::string TaskId(std::string_view export_name, std::string_view tenant,
                   std::string_view parameters);

}  // namespace spillway::engine
