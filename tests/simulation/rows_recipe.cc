#include "simulation/rows_recipe.h"

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <stdexcept>
#include <utility>

#include "staging/staging.h"

namespace spillway::simulation {
namespace {

constexpr int64_t kRowsPerCommit = 3;
/// One of them is longer than a lease.
constexpr std::array<std::chrono::milliseconds, 3> kEarly{std::chrono::milliseconds{300},
                                                          std::chrono::milliseconds{900},
                                                          std::chrono::milliseconds{3'000}};

std::string KeyOf(int64_t chunk, int64_t row) {
  return "chunk " + std::to_string(chunk) + " row " + std::to_string(row);
}

/// What planning has stored is what this plan's chunks read.
Result<> CheckListing(const engine::Chunk& chunk, int version, engine::Staging& staging,
                      const std::stop_token& stop) {
  const size_t listing = chunk.spec.find(' ');
  if (listing == std::string::npos) return {};
  const std::string listed = TRY(staging.Read(chunk.spec.substr(listing + 1), stop));
  if (listed == std::to_string(version)) return {};
  return Fail(ErrorCode::kInternal, "the listing is that of another plan");
}

}  // namespace

Result<recipe::CanonicalRequest> RowsRecipe::Canonicalise(const recipe::Request& request) const {
  return recipe::CanonicalRequest{.tenant = request.who.organisation,
                                  .group = source_.Of(request.parameters).group,
                                  .parameters = request.parameters};
}

Result<recipe::Destination> RowsRecipe::DestinationOf(const engine::Job& job) const {
  return recipe::Destination{.store = store_, .directory = DirectoryOf(job.id)};
}

Result<recipe::Planned> RowsRecipe::MakePlan(const engine::Job& job, recipe::Planning& plan,
                                             std::stop_token stop) const {
  SourceTask& task = source_.Of(job.parameters);
  process_.Linger();
  if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "stopped while planning");
  if (task.plan_permanent) return Fail(ErrorCode::kInvalidArgument, "the source refuses");
  if (task.plan_failures > 0) {
    --task.plan_failures;
    return FailTransient(ErrorCode::kUnavailable, "the source is away");
  }
  const int version = ++task.versions;
  recipe::Planned planned{.source = std::to_string(version)};
  std::string spec = planned.source;
  if (task.listing) {
    spec += ' ' + TRY(plan.Put("listing", std::as_bytes(std::span(planned.source))));
  }
  for (size_t i = 0; i < task.chunks.size(); ++i) {
    const int64_t rows = RowsOf(task, i, version);
    TRY(plan.Add(spec, rows));
    planned.planned += rows;
    planned.bytes += rows * 10;
  }
  return planned;
}

Result<recipe::ChunkOutcome> RowsRecipe::Process(const engine::Job& job, const engine::Chunk& chunk,
                                                 engine::Staging& staging,
                                                 recipe::Progress& progress,
                                                 std::stop_token stop) const {
  const SourceTask& task = source_.Of(job.parameters);
  const auto index = static_cast<size_t>(chunk.index);
  const int version = std::stoi(chunk.spec);
  TRY(CheckListing(chunk, version, staging, stop));
  SourceChunk& source = source_.Of(job.parameters).chunks[index];
  if (source.poison > 0) {
    --source.poison;
    process_.Crash("poison");
  }
  if (source.throws) throw std::runtime_error("the source throws");
  engine::ChunkResult result;
  if (!chunk.progress.position.empty()) {
    result = TRY(engine::ChunkResultFromJson(chunk.progress.position));
  }
  std::optional<engine::PartWriter> part;
  int64_t written_before = result.counts.written;
  const auto begin_part = [&] {
    written_before = result.counts.written;
    if (!task.actions) {
      part.emplace(staging.NewPart(source.file, chunk.index, engine::PartOrder::kInTurn));
    }
  };
  std::string report;
  const auto end_part = [&]() -> Result<> {
    if (task.report) {
      engine::PartWriter lines =
          staging.NewPart(kReportName, chunk.index, engine::PartOrder::kInTurn);
      lines.buffer().Append(std::exchange(report, {}));
      result.parts.push_back(TRY(lines.Finish(0, stop)));
      result.parts.back().role = engine::kReport;
    }
    if (task.actions) return {};
    result.parts.push_back(TRY(part->Finish(result.counts.written - written_before, stop)));
    result.parts.back().detail = std::to_string(chunk.index);
    result.counts.bytes += static_cast<int64_t>(result.parts.back().bytes);
    return {};
  };
  begin_part();
  for (int64_t row = result.counts.planned; row < chunk.planned + source.miscount; ++row) {
    process_.scheduler().SleepFor(std::chrono::milliseconds(source.pause_ms), stop);
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "stopped while processing");
    if (source.early > 0 && row % 2 == 1) {
      --source.early;
      return recipe::Postponed{
          .until = process_.scheduler().now() + kEarly[static_cast<size_t>(index % 3)],
          .why = "too early"};
    }
    ++result.counts.planned;
    ++result.tallies["rows"];
    report += ReportLine(index, row);
    const RowFate fate = FateOf(chunk.index, row);
    if (fate == RowFate::kWritten) {
      ++result.counts.written;
      if (part.has_value()) part->buffer().Append(RowText(task, version, index, row));
    } else {
      const bool failed = fate == RowFate::kFailed;
      ++(failed ? result.counts.failed : result.counts.excluded);
      result.errors.push_back({.key = KeyOf(chunk.index, row),
                               .classification = failed ? "unavailable" : "excluded",
                               .message = "as the source says"});
    }
    if (row % kRowsPerCommit != 0) continue;
    if (part.has_value()) TRY(part->Commit(stop));
    if (!task.goes_on) continue;
    TRY(end_part());
    TRY(progress.Report({.rows = result.counts.planned,
                         .bytes = result.counts.bytes,
                         .position = engine::ToJson(result)}));
    if (source.stumbles > 0) {
      --source.stumbles;
      return FailTransient(ErrorCode::kUnavailable, "the source stumbles");
    }
    begin_part();
  }
  if (source.permanent) return Fail(ErrorCode::kCorrupt, "the source is broken");
  if (source.failures > 0) {
    --source.failures;
    return FailTransient(ErrorCode::kUnavailable, "the source is away");
  }
  TRY(end_part());
  return result;
}

Result<recipe::Assembly> RowsRecipe::Assemble(const engine::Job& job,
                                              std::vector<engine::Part> parts,
                                              engine::Staging& staging,
                                              std::stop_token /*stop*/) const {
  const SourceTask& task = source_.Of(job.parameters);
  const std::optional<size_t> cut = CutChunk(task, VersionOf(job));
  recipe::Assembly assembly;
  for (engine::Part& part : parts) {
    if (assembly.files.empty() || assembly.files.back().name != part.file) {
      assembly.files.push_back({.name = part.file, .parts = {}});
    }
    if (cut.has_value() && part.detail == std::to_string(*cut)) {
      assembly.cut_off += part.rows;
      assembly.errors.push_back({.key = std::to_string(part.rows) + " rows",
                                 .classification = "excluded",
                                 .message = "after the limit"});
      continue;
    }
    assembly.files.back().parts.push_back(std::move(part));
  }
  if (task.footer) {
    for (recipe::OutputFile& file : assembly.files) {
      const std::string footer = FooterOf(file.name);
      file.parts.push_back(TRY(staging.Append(file.name, std::as_bytes(std::span(footer)))));
    }
  }
  return assembly;
}

}  // namespace spillway::simulation
