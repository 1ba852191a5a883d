#include <charconv>

#include <fmt/format.h>

#include "store/sql/records.h"
#include "store/sql/sql_store.h"

namespace spillway::store::sql {
namespace {

using engine::Job;
using engine::JobState;

/// `<created_at>.<id>` of the last job of a page.
struct PageCursor {
  Timestamp created_at = Timestamp::max();
  std::string id;
};

Result<PageCursor> ReadCursor(std::string_view text) {
  PageCursor cursor;
  if (text.empty()) return cursor;
  int64_t created_at = 0;
  const auto [dot, error] = std::from_chars(text.data(), text.data() + text.size(), created_at);
  if (error != std::errc() || dot == text.data() + text.size() || *dot != '.') {
    return Fail(ErrorCode::kInvalidArgument,
                "the cursor does not come from a page of jobs; start without one");
  }
  cursor.created_at = Timestamp(std::chrono::microseconds(created_at));
  cursor.id = std::string(dot + 1, text.data() + text.size());
  return cursor;
}

/// The job of the group that is let in next, where there is room for one.
Result<std::optional<JobRow>> NextOfGroup(Session& session, std::string_view group,
                                          int64_t parallel_max) {
  {
    Query processing(
        session, "SELECT count(*) FROM jobs WHERE job_group = ? AND state = 'processing'", group);
    TRY(processing.Next());
    if (processing.Integer() >= parallel_max) return std::nullopt;
  }
  // Each tenant's oldest job, in the order of what the tenant has in processing.
  Query next(session,
             SPILLWAY_SELECT_JOB
             "WHERE number = (SELECT min(number) FROM jobs AS waiting "
             "WHERE job_group = ?1 AND state = 'pending' GROUP BY tenant ORDER BY "
             "(SELECT coalesce(sum(bytes_planned), 0) FROM jobs AS running WHERE "
             "job_group = ?1 AND state = 'processing' AND running.tenant = waiting.tenant), "
             "(SELECT count(*) FROM jobs AS running WHERE "
             "job_group = ?1 AND state = 'processing' AND running.tenant = waiting.tenant), "
             "min(number) LIMIT 1)",
             group);
  if (!TRY(next.Next())) return std::nullopt;
  return ReadJob(next);
}

}  // namespace

Result<Created> SqlStore::Create(const Job& job, bool fresh) {
  return Write(Durability::kDisk, [&](Session& session) -> Result<Created> {
    std::optional<Job> latest = TRY(LatestRun(session, job.task_id));
    if (latest && latest->stands() && !fresh) {
      return Created{.job = *std::move(latest), .created = false};
    }
    const int64_t run = latest ? latest->run + 1 : 1;
    JobRow put = TRY(PutRun(session, job, run, clock_.Now()));
    return Created{.job = std::move(put.job), .created = true};
  });
}

Result<Job> SqlStore::Get(std::string_view job_id) {
  return Read([&](Session& session) -> Result<Job> { return TRY(FindJob(session, job_id)).job; });
}

Result<JobPage> SqlStore::List(const JobFilter& filter, std::string_view cursor, size_t limit) {
  const PageCursor page_end = TRY(ReadCursor(cursor));
  const auto state = filter.state ? std::optional(engine::Name(*filter.state)) : std::nullopt;
#define SPILLWAY_LIST(filters)                                                                \
  SPILLWAY_SELECT_JOB "WHERE (created_at, id) < (?1, ?2) " filters                            \
                      "AND (?3 IS NULL OR export_name = ?3) AND (?4 IS NULL OR tenant = ?4) " \
                      "AND (?5 IS NULL OR state = ?5) ORDER BY created_at DESC, id DESC LIMIT ?6"
  // The first filter names the index.
  const std::string_view sql = filter.tenant        ? SPILLWAY_LIST("AND tenant = ?4 ")
                               : filter.export_name ? SPILLWAY_LIST("AND export_name = ?3 ")
                               : state              ? SPILLWAY_LIST("AND state = ?5 ")
                                                    : SPILLWAY_LIST("");
#undef SPILLWAY_LIST
  return Read([&](Session& session) -> Result<JobPage> {
    JobPage page;
    Query rows(session, sql, page_end.created_at, page_end.id, filter.export_name, filter.tenant,
               state, static_cast<int64_t>(limit) + 1);
    while (TRY(rows.Next())) {
      if (page.jobs.size() == limit) {
        if (limit == 0) break;
        const Job& last = page.jobs.back();
        page.next_cursor =
            fmt::format("{}.{}", last.created_at.time_since_epoch().count(), last.id);
        break;
      }
      page.jobs.push_back(TRY(ReadJob(rows)).job);
    }
    return page;
  });
}

Result<std::vector<engine::Transition>> SqlStore::History(std::string_view job_id) {
  return Read([&](Session& session) -> Result<std::vector<engine::Transition>> {
    const int64_t number = TRY(FindJob(session, job_id)).number;
    std::vector<engine::Transition> history;
    Query rows(
        session,
        "SELECT sequence, from_state, to_state, at, actor, cause FROM transitions WHERE job = ? "
        "ORDER BY sequence",
        number);
    while (TRY(rows.Next())) {
      engine::Transition& step = history.emplace_back();
      step.job_id = job_id;
      step.sequence = rows.Integer();
      if (const auto from = rows.TextOrNull()) step.from = TRY(engine::JobStateFromName(*from));
      step.to = TRY(engine::JobStateFromName(rows.Text()));
      step.at = rows.Time();
      step.actor = rows.Text();
      step.cause = rows.Text();
    }
    return history;
  });
}

Result<std::optional<Job>> SqlStore::Admit(std::string_view group, int64_t parallel_max) {
  return Write(Durability::kProcess, [&](Session& session) -> Result<std::optional<Job>> {
    TRY(session.Take(Turn::kGroup, group));
    std::optional<JobRow> row = TRY(NextOfGroup(session, group, parallel_max));
    if (!row) return std::nullopt;
    const Timestamp now = clock_.Now();
    TRY(Move(session, *row, JobState::kProcessing, now, kEngine, "admitted"));
    row->job.started_at = now;
    TRY(Save(session, *row));
    return std::move(row->job);
  });
}

Result<int64_t> SqlStore::CountAhead(std::string_view job_id) {
  return Read([&](Session& session) -> Result<int64_t> {
    const JobRow row = TRY(FindJob(session, job_id));
    if (row.job.state != JobState::kPending) return 0;
    Query ahead(
        session,
        "SELECT count(*) FROM jobs WHERE job_group = ? AND state = 'pending' AND number < ?",
        row.job.group, row.number);
    TRY(ahead.Next());
    return ahead.Integer();
  });
}

/// A chunk's time has come, as it has for those that are leased. The sum keeps the databases from
/// looking along the index of all chunks.
#define SPILLWAY_DUE \
  "c.result = '' AND c.not_before <= ?4 AND c.chunk_index + 0 < jobs.chunks_total"

Result<std::vector<Job>> SqlStore::Stalled(const StalledFilter& filter, size_t limit) {
  return Read([&](Session& session) -> Result<std::vector<Job>> {
    const Timestamp now = clock_.Now();
    std::vector<Job> jobs;
    Query rows(
        session,
        SPILLWAY_SELECT_JOB
        "WHERE state = 'processing' AND updated_at < ?1 AND (updated_at, id) > (?2, ?3) "
        "AND (lease_owner = '' OR lease_expires_at <= ?4) AND (phase <> 'processing' "
        "OR cancel_requested_at IS NOT NULL "
        "OR chunks_succeeded + chunks_dead = chunks_total "
        "OR EXISTS (SELECT 1 FROM chunks c WHERE c.job = jobs.number "
        "AND c.state = 'pending' AND " SPILLWAY_DUE
        ") OR EXISTS (SELECT 1 FROM chunks c WHERE c.job = jobs.number "
        "AND c.state <> 'succeeded' AND c.state <> 'pending' AND c.state = 'leased' "
        "AND c.lease_expires_at <= ?4 AND " SPILLWAY_DUE ")) ORDER BY updated_at, id LIMIT ?5",
        filter.before, filter.after.updated_at, filter.after.id, now, static_cast<int64_t>(limit));
    while (TRY(rows.Next())) jobs.push_back(TRY(ReadJob(rows)).job);
    return jobs;
  });
}

Result<std::vector<std::string>> SqlStore::WaitingGroups(Timestamp before) {
  return Read([&](Session& session) -> Result<std::vector<std::string>> {
    std::vector<std::string> groups;
    Query rows(session,
               "SELECT DISTINCT job_group FROM jobs WHERE state = 'pending' AND updated_at < ? "
               "ORDER BY job_group",
               before);
    while (TRY(rows.Next())) groups.emplace_back(rows.Text());
    return groups;
  });
}

}  // namespace spillway::store::sql
