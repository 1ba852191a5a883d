#include "recipe/query_export/query_export.h"

#include <algorithm>
#include <iterator>
#include <thread>
#include <utility>

#include <arrow/api.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "recipe/output/assemble.h"
#include "recipe/output/chunk_writer.h"
#include "recipe/output/part_encoder.h"
#include "recipe/query_export/layout.h"
#include "recipe/recipients.h"
#include "source/postgres/dependences.h"
#include "source/postgres/job_instant.h"
#include "source/postgres/locked_tables.h"
#include "source/postgres/named_query.h"
#include "source/postgres/row_keys.h"
#include "source/postgres/selection.h"
#include "staging/staging.h"
#include "storage/key.h"

namespace spillway::recipe {
namespace {

using postgres_source::CopyDecoder;
using postgres_source::Dependences;
using postgres_source::QueryReader;
using postgres_source::ReadOptions;
using postgres_source::Selection;
using postgres_source::Split;
using postgres_source::Wanted;

/// What a split takes in the table. Parts of a joined file wait for their turn in memory, so they
/// are small; files of their own are not.
constexpr int64_t kBytesPerPart = 16 << 20;
constexpr int64_t kBytesPerFile = 128 << 20;
/// Every split by a key may read everything.
constexpr int64_t kKeySplitsMax = 16;

Result<QueryExportParameters> ParametersOf(const engine::Job& job) {
  return QueryExportParametersFromJson(job.parameters, OutputOptions{});
}

/// Gives parameters that no request may give their values.
Result<> Bind(const QueryExportOptions& options, const request::Identity& who,
              QueryExportParameters& parameters) {
  for (const auto& [name, value] : options.parameters) {
    if (!parameters.values.emplace(name, value).second) {
      return Fail(ErrorCode::kInvalidArgument,
                  "parameters." + name + " has a fixed value in the configuration; leave it out");
    }
  }
  std::ranges::copy(options.concealed, std::back_inserter(parameters.concealed));
  if (options.query.empty()) return {};
  const auto query = TRY(postgres_source::NamedQuery::Parse(options.query));
  const std::string organisation(kOrganisationParameter);
  if (std::ranges::find(query.names(), organisation) == query.names().end()) return {};
  if (parameters.values.contains(organisation)) {
    return Fail(ErrorCode::kInvalidArgument,
                "parameters.organisation is the organisation of who asks; leave it out");
  }
  if (who.organisation.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "the query asks for :organisation, so an organisation is required");
  }
  parameters.values.emplace(organisation, who.organisation);
  return {};
}

Wanted WantedBy(const QueryExportOptions& options, const QueryExportParameters& parameters) {
  Wanted wanted{.table = options.table, .query = options.query};
  for (const auto& [name, value] : parameters.values) wanted.parameters.emplace_back(name, value);
  for (const auto& [source, name] : parameters.output.columns)
    wanted.columns.emplace_back(source, name);
  return wanted;
}

/// How the session reads that plans, and how others do with its snapshot.
ReadOptions ReadingToPlan(const QueryExportOptions& options, const OutputOptions& output) {
  return {.address = options.address,
          .statement_timeout = options.statement_timeout,
          .time_zone = output.time_zone,
          .snapshot = {},
          .row_security = options.row_security,
          .settings = {}};
}

ReadOptions Reading(const QueryExportOptions& options, const OutputOptions& output,
                    const QuerySource& source) {
  ReadOptions reading = ReadingToPlan(options, output);
  reading.snapshot = source.snapshot;
  reading.row_security = source.row_security;
  reading.settings = source.settings;
  return reading;
}

/// Refuses what the format could not write, before anything is read.
Result<> CheckColumns(const OutputOptions& output,
                      const std::vector<postgres_source::Column>& columns) {
  TRY(CheckColumns(output.limits, static_cast<int64_t>(columns.size())));
  const FileKind kind = TRY(FileKind::Make(output));
  TRY(kind.format->NewEncoder(*SchemaOf(columns), {}));
  return {};
}

/// What tells the rows of ranges apart, in the source.
Result<> ChooseKey(QueryReader& reader, const Selection& selection,
                   const QueryExportOptions& options, QuerySource& source,
                   const std::stop_token& stop) {
  if (options.split_column.empty()) return {};
  source.key = options.key;
  if (source.key.empty() && selection.table.has_value())
    source.key = TRY(postgres_source::KeyOf(reader, *selection.table, stop));
  if (!source.key.empty()) source.key_hash = TRY(KeyHash(reader, selection, source.key, stop));
  return {};
}

Result<std::vector<Split>> Cut(QueryReader& reader, const Selection& selection,
                               const QueryExportOptions& options, const OutputOptions& output,
                               const std::string& key_hash, const Dependences& dependences,
                               std::stop_token stop) {
  if (!options.split_column.empty()) {
    return SplitByKey(reader, selection, options.split_column, key_hash, kKeySplitsMax,
                      std::move(stop));
  }
  if (!options.split_by_place || !dependences.scan.empty()) return std::vector<Split>(1);
  const FileKind kind = TRY(FileKind::Make(output));
  const bool joined = kind.format->joinable() && output.compression != Compression::kZip;
  return SplitByPlace(reader, selection, joined ? kBytesPerPart : kBytesPerFile, std::move(stop));
}

std::vector<QueryChunk> ChunksOf(const std::vector<Split>& splits) {
  std::vector<QueryChunk> chunks;
  for (const Split& split : splits) {
    if (split.rows > 0)
      chunks.push_back({.condition = split.condition, .rows = split.rows, .keys = split.keys});
  }
  // A file without rows is a file.
  if (chunks.empty()) chunks.push_back({.condition = splits.front().condition});
  return chunks;
}

/// Reads a chunk's rows, and holds their keys against those that were counted.
Result<int64_t> ReadChunk(QueryReader& reader, const QuerySource& source, const QueryChunk& chunk,
                          int64_t index, const CopyDecoder::Consume& write, std::stop_token stop) {
  Selection selection{.from = source.from, .list = source.list, .columns = source.columns};
  if (chunk.cut_off > 0) {
    const std::string limit = " LIMIT " + std::to_string(chunk.rows);
    return reader.Read(selection.Select(chunk.condition) + limit, source.columns, write, stop);
  }
  if (chunk.keys.empty())
    return reader.Read(selection.Select(chunk.condition), source.columns, write, stop);
  selection.list += ", " + source.key_hash;
  selection.columns.push_back(postgres_source::KeyHashColumn());
  postgres_source::KeySum sum;
  const auto add = [&](const arrow::RecordBatch& batch) -> Result<> {
    const int last = batch.num_columns() - 1;
    TRY(sum.Add(*batch.column(last)));
    return write(**batch.RemoveColumn(last));
  };
  const int64_t sent =
      TRY(reader.Read(selection.Select(chunk.condition), selection.columns, add, std::move(stop)));
  if (sum.ToString() == chunk.keys) return sent;
  return Fail(
      ErrorCode::kCorrupt,
      fmt::format("chunk {}: its rows have other keys ({}) than those that were counted, so "
                  "rows are missing or come twice: what the query finds depends on how the "
                  "server scans; set split_by: none",
                  index, fmt::join(source.key, ", ")));
}

}  // namespace

Result<const QueryExportOptions*> QueryExport::Find(std::string_view export_name) const {
  if (const auto found = exports_.find(export_name); found != exports_.end()) return &found->second;
  return Fail(ErrorCode::kNotFound,
              "no query export named \"" + std::string(export_name) + "\" is configured");
}

Result<CanonicalRequest> QueryExport::Canonicalise(const Request& request) const {
  const QueryExportOptions* options = TRY(Find(request.export_name));
  QueryExportParameters parameters =
      TRY(QueryExportParametersFromJson(request.parameters, options->output));
  const OutputOptions& output = parameters.output;
  TRY(Bind(*options, request.who, parameters));
  TRY(CheckOutput(output, request.parameters));
  TRY(resources_.Destination(output.destination));
  TRY(CheckParameters(WantedBy(*options, parameters)));
  // Nobody else can work on an export to a process's own output, so it waits for nobody either.
  const bool streams = output.destination.starts_with('-');
  return CanonicalRequest{
      .tenant = request.who.organisation,
      .group = request.export_name + (streams ? " to " + output.destination : ""),
      .parameters = ToJson(parameters)};
}

Result<Destination> QueryExport::DestinationOf(const engine::Job& job) const {
  const QueryExportParameters parameters = TRY(ParametersOf(job));
  const std::string& owner = job.tenant.empty() ? job.export_name : job.tenant;
  std::shared_ptr<storage::ObjectStore> store =
      TRY(resources_.Destination(parameters.output.destination));
  return Destination{.store = std::move(store),
                     .directory = storage::EscapeKeySegment(owner) + "/" + job.id};
}

Result<QueryExport::Opened> QueryExport::OpenFor(const QueryExportOptions& options,
                                                 const QueryExportParameters& parameters,
                                                 std::stop_token stop) {
  Opened opened;
  opened.reader = TRY(QueryReader::Open(ReadingToPlan(options, parameters.output), stop));
  QueryReader& reader = *opened.reader;
  opened.selection = TRY(Resolve(reader, WantedBy(options, parameters), stop));
  TRY(CheckNoneRewritten(reader, stop));
  TRY(CheckColumns(parameters.output, opened.selection.columns));
  opened.dependences = TRY(FindDependences(reader, opened.selection.Select(),
                                           /*by_last_column=*/false, std::move(stop)));
  if (const std::string& function = opened.dependences.switches_policies_on;
      !options.row_security && !function.empty()) {
    return Fail(ErrorCode::kPermissionDenied,
                fmt::format("{} sets row_security = on, so policies may hide rows in it without a "
                            "word: ALTER FUNCTION {} RESET row_security; or export what policies "
                            "show, with row_security: allow",
                            function, function));
  }
  return opened;
}

Result<QueryExport::Found> QueryExport::FindWhatIsRead(std::string_view export_name,
                                                       std::string_view canonical_parameters,
                                                       std::stop_token stop) const {
  const QueryExportOptions* options = TRY(Find(export_name));
  const QueryExportParameters parameters =
      TRY(QueryExportParametersFromJson(canonical_parameters, OutputOptions{}));
  const OutputOptions& output = parameters.output;
  Found found;
  Opened opened = TRY(OpenFor(*options, parameters, stop));
  found.holder = std::move(opened.reader);
  QueryReader& reader = *found.holder;
  const Selection& selection = opened.selection;
  const Dependences& dependences = opened.dependences;
  QuerySource& source = found.source;
  source = {.database = options->database,
            .server = reader.connection().server(),
            .from = selection.from,
            .list = selection.list,
            .columns = selection.columns,
            .tables = {},
            .one_session = dependences.session,
            .row_security = options->row_security,
            .policies = dependences.policies};
  // The query has its parameters' values in it.
  if (!parameters.concealed.empty()) source.concealed = {"/from"};
  if (source.row_security) source.policies_unseen_in = dependences.opaque_functions;
  source.snapshot = TRY(reader.ExportSnapshot(stop));
  source.settings = TRY(reader.settings(stop));
  source.instant = TRY(InstantOf(reader, stop));
  TRY(ChooseKey(reader, selection, *options, source, stop));
  std::vector<Split> splits =
      TRY(Cut(reader, selection, *options, output, source.key_hash, dependences, stop));
  TRY(Count(source, reader, selection, Reading(*options, output, source), splits, stop));
  // What functions read is locked no sooner.
  TRY(CheckNoneRewritten(reader, stop));
  if (source.one_session.empty())
    source.tables = TRY(LockedNamesakes(reader, dependences.tables, stop));
  if (splits.size() > 1)
    source.split_by = options->split_column.empty() ? "place" : options->split_column;
  found.chunks = ChunksOf(splits);
  source.splits = static_cast<int64_t>(found.chunks.size());
  for (const QueryChunk& chunk : found.chunks) source.rows += chunk.rows;
  return found;
}

Result<Survey> QueryExport::Look(const std::string& export_name, const CanonicalRequest& request,
                                 std::stop_token stop) const {
  const Found found = TRY(FindWhatIsRead(export_name, request.parameters, std::move(stop)));
  const QuerySource& source = found.source;
  auto json = WithoutSecrets(nlohmann::ordered_json::parse(TRY(ToJson(source))));
  json.erase("snapshot");  // It ends here.
  Survey survey{.of = fmt::format("{} from {}", export_name, source.server),
                .planned = source.rows,
                .chunks = source.splits,
                .json = json.dump()};
  if (!source.one_session.empty())
    survey.notes.push_back("one session reads all: " + source.one_session);
  for (const std::string& table : source.policies)
    survey.notes.push_back("row security chooses the rows of " + table);
  for (const std::string& function : source.policies_unseen_in)
    survey.notes.push_back("row security may hide rows from the function " + function);
  for (const auto& column : source.columns) {
    survey.columns.push_back(column.name + " " + column.type_name +
                             (column.cast_to_text ? ", as text" : ""));
  }
  return survey;
}

Result<int64_t> QueryExport::Examine(std::string_view export_name, std::stop_token stop) const {
  const QueryExportOptions* options = TRY(Find(export_name));
  QueryExportParameters parameters{.values = {}, .output = options->output};
  if (!options->query.empty()) {
    const auto query = TRY(postgres_source::NamedQuery::Parse(options->query));
    for (const std::string& name : query.names()) parameters.values[name] = std::nullopt;
  }
  const Opened opened = TRY(OpenFor(*options, parameters, stop));
  QuerySource source;
  TRY(ChooseKey(*opened.reader, opened.selection, *options, source, stop));
  if (!options->split_column.empty())
    TRY(CheckKey(*opened.reader, opened.selection, options->split_column, std::move(stop)));
  return static_cast<int64_t>(opened.selection.columns.size());
}

Result<> QueryExport::Count(const QuerySource& source, QueryReader& holder,
                            const Selection& selection, const ReadOptions& reading,
                            std::vector<Split>& splits, const std::stop_token& stop) const {
  if (splits.front().rows >= 0) return {};
  if (!source.one_session.empty()) return CountRows(holder, selection, splits.front(), stop);
  const int parallel = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  return CountRows(
      selection, [&] { return snapshots_->Borrow(reading, stop); }, parallel, splits, stop);
}

Result<Planned> QueryExport::MakePlan(const engine::Job& job, Planning& plan,
                                      std::stop_token stop) const {
  const QueryExportParameters parameters = TRY(ParametersOf(job));
  Found found = TRY(FindWhatIsRead(job.export_name, job.parameters, std::move(stop)));
  TRY(ApplyRowLimit(parameters.output.limits, found.chunks));
  TRY(LayOut(parameters.output, job.export_name, found.chunks));
  constexpr int64_t kBytesPerRow = 100;  // Roughly.
  std::string described = TRY(ToJson(found.source));
  for (const QueryChunk& chunk : found.chunks) {
    TRY(plan.Add(TRY(ToJson(chunk)), chunk.rows + chunk.cut_off));
  }
  snapshots_->Keep(job.id, found.source.snapshot, std::move(found.holder));
  return Planned{.source = std::move(described),
                 .planned = found.source.rows,
                 .bytes = found.source.rows * kBytesPerRow};
}

Result<ChunkOutcome> QueryExport::Process(const engine::Job& job, const engine::Chunk& chunk,
                                          engine::Staging& staging, Progress& progress,
                                          std::stop_token stop) const {
  const QueryExportOptions* options = TRY(Find(job.export_name));
  const QueryExportParameters parameters = TRY(ParametersOf(job));
  const QuerySource source = TRY(QuerySourceFromJson(job.plan));
  const QueryChunk spec = TRY(QueryChunkFromJson(chunk.spec));
  const FileKind kind = TRY(FileKind::Make(parameters.output));
  const std::shared_ptr<arrow::Schema> schema = SchemaOf(source.columns);
  ChunkWriter writer(parameters.output, kind, *schema, spec.runs, chunk.index, job.created_at,
                     staging);
  engine::ChunkProgress done;
  const auto write = [&](const arrow::RecordBatch& batch) -> Result<> {
    TRY(writer.Append(batch, stop));
    done.rows += batch.num_rows();
    done.bytes = static_cast<int64_t>(writer.bytes());
    return progress.Report(done);
  };
  const ReadOptions reading = Reading(*options, parameters.output, source);
  const auto read = [&](QueryReader& reader) -> Result<engine::ChunkResult> {
    const int64_t sent = TRY(ReadChunk(reader, source, spec, chunk.index, write, stop));
    TRY(CheckReadAsPlanned(reader, source.tables, stop));
    return writer.Finish(sent, spec.cut_off, stop);
  };
  if (!source.one_session.empty()) {
    const auto holder = TRY(snapshots_->BorrowHolder(job.id, reading, stop));
    return read(*holder);
  }
  const auto reader = TRY(snapshots_->Borrow(reading, stop));
  return read(*reader);
}

Result<Assembly> QueryExport::Assemble(const engine::Job& job, std::vector<engine::Part> parts,
                                       engine::Staging& staging, std::stop_token /*stop*/) const {
  const QueryExportParameters parameters = TRY(ParametersOf(job));
  return AssembleFiles(parameters.output, job.export_name, std::move(parts), job.created_at,
                       staging);
}

}  // namespace spillway::recipe
