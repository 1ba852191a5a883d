#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "recipe/definition.h"
#include "recipe/output/assemble.h"
#include "recipe/output/chunk_writer.h"
#include "recipe/output/output_settings.h"
#include "staging/staging.h"
#include "storage/key.h"

namespace spillway::recipe::directory_listing {
namespace {

using Json = nlohmann::json;

constexpr int64_t kFilesPerChunk = 100;

/// What an export's section of the configuration has, beside what the files look like.
struct Settings : OutputSettings {
  std::filesystem::path directory;
  bool operator==(const Settings&) const = default;
};

struct Listed {
  std::filesystem::path directory;
  OutputOptions output;
};

/// The names of the files in a directory, sorted.
Result<std::vector<std::string>> NamesIn(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    if (!at->is_regular_file(error)) continue;
    names.push_back(at->path().filename().string());
    if (!IsUtf8(names.back())) {
      return Fail(ErrorCode::kInvalidArgument,
                  directory.string() + " has a file whose name is not UTF-8; rename it");
    }
  }
  if (error) return std::unexpected(FromErrno(error.value(), directory.string()));
  std::ranges::sort(names);
  return names;
}

std::shared_ptr<arrow::Schema> SchemaOfListing() {
  return arrow::schema(
      {arrow::field("name", arrow::utf8(), false), arrow::field("bytes", arrow::int64(), false)});
}

/// One export of this recipe lists the files of a directory: a row a file, a chunk a thousand
/// files.
class DirectoryListing final : public Recipe {
 public:
  DirectoryListing(std::map<std::string, Listed> exports, Resources& resources)
      : exports_(std::move(exports)), resources_(resources) {}

  std::string_view name() const override { return "directory_listing"; }

  Result<CanonicalRequest> Canonicalise(const Request& request) const override {
    OutputOptions output =
        TRY(OutputOf(request.parameters, exports_.at(request.export_name).output));
    TRY(CheckOutput(output, request.parameters));
    return CanonicalRequest{.tenant = request.who.organisation,
                            .group = request.export_name,
                            .parameters = ToJson(output).dump()};
  }

  Result<Destination> DestinationOf(const engine::Job& job) const override {
    const OutputOptions output = TRY(OutputOf(job.parameters, {}));
    std::shared_ptr<storage::ObjectStore> store = TRY(resources_.Destination(output.destination));
    return Destination{
        .store = std::move(store), .directory = job.export_name + "/" + job.id, .files_at = {}};
  }

  Result<Survey> Look(const std::string& export_name, const CanonicalRequest& /*request*/,
                      std::stop_token /*stop*/) const override {
    const std::filesystem::path& directory = exports_.at(export_name).directory;
    const auto files = static_cast<int64_t>(TRY(NamesIn(directory)).size());
    const int64_t chunks = std::max<int64_t>(1, (files + kFilesPerChunk - 1) / kFilesPerChunk);
    return Survey{.of = export_name + " of " + directory.string(),
                  .planned = files,
                  .chunks = chunks,
                  .json = Json{{"rows", files}, {"chunks", chunks}}.dump()};
  }

  Result<Planned> MakePlan(const engine::Job& job, Planning& plan,
                           std::stop_token /*stop*/) const override {
    const std::vector<std::string> names = TRY(NamesIn(exports_.at(job.export_name).directory));
    size_t at = 0;
    do {
      const size_t end = std::min<size_t>(at + kFilesPerChunk, names.size());
      const std::vector<std::string> some(names.begin() + static_cast<ptrdiff_t>(at),
                                          names.begin() + static_cast<ptrdiff_t>(end));
      const Json spec = {{"names", some}, {"first", at == 0}, {"last", end == names.size()}};
      TRY(plan.Add(spec.dump(), static_cast<int64_t>(some.size())));
      at = end;
    } while (at < names.size());
    return Planned{.source = Json{{"files", names.size()}}.dump(),
                   .planned = static_cast<int64_t>(names.size())};
  }

  Result<ChunkOutcome> Process(const engine::Job& job, const engine::Chunk& chunk,
                               engine::Staging& staging, Progress& /*progress*/,
                               std::stop_token stop) const override {
    const OutputOptions output = TRY(OutputOf(job.parameters, {}));
    const FileKind kind = TRY(FileKind::Make(output));
    const Json spec = Json::parse(chunk.spec);
    const auto schema = SchemaOfListing();
    ChunkWriter writer(output, kind, *schema,
                       {{.file = job.export_name + kind.extension(),
                         .first = spec.at("first").get<bool>(),
                         .last = spec.at("last").get<bool>()}},
                       chunk.index, job.created_at, staging);
    arrow::StringBuilder names;
    arrow::Int64Builder bytes;
    std::vector<engine::ErrorRecord> gone;
    for (const auto& name : spec.at("names").get<std::vector<std::string>>()) {
      std::error_code error;
      const uintmax_t size =
          std::filesystem::file_size(exports_.at(job.export_name).directory / name, error);
      if (error) {  // What was planned and is not written is told, or the job does not end well.
        gone.push_back({.key = name, .classification = "not_found", .message = error.message()});
        continue;
      }
      if (!names.Append(name).ok() || !bytes.Append(static_cast<int64_t>(size)).ok())
        return Fail(ErrorCode::kOutOfSpace, "there is not enough memory for a chunk of names");
    }
    const auto rows = names.length();
    TRY(writer.Append(*arrow::RecordBatch::Make(schema, rows, {*names.Finish(), *bytes.Finish()}),
                      stop));
    engine::ChunkResult result = TRY(writer.Finish(rows, 0, stop));
    result.counts.planned = chunk.planned;
    result.counts.failed = static_cast<int64_t>(gone.size());
    result.errors = std::move(gone);
    return result;
  }

  Result<Assembly> Assemble(const engine::Job& job, std::vector<engine::Part> parts,
                            engine::Staging& staging, std::stop_token /*stop*/) const override {
    return AssembleFiles(TRY(OutputOf(job.parameters, {})), job.export_name, std::move(parts),
                         job.created_at, staging);
  }

 private:
  static Result<OutputOptions> OutputOf(std::string_view parameters, OutputOptions output) {
    const Json json = Json::parse(parameters);
    ObjectReader reader(json, "");
    TRY(ReadOutput(reader, output));
    TRY(reader.RefuseOthers());
    return output;
  }

  const std::map<std::string, Listed> exports_;
  Resources& resources_;
};

class DirectoryListingDefinition final : public Definition {
 public:
  std::string_view name() const override { return "directory_listing"; }
  std::string_view summary() const override { return "the files of a directory, a row a file"; }

  std::shared_ptr<const config::AnySection> settings() const override {
    config::Section<Settings> section;
    section.Field("directory", &Settings::directory)
        .Help("The directory whose files are listed.")
        .Required();
    section.Include(DeclareOutput());
    section.Rule([](const Settings& settings, config::Complaints& complaints) {
      if (settings.limits.rows_per_file > 0)
        complaints.About("limits.rows_per_file", "is not kept by listings; remove it");
    });
    return std::make_shared<config::SectionOf<Settings>>(std::move(section));
  }

  request::Form form(const config::AnyValue& /*settings*/) const override {
    request::Form form{.of = "listings of directories", .fields = OutputFields()};
    std::erase_if(form.fields, [](const request::Field& field) {  // Its plan keeps no such limit.
      return field.name == "rows_per_file" || field.name == "on_limit";
    });
    return form;
  }

  Result<std::unique_ptr<Recipe>> Make(const std::vector<Export>& exports,
                                       Resources& resources) const override {
    std::map<std::string, Listed> listed;
    for (const Export& each : exports) {
      const auto& settings = each.settings.As<Settings>();
      listed[each.name] = {settings.directory, OptionsOf(settings, each.destination)};
    }
    return std::make_unique<DirectoryListing>(std::move(listed), resources);
  }
};

}  // namespace

std::unique_ptr<const Definition> Define() {
  return std::make_unique<DirectoryListingDefinition>();
}

}  // namespace spillway::recipe::directory_listing
