#include <fmt/format.h>

#include "store/sql/records.h"
#include "store/sql/sql_store.h"

namespace spillway::store::sql {
namespace {

/// False where the record is not the one that the caller knows.
Result<bool> MoveForward(Session& session, const Firing& firing) {
  if (!firing.after) {
    return TRY(Query(session,
                     "INSERT INTO schedules (name, settled_until) VALUES (?, ?) "
                     "ON CONFLICT DO NOTHING",
                     firing.schedule, firing.until)
                   .Run()) > 0;
  }
  return TRY(Query(session,
                   "UPDATE schedules SET settled_until = ? WHERE name = ? AND settled_until = ?",
                   firing.until, firing.schedule, *firing.after)
                 .Run()) > 0;
}

/// Fails a job that was just put. It is in processing in between, since no other state fails, but
/// nobody sees it there.
Result<> FailAtOnce(Session& session, JobRow& row, const Error& failure) {
  engine::Job& job = row.job;
  const Timestamp now = job.created_at;
  TRY(Move(session, row, engine::JobState::kProcessing, now, kEngine, "its tick came"));
  job.started_at = now;
  TRY(Save(session, row));
  TRY(Move(session, row, engine::JobState::kFailed, now, kEngine, failure.message));
  job.started_at = std::nullopt;
  job.failure = failure;
  return Save(session, row);
}

}  // namespace

Result<Fired> SqlStore::Fire(const Firing& firing) {
  if (firing.after && firing.until <= *firing.after) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("schedule {}: a firing only moves forward", firing.schedule));
  }
  return Write(Durability::kDisk, [&](Session& session) -> Result<Fired> {
    if (!TRY(MoveForward(session, firing))) return Fired{};
    if (!firing.job) return Fired{.applied = true};
    const std::optional<engine::Job> latest = TRY(LatestRun(session, firing.job->task_id));
    JobRow row = TRY(PutRun(session, *firing.job, latest ? latest->run + 1 : 1, clock_.Now()));
    if (firing.failure) TRY(FailAtOnce(session, row, *firing.failure));
    TRY(Query(session,
              "UPDATE schedules SET last_tick = settled_until, last_job = ? WHERE name = ?",
              row.number, firing.schedule)
            .Run());
    return Fired{.applied = true, .job = std::move(row.job)};
  });
}

Result<std::vector<ScheduleRecord>> SqlStore::Schedules() {
  return Read([&](Session& session) -> Result<std::vector<ScheduleRecord>> {
    std::vector<ScheduleRecord> records;
    Query rows(session,
               "SELECT name, settled_until, last_tick, coalesce(id, '') FROM schedules "
               "LEFT JOIN jobs ON number = last_job ORDER BY name");
    while (TRY(rows.Next())) {
      ScheduleRecord& record = records.emplace_back();
      record.name = rows.Text();
      record.settled_until = rows.Time();
      record.last_tick = rows.TimeOrNull();
      record.last_job_id = rows.Text();
    }
    return records;
  });
}

}  // namespace spillway::store::sql
