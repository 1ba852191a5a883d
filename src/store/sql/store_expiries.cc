#include "store/sql/records.h"
#include "store/sql/sql_store.h"

namespace spillway::store::sql {

using engine::Job;

Result<std::vector<Job>> SqlStore::Expirable(const ExpiryFilter& filter, size_t limit) {
  return Read([&](Session& session) -> Result<std::vector<Job>> {
    std::vector<Job> jobs;
    Query rows(
        session,
        SPILLWAY_SELECT_JOB
        "WHERE export_name = ? AND state = ? AND finished_at < ? AND expiry_ended_at IS NULL "
        "AND (state <> 'failed' OR started_at IS NOT NULL) "
        "AND (expiry_begun_at IS NULL OR expiry_begun_at < ?) AND (finished_at, id) > (?, ?) "
        "ORDER BY finished_at, id LIMIT ?",
        filter.export_name, engine::Name(filter.state), filter.ended_before, filter.begun_before,
        filter.after.finished_at, filter.after.id, static_cast<int64_t>(limit));
    while (TRY(rows.Next())) jobs.push_back(TRY(ReadJob(rows)).job);
    return jobs;
  });
}

Result<Job> SqlStore::BeginExpiry(const Job& seen, int64_t objects, int64_t bytes) {
  return Write(Durability::kDisk, [&](Session& session) -> Result<Job> {
    JobRow row = TRY(HoldJob(session, seen.id));
    const auto begun_at = seen.expiry ? std::optional(seen.expiry->begun_at) : std::nullopt;
    const int64_t begun = TRY(
        Query(session,
              "UPDATE jobs SET expiry_objects = CASE WHEN expiry_begun_at IS NULL THEN ?1 ELSE "
              "expiry_objects END, "
              "expiry_bytes = CASE WHEN expiry_begun_at IS NULL THEN ?2 ELSE expiry_bytes END, "
              "expiry_begun_at = ?3 "
              "WHERE number = ?4 AND state = ?5 AND state IN ('succeeded', 'failed', 'cancelled') "
              "AND finished_at IS NOT DISTINCT FROM ?6 AND expiry_begun_at IS NOT DISTINCT FROM ?7 "
              "AND expiry_ended_at IS NULL",
              objects, bytes, clock_.Now(), row.number, engine::Name(seen.state), seen.finished_at,
              begun_at)
            .Run());
    TRY(Require(begun > 0, row.job, "has changed meanwhile; it does not expire"));
    return TRY(FindJob(session, seen.id)).job;
  });
}

Result<Job> SqlStore::EndExpiry(std::string_view job_id) {
  return Write(Durability::kDisk, [&](Session& session) -> Result<Job> {
    const JobRow row = TRY(HoldJob(session, job_id));
    TRY(Require(row.job.expiry.has_value(), row.job, "does not expire"));
    TRY(Query(session,
              "UPDATE jobs SET expiry_ended_at = ? WHERE number = ? AND expiry_ended_at IS NULL",
              clock_.Now(), row.number)
            .Run());
    return TRY(FindJob(session, job_id)).job;
  });
}

}  // namespace spillway::store::sql
