#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <date/date.h>

#include "base/time_zone.h"
#include "engine/acts_fixture.h"
#include "maintenance/timetable.h"

namespace spillway::engine {

class TimetableTest : public ActsTest {
 protected:
  TimetableTest() {
    // 2026-03-02T12:00:30Z
    clock_.Advance(date::sys_days(date::year(2026) / 3 / 2) + std::chrono::hours(12) +
                   std::chrono::seconds(30) - clock_.Now());
  }

  Schedule Of(const std::string& cron, CatchUp catch_up = CatchUp::kLast,
              std::chrono::milliseconds within = std::chrono::hours(24)) {
    return {.name = "nightly",
            .export_name = "lines",
            .organisation = "t",
            .recipe = "lines",
            .cron = *schedule::Cron::Parse(cron),
            .zone = TimeZone(),
            .catch_up = catch_up,
            .catch_up_within = within,
            .request = [this](Timestamp tick) -> Result<recipe::Request> {
              if (refusal_) return std::unexpected(*refusal_);
              return recipe::Request{.export_name = "lines",
                                     .who = {.user = "schedule nightly", .organisation = "t"},
                                     .parameters = '"' + FormatTimestamp(tick).substr(5, 11) + '"'};
            }};
  }

  Timetable Start(const Schedule& schedule) {
    return Timetable(engine_, store_, clock_, log_, {schedule});
  }

  /// In the order in which they were made.
  std::vector<Job> Jobs() {
    std::vector<Job> jobs = store_.List({}, "", 100)->jobs;
    std::ranges::stable_sort(jobs, {}, &Job::created_at);
    return jobs;
  }

  /// The ticks that fired, in order.
  std::vector<std::string> Fired() {
    std::vector<std::string> ticks;
    for (const Job& job : Jobs())
      ticks.push_back(job.parameters.substr(1, job.parameters.size() - 2));
    return ticks;
  }

  std::optional<Error> refusal_;
};

}  // namespace spillway::engine
