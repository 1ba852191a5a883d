#include "store/sqlite/records.h"
#include "store/sqlite/sqlite_store.h"

namespace spillway::store {

using engine::Job;

Result<std::vector<Job>> SqliteStore::Expirable(const ExpiryFilter& filter, size_t limit) {
  return database_.Read([&](Connection& connection) -> Result<std::vector<Job>> {
    std::vector<Job> jobs;
    Query rows(
        connection,
        SPILLWAY_SELECT_JOB
        "WHERE export_name = ? AND state = ? AND finished_at < ? AND expiry_ended_at IS NULL "
        "AND (expiry_begun_at IS NULL OR expiry_begun_at < ?) ORDER BY finished_at LIMIT ?",
        filter.export_name, engine::Name(filter.state), filter.ended_before, filter.begun_before,
        static_cast<int64_t>(limit));
    while (TRY(rows.Next())) jobs.push_back(TRY(ReadJob(rows)).job);
    return jobs;
  });
}

Result<Job> SqliteStore::BeginExpiry(const Job& seen, int64_t objects, int64_t bytes) {
  return database_.Write(Durability::kDisk, [&](Connection& connection) -> Result<Job> {
    JobRow row = TRY(FindJob(connection, seen.id));
    const auto begun_at = seen.expiry ? std::optional(seen.expiry->begun_at) : std::nullopt;
    const int64_t begun = TRY(
        Query(connection,
              "UPDATE jobs SET expiry_objects = iif(expiry_begun_at IS NULL, ?1, expiry_objects), "
              "expiry_bytes = iif(expiry_begun_at IS NULL, ?2, expiry_bytes), expiry_begun_at = ?3 "
              "WHERE number = ?4 AND state = ?5 AND state IN ('succeeded', 'failed', 'cancelled') "
              "AND finished_at IS ?6 AND expiry_begun_at IS ?7 AND expiry_ended_at IS NULL",
              objects, bytes, clock_.Now(), row.number, engine::Name(seen.state), seen.finished_at,
              begun_at)
            .Run());
    TRY(Require(begun > 0, row.job, "is no longer as it was; it does not expire"));
    return TRY(FindJob(connection, seen.id)).job;
  });
}

Result<Job> SqliteStore::EndExpiry(std::string_view job_id) {
  return database_.Write(Durability::kDisk, [&](Connection& connection) -> Result<Job> {
    const JobRow row = TRY(FindJob(connection, job_id));
    TRY(Require(row.job.expiry.has_value(), row.job, "does not expire"));
    TRY(Query(connection,
              "UPDATE jobs SET expiry_ended_at = ? WHERE number = ? AND expiry_ended_at IS NULL",
              clock_.Now(), row.number)
            .Run());
    return TRY(FindJob(connection, job_id)).job;
  });
}

}  // namespace spillway::store
