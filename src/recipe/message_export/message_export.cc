#include "recipe/message_export/message_export.h"

#include <algorithm>
#include <array>
#include <utility>

#include <arrow/api.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "recipe/message_export/chunk_spec.h"
#include "recipe/message_export/estimate.h"
#include "recipe/message_export/file_names.h"
#include "recipe/output/assemble.h"
#include "recipe/output/chunk_writer.h"
#include "recipe/output/part_encoder.h"
#include "staging/staging.h"
#include "storage/key.h"

namespace spillway::recipe {
namespace {

constexpr int64_t kRowsPerChunk = 131072;
constexpr int64_t kRowsPerParquetFile = 524288;
constexpr int64_t kRowsPerZipMember = 1048576;

/// kNotFound where the lake has nothing of the organisation. Only operators hear of others.
Result<> CheckOrganisation(const lake::CommitLog& log, const request::Identity& who) {
  const auto found = log.Read(who.organisation);
  if (found.has_value()) return {};
  if (found.error().code != ErrorCode::kNotFound || who.role == request::Role::kOperator)
    return std::unexpected(found.error());
  Error error = found.error();
  error.message = fmt::format("there are no messages of {}", who.organisation);
  return std::unexpected(std::move(error));
}

Result<MessageExportParameters> ParametersOf(const engine::Job& job) {
  return ParametersFromJson(job.parameters, OutputOptions{});
}

lake::CutOptions CutFor(const OutputOptions& output) {
  lake::CutOptions cut{.rows_max = kRowsPerChunk};
  if (output.format == FileFormat::kParquet) cut.rows_max = kRowsPerParquetFile;
  if (output.compression == Compression::kZip) {
    cut.rows_max = kRowsPerZipMember;
    cut.daily_in_zone = output.time_zone;
  }
  if (output.limits.on_limit == OnLimit::kSplit) cut.rows_per_file = output.limits.rows_per_file;
  return cut;
}

/// E8: what a limit on rows does to a read, besides splitting it.
Result<int64_t> ApplyRowLimit(const Limits& limits, std::vector<lake::ReadUnit>& units,
                              int64_t rows) {
  const int64_t limit = limits.rows_per_file;
  if (limit == 0 || rows <= limit || limits.on_limit == OnLimit::kSplit) return 0;
  if (limits.on_limit == OnLimit::kFail) {
    return Fail(ErrorCode::kOutOfSpace,
                std::to_string(rows) + " rows are more than limits.rows_per_file " +
                    std::to_string(limit) +
                    " allows; ask for a shorter range, or set on_limit: split");
  }
  int64_t kept = 0;
  size_t units_kept = 0;
  while (kept < limit) {
    lake::ReadUnit& unit = units[units_kept++];
    unit.rows = std::min(unit.rows, limit - kept);
    kept += unit.rows;
  }
  units.resize(units_kept);
  return rows - limit;
}

/// Gives every unit its file, or its member in the archive.
Result<std::vector<ChunkSpec>> NameFiles(const MessageExportParameters& parameters,
                                         std::string_view export_name,
                                         const std::vector<lake::ReadUnit>& units) {
  const OutputOptions& output = parameters.output;
  const FileKind kind = TRY(FileKind::Make(output));
  const std::string extension = kind.extension();
  const TimeZone zone = TRY(FindTimeZone(output.time_zone));
  const std::string stem = std::string(export_name) + "_" + RangeName(parameters.range, zone);
  std::vector<ChunkSpec> specs;
  if (output.compression == Compression::kZip) {
    std::string day;
    int64_t of_day = 0;
    for (const lake::ReadUnit& unit : units) {
      const std::string unit_day = DayName(unit.range.begin, zone);
      of_day = unit_day == day ? of_day + 1 : 1;
      day = unit_day;
      specs.push_back(
          {.unit = unit, .file = NumberedName(day, of_day, of_day == 1 ? 1 : 2, extension)});
    }
    return specs;
  }
  const int64_t per_file = CutFor(output).rows_per_file;
  int64_t rows = 0;
  for (const lake::ReadUnit& unit : units) rows += unit.rows;
  const int64_t files = per_file == 0 ? 1 : std::max<int64_t>(1, (rows + per_file - 1) / per_file);
  int64_t at = 0;
  for (const lake::ReadUnit& unit : units) {
    const int64_t file = per_file == 0 ? 0 : at / per_file;
    ChunkSpec spec{.unit = unit, .file = NumberedName(stem, file + 1, files, extension)};
    spec.first = at == file * per_file;
    at += unit.rows;
    spec.last = at == rows || (per_file > 0 && at % per_file == 0);
    specs.push_back(std::move(spec));
  }
  return specs;
}

std::string SourceJson(const lake::ReadPlan& plan) {
  return nlohmann::json{
      {"lake_version", plan.version},  {"rows", plan.rows},
      {"partitions", plan.partitions}, {"partitions_pruned", plan.partitions_pruned},
      {"files", plan.files},           {"files_pruned", plan.files_pruned},
      {"row_groups", plan.row_groups}, {"row_groups_pruned", plan.row_groups_pruned},
      {"bytes", plan.bytes},           {"bytes_pruned", plan.bytes_pruned}}
      .dump();
}

}  // namespace

lake::Projection MessageExport::ProjectionOf(const OutputOptions& output) const {
  lake::Projection projection;
  for (const auto& [source, name] : output.columns) projection.columns.push_back({source, name});
  if (!projection.columns.empty()) return projection;
  for (const auto& field : schema_.columns->fields()) {
    projection.columns.push_back({.source = field->name(), .name = field->name()});
  }
  return projection;
}

Result<CanonicalRequest> MessageExport::Canonicalise(const Request& request) const {
  const auto defaults = defaults_.find(request.export_name);
  if (defaults == defaults_.end()) {
    return Fail(ErrorCode::kNotFound,
                "no export named \"" + request.export_name + "\" is configured");
  }
  MessageExportParameters parameters = TRY(ParametersOfRequest(request, defaults->second));
  OutputOptions& output = parameters.output;
  TRY(CheckOutput(output, request.parameters));
  TRY(resources_.Destination(output.destination));
  const lake::Projection projection = ProjectionOf(output);
  output.columns.clear();
  for (const auto& [source, name] : projection.columns) output.columns.push_back({source, name});
  const auto schema = TRY(lake::ProjectedSchema(schema_, projection));
  const FileKind kind = TRY(FileKind::Make(output));
  TRY(kind.format->NewEncoder(*schema, {}));
  TRY(CheckColumns(output.limits, static_cast<int64_t>(output.columns.size())));
  const Resources::Lake lake = TRY(resources_.OpenLake());
  TRY(CheckOrganisation(*lake.log, request.who));
  // Nobody else can work on an export to a process's own output, so it waits for nobody either.
  const bool streams = output.destination.starts_with('-');
  return CanonicalRequest{
      .tenant = parameters.organisation,
      .group = request.export_name + (streams ? " to " + output.destination : ""),
      .parameters = ToJson(parameters)};
}

Result<Destination> MessageExport::DestinationOf(const engine::Job& job) const {
  const MessageExportParameters parameters = TRY(ParametersOf(job));
  std::shared_ptr<storage::ObjectStore> store =
      TRY(resources_.Destination(parameters.output.destination));
  return Destination{
      .store = std::move(store),
      .directory = storage::EscapeKeySegment(parameters.organisation) + "/" + job.id};
}

Result<lake::ReadPlan> MessageExport::Read(const MessageExportParameters& parameters,
                                           std::stop_token stop) const {
  const Resources::Lake lake = TRY(resources_.OpenLake());
  const lake::Snapshot snapshot = TRY(lake.log->Read(parameters.organisation));
  return lake::PlanRead(*lake.store, schema_, snapshot, parameters.range, CutFor(parameters.output),
                        std::move(stop));
}

Result<Survey> MessageExport::Look(const std::string& export_name, const CanonicalRequest& request,
                                   std::stop_token stop) const {
  const MessageExportParameters parameters =
      TRY(ParametersFromJson(request.parameters, OutputOptions{}));
  const lake::ReadPlan plan = TRY(Read(parameters, stop));
  const Resources::Lake lake = TRY(resources_.OpenLake());
  format::CsvOptions csv = parameters.output.csv;
  csv.time_zone = parameters.output.time_zone;
  const uint64_t estimate =
      TRY(EstimateCsvBytes(*lake.store, schema_, plan, ProjectionOf(parameters.output), csv, stop));
  const auto bytes = [](uint64_t count) { return static_cast<int64_t>(count); };
  const auto chunks = static_cast<int64_t>(plan.units.size());
  const nlohmann::ordered_json json = {
      {"lake_version", plan.version},
      {"rows", plan.rows},
      {"chunks", chunks},
      {"partitions", {{"read", plan.partitions}, {"skipped", plan.partitions_pruned}}},
      {"files", {{"read", plan.files}, {"skipped", plan.files_pruned}}},
      {"row_groups", {{"read", plan.row_groups}, {"skipped", plan.row_groups_pruned}}},
      {"bytes", {{"read", plan.bytes}, {"skipped", plan.bytes_pruned}}},
      {"estimated_csv_bytes", estimate}};
  return Survey{
      .of = fmt::format("{} of {}, lake version {}", export_name, parameters.organisation,
                        plan.version),
      .readings =
          {{.what = "partitions", .read = plan.partitions, .skipped = plan.partitions_pruned},
           {.what = "files", .read = plan.files, .skipped = plan.files_pruned},
           {.what = "row groups", .read = plan.row_groups, .skipped = plan.row_groups_pruned},
           {.what = "bytes",
            .read = bytes(plan.bytes),
            .skipped = bytes(plan.bytes_pruned),
            .in_bytes = true}},
      .planned = plan.rows,
      .chunks = chunks,
      .output_bytes = estimate,
      .json = json.dump()};
}

Result<Planned> MessageExport::MakePlan(const engine::Job& job, Planning& plan,
                                        std::stop_token stop) const {
  const MessageExportParameters parameters = TRY(ParametersOf(job));
  lake::ReadPlan read = TRY(Read(parameters, std::move(stop)));
  Planned planned{
      .source = SourceJson(read), .planned = read.rows, .bytes = static_cast<int64_t>(read.bytes)};
  if (read.units.empty()) read.units.push_back({.range = parameters.range, .slices = {}});
  const int64_t cut_off = TRY(ApplyRowLimit(parameters.output.limits, read.units, read.rows));
  std::vector<ChunkSpec> specs = TRY(NameFiles(parameters, job.export_name, read.units));
  specs.back().cut_off = cut_off;
  for (const ChunkSpec& spec : specs) {
    TRY(plan.Add(ToJson(spec), spec.unit.rows + spec.cut_off));
  }
  return planned;
}

Result<ChunkOutcome> MessageExport::Process(const engine::Job& job, const engine::Chunk& chunk,
                                            engine::Staging& staging, Progress& progress,
                                            std::stop_token stop) const {
  const MessageExportParameters parameters = TRY(ParametersOf(job));
  const ChunkSpec spec = TRY(ChunkSpecFromJson(chunk.spec));
  const lake::Projection projection = ProjectionOf(parameters.output);
  const std::shared_ptr<arrow::Schema> schema = TRY(lake::ProjectedSchema(schema_, projection));
  const FileKind kind = TRY(FileKind::Make(parameters.output));
  ChunkWriter writer(parameters.output, kind, *schema,
                     {{.file = spec.file, .first = spec.first, .last = spec.last}}, chunk.index,
                     parameters.range.end, staging);
  uint64_t source_bytes = 0;
  if (!spec.unit.slices.empty()) {
    const Resources::Lake lake = TRY(resources_.OpenLake());
    engine::ChunkProgress done;
    const auto take = [&](const arrow::RecordBatch& batch) -> Result<> {
      TRY(writer.Append(batch, stop));
      done.rows += batch.num_rows();
      done.bytes = static_cast<int64_t>(writer.bytes());
      return progress.Report(done);
    };
    source_bytes = TRY(lake::Scan(*lake.store, schema_, spec.unit, projection, stop, take));
  }
  engine::ChunkResult result = TRY(writer.Finish(spec.unit.rows, spec.cut_off, stop));
  result.source_bytes = source_bytes;
  return result;
}

Result<Assembly> MessageExport::Assemble(const engine::Job& job, std::vector<engine::Part> parts,
                                         engine::Staging& staging, std::stop_token /*stop*/) const {
  const MessageExportParameters parameters = TRY(ParametersOf(job));
  const OutputOptions& output = parameters.output;
  const TimeZone zone = TRY(FindTimeZone(output.time_zone));
  const std::string stem = job.export_name + "_" + RangeName(parameters.range, zone);
  return AssembleFiles(output, stem, std::move(parts), parameters.range.end, staging);
}

}  // namespace spillway::recipe
