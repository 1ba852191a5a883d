#include "recipe/open_data/open_data.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "recipe/collected_plan.h"
#include "recipe/open_data/day_exporter.h"
#include "recipe/open_data/migrations.h"
#include "recipe/output/object_reader.h"
#include "recipe/recipients.h"

namespace spillway::recipe {
namespace {

using open_data::LocationDay;
using open_data::UnsureDays;
using std::chrono::milliseconds;

/// Enough that one statement pays for many days, few enough that every thread has a share.
constexpr int64_t kDaysPerChunkMin = 100;
constexpr int64_t kDaysPerChunkMax = 1000;
constexpr int64_t kShares = 8;
/// Between two looks whether a database is there again.
constexpr milliseconds kLookAgain{250};
/// How often in a row sessions may be lost in use, with no day settled between.
constexpr int kLossesMax = 3;
/// What is claimed and read at once, and so the most that is done after the end of a time limit.
constexpr int64_t kDaysPerRead = 500;

struct Parameters {
  int64_t limit = 0;
  int64_t time_limit_ms = 0;
  std::string destination;
  std::string manifests;
};

Result<Parameters> ParametersFromJson(std::string_view text, Parameters parameters) {
  const nlohmann::json json = nlohmann::json::parse(text.empty() ? "{}" : text, nullptr, false);
  if (!json.is_object()) return Fail(ErrorCode::kInvalidArgument, "parameters: no JSON object");
  ObjectReader reader(json, "parameters.");
  TRY(reader.Read("limit", parameters.limit));
  TRY(reader.Read("time_limit_ms", parameters.time_limit_ms));
  TRY(reader.Read("destination", parameters.destination));
  TRY(reader.Read("manifests", parameters.manifests));
  TRY(reader.RefuseOthers());
  if (parameters.limit < 0 || parameters.time_limit_ms < 0) {
    return Fail(ErrorCode::kInvalidArgument, "parameters: a limit is below zero");
  }
  return parameters;
}

std::string ToJson(const Parameters& parameters) {
  nlohmann::json json = {{"limit", parameters.limit},
                         {"time_limit_ms", parameters.time_limit_ms},
                         {"destination", parameters.destination}};
  if (!parameters.manifests.empty()) json["manifests"] = parameters.manifests;
  return json.dump();
}

/// When the job was planned, by the database's clock: a job takes no day twice.
Result<std::string> PlannedAt(const engine::Job& job) {
  const nlohmann::json plan = nlohmann::json::parse(job.plan, nullptr, false);
  if (plan.is_object() && plan.contains("planned_at") && plan["planned_at"].is_string()) {
    return plan["planned_at"].get<std::string>();
  }
  return Fail(ErrorCode::kCorrupt, "the job's plan does not say when it was made");
}

/// When a run stops claiming.
class TimeLimit {
 public:
  TimeLimit(const engine::Job& job, const Parameters& parameters, Clock& clock)
      : clock_(clock), limit_(parameters.time_limit_ms) {
    if (limit_.count() > 0) end_ = job.started_at.value_or(job.created_at) + limit_;
  }

  /// Whether there is time for another read: twice what the slowest took, and a tenth of the limit
  /// at least, so that its end finds nothing under way.
  bool Allows() const {
    return !end_.has_value() ||
           clock_.Now() + std::max<Timestamp::duration>(2 * slowest_, limit_ / 10) < *end_;
  }

  void Took(Timestamp::duration read) { slowest_ = std::max(slowest_, read); }

 private:
  Clock& clock_;
  const milliseconds limit_;
  std::optional<Timestamp> end_;
  Timestamp::duration slowest_{0};
};

void Exclude(engine::ChunkResult& result, int64_t days, std::string why) {
  if (days == 0) return;
  result.counts.excluded += days;
  result.errors.push_back({.key = fmt::format("{} location-days", days),
                           .classification = std::string(kExcluded),
                           .message = std::move(why)});
}

/// Whether the session has ended, or is about to: the server stops or starts.
bool IsLost(const postgres::Connection& connection) {
  return !connection.usable() || connection.sqlstate().starts_with("57P");
}

/// Of what was tried again, and is not any more.
std::unexpected<Error> GiveUp(Error error, std::string_view why) {
  error.message += fmt::format("; {}", why);
  error.retryable = false;
  return std::unexpected(std::move(error));
}

/// Gives claims back whatever happens. What cannot be given back is free once the session that
/// shows that they are held has ended; days that may have been put then come to `unsure`.
class Claims {
 public:
  Claims(open_data::ChangeLog& log, std::vector<UnsureDays>& unsure) : log_(log), unsure_(unsure) {}
  ~Claims() {
    UnsureDays unsure = log_.Unsure();
    if (!log_.Release().has_value() && !unsure.days.empty()) unsure_.push_back(std::move(unsure));
  }
  Claims(const Claims&) = delete;
  Claims& operator=(const Claims&) = delete;

 private:
  open_data::ChangeLog& log_;
  std::vector<UnsureDays>& unsure_;
};

}  // namespace

Result<std::unique_ptr<OpenData>> OpenData::Make(OpenDataOptions options, Destinations destinations,
                                                 Clock& clock, Random chance) {
  std::vector<open_data::DayFormat> formats;
  for (const std::string& name : options.formats) {
    formats.push_back(TRY(open_data::DayFormat::Make(name)));
  }
  return std::unique_ptr<OpenData>(
      new OpenData(std::move(options), std::move(formats), std::move(destinations), clock, chance));
}

OpenData::OpenData(OpenDataOptions options, std::vector<open_data::DayFormat> formats,
                   Destinations destinations, Clock& clock, Random chance)
    : options_(std::move(options)),
      formats_(std::move(formats)),
      destinations_(std::move(destinations)),
      clock_(clock),
      chance_(chance),
      read_(options_.read_address, {.application_name = "spillway open data, reading"}),
      write_(options_.write_address, {.application_name = "spillway open data, log"}) {}

Result<CanonicalRequest> OpenData::Canonicalise(const Request& request) const {
  Parameters parameters = TRY(ParametersFromJson(
      request.parameters, {options_.limit, options_.time_limit.count(), "", ""}));
  // The log says what is in which file there, so no request may ask for another place.
  if (!parameters.destination.empty() || !parameters.manifests.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "open data goes to where the configuration says; leave the destination out");
  }
  parameters.destination = options_.destination;
  parameters.manifests = options_.manifests;
  TRY(destinations_(parameters.destination));
  if (!parameters.manifests.empty()) TRY(destinations_(parameters.manifests));
  return CanonicalRequest{
      .tenant = "", .group = request.export_name, .parameters = ToJson(parameters)};
}

Result<Destination> OpenData::DestinationOf(const engine::Job& job) const {
  const Parameters parameters = TRY(ParametersFromJson(job.parameters, {}));
  if (!parameters.manifests.empty()) {
    std::shared_ptr<storage::ObjectStore> manifests = TRY(destinations_(parameters.manifests));
    return Destination{
        .store = std::move(manifests), .directory = job.id, .files_at = parameters.destination};
  }
  std::shared_ptr<storage::ObjectStore> store = TRY(destinations_(parameters.destination));
  return Destination{.store = std::move(store), .directory = "manifests/" + job.id, .files_at = {}};
}

std::string OpenData::NewChance() const {
  std::lock_guard lock(chance_mutex_);
  return chance_.Hex(16);
}

template <class Act>
auto OpenData::Patiently(Attempt& attempt, const std::stop_token& stop, const Act& act) const
    -> std::invoke_result_t<Act, Databases> {
  using Done = std::invoke_result_t<Act, Databases>;
  Timestamp::duration away{0};
  int losses = 0;
  while (true) {
    const Timestamp began = clock_.Now();
    std::optional<Timestamp> answered;
    const int64_t settled = attempt.settled;
    bool was_lost = true;
    Done done = [&]() -> Done {
      postgres::Pool::Lent write = TRY(write_.Lend(stop));
      postgres::Pool::Lent read = TRY(read_.Lend(stop));
      attempt.unsure = MarkUnsure(*write, std::exchange(attempt.unsure, {}), stop);
      LeaveUnsure(MarkUnsure(*write, TakeUnsure(), stop));
      // A kept connection may have gone, and a pooler takes connections without a server.
      TRY(write->Execute("SELECT 1", {}, stop));
      TRY(read->Execute("SELECT 1", {}, stop));
      answered = clock_.Now();
      Done acted = act(Databases{.read = *read, .write = *write});
      was_lost = IsLost(*write) || IsLost(*read);
      return acted;
    }();
    if (done.has_value() || !was_lost || !done.error().retryable || stop.stop_requested()) {
      return done;
    }
    away += answered.value_or(clock_.Now()) - began;
    if (answered.has_value()) ++losses;
    if (attempt.settled > settled) {
      away = {};
      losses = 0;
    }
    if (losses == kLossesMax) {
      return GiveUp(std::move(done).error(),
                    fmt::format("the session ended {} times in a row before a day was exported; "
                                "look at idle_session_timeout, at the limits of a pooler or proxy "
                                "in between, and at the server's log",
                                losses));
    }
    if (away + kLookAgain > options_.retry_for) {
      return GiveUp(std::move(done).error(),
                    fmt::format("it was waited for {} s (open_data.retry_for)",
                                options_.retry_for.count() / 1000));
    }
    clock_.SleepFor(kLookAgain, stop);
    away += kLookAgain;
    attempt.again = true;
  }
}

OpenData::AllUnsure OpenData::MarkUnsure(postgres::Connection& write, AllUnsure all,
                                         const std::stop_token& stop) const {
  if (all.empty()) return {};
  const Result<std::string> schema = open_data::LogSchema(write, options_.schema);
  if (!schema.has_value()) return all;
  open_data::ChangeLog log(write, options_.claims, {}, *schema);
  AllUnsure left;
  for (UnsureDays& unsure : all) {
    Result<std::vector<LocationDay>> locked = log.MarkUnsure(unsure, stop);
    if (locked.has_value()) {
      unsure.days = *std::move(locked);
    } else if (options_.log != nullptr && !IsLost(write) && !stop.stop_requested()) {
      options_.log->Warning("days that were put on a lost session are not marked yet",
                            {{"days", unsure.days.size()}, {"error", locked.error().message}});
    }
    if (!unsure.days.empty()) left.push_back(std::move(unsure));
  }
  return left;
}

OpenData::AllUnsure OpenData::TakeUnsure() const {
  std::lock_guard lock(unsure_mutex_);
  return std::exchange(unsure_, {});
}

void OpenData::LeaveUnsure(AllUnsure unsure) const {
  std::lock_guard lock(unsure_mutex_);
  std::ranges::move(unsure, std::back_inserter(unsure_));
}

Result<Survey> OpenData::Look(const std::string& export_name, const CanonicalRequest& request,
                              std::stop_token stop) const {
  CollectedPlan plan;
  const Planned planned =
      TRY(MakePlan({.id = "plan", .parameters = request.parameters}, plan, std::move(stop)));
  const nlohmann::json source = nlohmann::json::parse(planned.source);
  const auto chunks = static_cast<int64_t>(plan.chunks.size());
  const nlohmann::ordered_json json = {{"location_days", planned.planned}, {"chunks", chunks}};
  return Survey{
      .of = fmt::format("{} from {}", export_name, source.at("database").get<std::string>()),
      .planned = planned.planned,
      .how = "pending now",
      .chunks = chunks,
      .json = json.dump()};
}

Result<Planned> OpenData::MakePlan(const engine::Job& job, Planning& plan,
                                   std::stop_token stop) const {
  Attempt attempt;
  Planned planned = TRY(
      Patiently(attempt, stop, [&](Databases databases) { return PlanOn(databases, job, stop); }));
  const int64_t share = std::clamp(planned.planned / kShares, kDaysPerChunkMin, kDaysPerChunkMax);
  for (int64_t left = planned.planned; left > 0; left -= share) {
    TRY(plan.Add("{}", std::min(left, share)));
  }
  return planned;
}

Result<Planned> OpenData::PlanOn(Databases databases, const engine::Job& job,
                                 const std::stop_token& stop) const {
  const Parameters parameters = TRY(ParametersFromJson(job.parameters, {}));
  TRY(open_data::CheckLog(databases.write, options_.schema));
  TRY(open_data::CheckDayBound(databases.read, options_.time_ending, options_.schema, stop));
  if (options_.settle.has_value()) {
    TRY(open_data::CheckSettle(databases.read, *options_.settle, options_.schema, stop));
  }
  const std::string schema = TRY(open_data::LogSchema(databases.write, options_.schema));
  open_data::ChangeLog log(databases.write, options_.claims, {}, schema);
  const int64_t limit =
      parameters.limit > 0 ? parameters.limit : std::numeric_limits<int64_t>::max();
  TRY(log.NoteLost(stop));
  const std::string now = TRY(log.Now(stop));
  const int64_t pending = TRY(log.CountPending(limit, stop));
  constexpr int64_t kBytesPerDay = 10'000;  // Roughly.
  nlohmann::json formats = options_.formats;
  return Planned{.source = nlohmann::json{{"database", databases.write.server()},
                                          {"counts", "location-days"},
                                          {"formats", std::move(formats)},
                                          {"planned_at", now}}
                               .dump(),
                 .planned = pending,
                 .bytes = pending * kBytesPerDay};
}

Result<ChunkOutcome> OpenData::Process(const engine::Job& job, const engine::Chunk& chunk,
                                       engine::Staging& /*staging*/, Progress& /*progress*/,
                                       std::stop_token stop) const {
  Attempt attempt{
      .claimant = {.work = fmt::format("{}/{}", job.id, chunk.index), .attempt = NewChance()},
      .again = chunk.lease_token > 1};
  Result<engine::ChunkResult> result = Patiently(attempt, stop, [&](Databases databases) {
    return ProcessOn(databases, job, chunk, attempt, stop);
  });
  LeaveUnsure(std::move(attempt.unsure));
  return result;
}

Result<engine::ChunkResult> OpenData::ProcessOn(Databases databases, const engine::Job& job,
                                                const engine::Chunk& chunk, Attempt& attempt,
                                                const std::stop_token& stop) const {
  const Parameters parameters = TRY(ParametersFromJson(job.parameters, {}));
  const std::string planned_at = TRY(PlannedAt(job));
  const std::shared_ptr<storage::ObjectStore> store = TRY(destinations_(parameters.destination));
  TimeLimit time_limit(job, parameters, clock_);
  const std::string schema = TRY(open_data::LogSchema(databases.write, options_.schema));
  open_data::ChangeLog log(databases.write, options_.claims, attempt.claimant, schema);
  open_data::DayExporter exporter(log, databases.read, *store, formats_, options_.empty_days,
                                  options_.log);
  if (attempt.again) exporter.CountBefore(TRY(log.SettledSince(planned_at, stop)));
  engine::ChunkResult& result = exporter.result();
  const Claims claims(log, attempt.unsure);
  std::string left_out = "were no longer pending";
  while (true) {
    attempt.settled = result.counts.written + result.counts.excluded + result.counts.failed;
    const int64_t wanted = chunk.planned - attempt.settled;
    if (wanted <= 0) break;
    if (!time_limit.Allows()) {
      left_out = fmt::format("the time limit of {} s came near; they stay pending",
                             parameters.time_limit_ms / 1000);
      break;
    }
    const Timestamp began = clock_.Now();
    const std::vector<LocationDay> days =
        TRY(log.Claim(std::min(wanted, kDaysPerRead), planned_at, stop));
    if (days.empty()) break;
    if (options_.log != nullptr) {
      options_.log->Debug("days claimed", {{"job", job.id},
                                           {"chunk", chunk.index},
                                           {"days", days.size()},
                                           {"first", days.front().name()},
                                           {"last", days.back().name()}});
    }
    TRY(exporter.Export(days, stop));
    time_limit.Took(clock_.Now() - began);
  }
  result.counts.planned = chunk.planned;
  Exclude(result, chunk.planned - attempt.settled, std::move(left_out));
  return std::move(result);
}

Result<Assembly> OpenData::Assemble(const engine::Job& /*job*/, std::vector<engine::Part> /*parts*/,
                                    engine::Staging& /*staging*/, std::stop_token /*stop*/) const {
  return Assembly{};
}

}  // namespace spillway::recipe
