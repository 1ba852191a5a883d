#include "simulation/rows_recipe.h"

#include <map>
#include <optional>
#include <stdexcept>
#include <utility>

#include "staging/staging.h"

namespace spillway::simulation {
namespace {

constexpr int64_t kRowsPerCommit = 3;

std::string KeyOf(int64_t chunk, int64_t row) {
  return "chunk " + std::to_string(chunk) + " row " + std::to_string(row);
}

}  // namespace

Result<recipe::CanonicalRequest> RowsRecipe::Canonicalise(const recipe::Request& request) const {
  return recipe::CanonicalRequest{.tenant = request.who.organisation,
                                  .group = source_.Of(request.parameters).group,
                                  .parameters = request.parameters};
}

Result<recipe::Destination> RowsRecipe::DestinationOf(const engine::Job& job) const {
  return recipe::Destination{.store = &store_, .directory = DirectoryOf(job.id)};
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

Result<engine::ChunkResult> RowsRecipe::Process(const engine::Job& job, const engine::Chunk& chunk,
                                                engine::Staging& staging,
                                                std::stop_token stop) const {
  const SourceTask& task = source_.Of(job.parameters);
  const auto index = static_cast<size_t>(chunk.index);
  const int version = std::stoi(chunk.spec);
  if (const size_t listing = chunk.spec.find(' '); listing != std::string::npos) {
    const std::string listed = TRY(staging.Read(chunk.spec.substr(listing + 1), stop));
    if (listed != std::to_string(version)) {
      return Fail(ErrorCode::kInternal, "the listing is that of another plan");
    }
  }
  SourceChunk& source = source_.Of(job.parameters).chunks[index];
  if (source.poison > 0) {
    --source.poison;
    process_.Crash("poison");
  }
  if (source.throws) throw std::runtime_error("the source throws");
  std::optional<engine::PartWriter> part;
  if (!task.actions) {
    part.emplace(staging.NewPart(source.file, chunk.index, engine::PartOrder::kInTurn));
  }
  engine::ChunkResult result;
  for (int64_t row = 0; row < chunk.planned + source.miscount; ++row) {
    process_.scheduler().SleepFor(std::chrono::milliseconds(source.pause_ms), stop);
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "stopped while processing");
    ++result.counts.planned;
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
    if (part.has_value() && row % kRowsPerCommit == 0) TRY(part->Commit(stop));
  }
  if (source.permanent) return Fail(ErrorCode::kCorrupt, "the source is broken");
  if (source.failures > 0) {
    --source.failures;
    return FailTransient(ErrorCode::kUnavailable, "the source is away");
  }
  if (part.has_value()) {
    result.parts.push_back(TRY(part->Finish(result.counts.written, stop)));
    result.counts.bytes = static_cast<int64_t>(result.parts.back().bytes);
    result.parts.back().detail = std::to_string(chunk.index);
  }
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
