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
