#include "cli/job_view.h"

#include <filesystem>

#include <fmt/format.h>

#include "base/figures.h"
#include "cli/messages.h"
#include "cli/progress_bar.h"
#include "recipe/recipients.h"
#include "staging/outcome.h"

namespace spillway::cli {
namespace {

using Json = nlohmann::ordered_json;

Json Embedded(const std::string& json) {
  Json parsed = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  return parsed.is_discarded() ? Json() : parsed;
}

/// "acme", or nothing for exports that belong to nobody.
std::string OfTenant(const engine::Job& job) {
  return job.tenant.empty() ? "" : " of " + job.tenant;
}

/// Where the job's manifest goes; empty: that is not known.
std::string PlaceOf(const engine::Job& job) {
  const Json parameters = Embedded(job.parameters);
  if (!parameters.is_object()) return {};
  const std::string manifests = parameters.value("manifests", "");
  return manifests.empty() ? parameters.value("destination", "") : manifests;
}

std::string Directory(const engine::Job& job) {
  if (GoesToStandardOutput(job)) return "standard output";
  const Json outcome = Embedded(job.outcome);
  if (!outcome.is_object()) return {};
  const std::filesystem::path root = PlaceOf(job);
  return (root / outcome.value("manifest_key", "")).parent_path().string();
}

std::string CancelledLine(const engine::Job& job) {
  const Result<engine::Receipt> receipt = engine::ReceiptFromJson(job.outcome);
  std::string line = "job " + job.id + " cancelled";
  if (!receipt.has_value()) return line;
  line += fmt::format("; removed {} staged object{}, {}", receipt->objects_removed,
                      receipt->objects_removed == 1 ? "" : "s", ShortBytes(receipt->bytes_removed));
  if (!receipt->remaining.empty()) {
    line += fmt::format("; the rest below {} stays: {}", receipt->remaining,
                        job.failure.has_value() ? job.failure->message : "no cause recorded");
  }
  return line;
}

/// What the recipe has counted besides; empty: nothing.
std::string TalliesLine(const engine::Job& job) {
  const Result<engine::OutcomeReference> outcome = engine::OutcomeReferenceFromJson(job.outcome);
  std::string line;
  if (!outcome.has_value()) return line;
  for (const auto& [name, value] : outcome->tallies)
    line += fmt::format("{}{} {}", line.empty() ? "counted: " : ", ", name, Grouped(value));
  return line;
}

}  // namespace

Result<engine::Job> FindJob(store::JobStore& store, const std::string& id) {
  Result<engine::Job> job = store.Get(id);
  if (!job.has_value() && job.error().code == ErrorCode::kNotFound)
    job.error().message += "; `spillway jobs list` shows those there are";
  return job;
}

bool GoesToStandardOutput(const engine::Job& job) { return PlaceOf(job).starts_with('-'); }

std::string CountedBy(const std::string& plan) {
  const Json json = Embedded(plan);
  return json.is_object() ? json.value("counts", "rows") : "rows";
}

Json JobToJson(const engine::Job& job) {
  const auto time = [](const std::optional<Timestamp>& at) {
    return at.has_value() ? Json(FormatTimestamp(*at)) : Json();
  };
  Json json = {{"id", job.id},
               {"task_id", job.task_id},
               {"run", job.run},
               {"export", job.export_name},
               {"recipe", job.recipe},
               {"tenant", job.tenant},
               {"state", Name(job.state)},
               {"phase", Name(job.phase)},
               {"requested_by", job.requested_by},
               {"created_at", FormatTimestamp(job.created_at)},
               {"started_at", time(job.started_at)},
               {"finished_at", time(job.finished_at)},
               {"cancel_requested_at", time(job.cancel_requested_at)},
               {"parameters", recipe::WithoutSecrets(Embedded(job.parameters))},
               {"source", recipe::WithoutSecrets(Embedded(job.plan))},
               {"chunks",
                {{"total", job.chunks_total},
                 {"succeeded", job.chunks_succeeded},
                 {"dead", job.chunks_dead}}},
               {"counts",
                {{"planned", job.counts.planned},
                 {"written", job.counts.written},
                 {"excluded", job.counts.excluded},
                 {"failed", job.counts.failed},
                 {"bytes", job.counts.bytes}}},
               {"outcome", Embedded(job.outcome)}};
  json["directory"] = job.state == engine::JobState::kSucceeded ? Json(Directory(job)) : Json();
  if (job.expiry.has_value()) {
    json["expired"] = {{"at", time(job.expiry->ended_at)},
                       {"begun_at", FormatTimestamp(job.expiry->begun_at)},
                       {"files", job.expiry->objects},
                       {"bytes", job.expiry->bytes}};
  }
  if (job.failure.has_value()) {
    json["failure"] = {{"code", Name(job.failure->code)},
                       {"message", InCommands(job.failure->message)}};
  }
  return json;
}

Json ProgressToJson(const engine::Progress& progress) {
  const auto or_null = [](const auto& value) { return value.has_value() ? Json(*value) : Json(); };
  return {{"rows_done", progress.rows_done},
          {"rows_total", progress.rows_total},
          {"bytes", progress.bytes},
          {"chunks_done", progress.chunks_done},
          {"chunks_total", progress.chunks_total},
          {"queue_position", or_null(progress.queue_position)},
          {"rows_per_second", or_null(progress.rows_per_second)},
          {"seconds_left", progress.remaining ? Json(progress.remaining->count()) : Json()}};
}

std::string ProgressLine(const engine::Progress& progress) {
  if (progress.queue_position == 1) return "the oldest that waits";
  if (progress.queue_position.has_value()) {
    return fmt::format("number {} by age of those that wait", Grouped(*progress.queue_position));
  }
  std::string line = fmt::format("{} of {} chunks, {}", Grouped(progress.chunks_done),
                                 Grouped(progress.chunks_total),
                                 ShortBytes(static_cast<uint64_t>(progress.bytes)));
  if (progress.rows_per_second) {
    line += fmt::format(", {} rows/s", ShortCount(*progress.rows_per_second));
  }
  if (progress.remaining) line += fmt::format(", {} left", ShortDuration(*progress.remaining));
  return line;
}

std::string ExpiryLine(const engine::Expiry& expiry) {
  const std::string removed =
      fmt::format("{} file{}, {}", Grouped(expiry.objects), expiry.objects == 1 ? "" : "s",
                  ShortBytes(static_cast<uint64_t>(expiry.bytes)));
  if (!expiry.ended_at.has_value()) return "is expiring; removing " + removed;
  return fmt::format("expired {}; removed {}", FormatTimestamp(*expiry.ended_at).substr(0, 19),
                     removed);
}

void PrintSummary(const engine::Job& job, std::FILE* to) {
  if (job.state == engine::JobState::kCancelled) return PrintLine(CancelledLine(job), to);
  const engine::Counts& counts = job.counts;
  const std::string of = job.export_name + OfTenant(job);
  if (job.state != engine::JobState::kSucceeded) {
    return PrintLine(fmt::format("{}: {} of {} {} written{}", of, Grouped(counts.written),
                                 Grouped(counts.planned), CountedBy(job.plan),
                                 IsFinal(job.state) ? "" : " so far"),
                     to);
  }
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(
      job.finished_at.value_or(job.updated_at) - job.started_at.value_or(job.created_at));
  PrintLine(fmt::format("{}: {} {}, {} in {}", of, Grouped(counts.written), CountedBy(job.plan),
                        ShortBytes(static_cast<uint64_t>(counts.bytes)), ShortDuration(elapsed)),
            to);
  PrintLine(
      fmt::format("planned {} = written {} + excluded {} + failed {}", Grouped(counts.planned),
                  Grouped(counts.written), Grouped(counts.excluded), Grouped(counts.failed)),
      to);
  if (const std::string tallies = TalliesLine(job); !tallies.empty()) PrintLine(tallies, to);
  PrintLine(Directory(job), to);
}

}  // namespace spillway::cli
