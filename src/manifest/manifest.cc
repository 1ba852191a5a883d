#include "manifest/manifest.h"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/signing.h"
#include "storage/objects.h"

namespace spillway::engine {
namespace {

using Json = nlohmann::ordered_json;

/// What every reader of JSON can hold, and small enough to be added up.
constexpr int64_t kCountMax = int64_t{1} << 53;
/// Writing JSON takes stack for every level.
constexpr int kDepthMax = 100;

Json FileToJson(const ManifestFile& file) {
  Json parts = Json::array();
  for (const ManifestPart& part : file.parts) {
    parts.push_back({{"offset", part.offset},
                     {"bytes", part.bytes},
                     {"rows", part.rows},
                     {"sha256", part.sha256}});
  }
  Json json = {
      {"name", file.name}, {"bytes", file.bytes}, {"rows", file.rows}, {"parts", std::move(parts)}};
  if (!file.item.empty()) json["item"] = file.item;
  return json;
}

Json ErrorsToJson(const std::vector<ErrorRecord>& errors) {
  Json list = Json::array();
  for (const ErrorRecord& error : errors) {
    list.push_back(
        {{"key", error.key}, {"classification", error.classification}, {"message", error.message}});
  }
  return list;
}

std::unexpected<Error> Corrupt(const std::string& what) {
  return Fail(ErrorCode::kCorrupt,
              "the manifest " + what + "; get it again from where the export was delivered");
}

/// Counts are sums of other counts in the document: refuse what would overflow them.
template <class Integer>
Integer Count(const Json& json, const char* name) {
  const Json& value = json.at(name);

  if (!value.is_number_unsigned() || value.get<uint64_t>() > kCountMax) {
    throw std::out_of_range(std::string("\"") + name + "\" is not a count");
  }
  return static_cast<Integer>(value.get<uint64_t>());
}

ManifestFile FileFromJson(const Json& json) {
  ManifestFile file{.name = json.at("name").get<std::string>(),
                    .item = json.value("item", ""),
                    .bytes = Count<uint64_t>(json, "bytes"),
                    .rows = Count<int64_t>(json, "rows"),
                    .parts = {}};
  for (const Json& part : json.at("parts")) {
    file.parts.push_back({.offset = Count<uint64_t>(part, "offset"),
                          .bytes = Count<uint64_t>(part, "bytes"),
                          .rows = Count<int64_t>(part, "rows"),
                          .sha256 = part.at("sha256").get<std::string>()});
  }
  return file;
}

Manifest Parse(std::string_view text) {
  const Json json = Json::parse(text, [](int depth, Json::parse_event_t, const Json&) {
    if (depth > kDepthMax) throw std::out_of_range("is nested too deep");
    return true;
  });
  if (Count<int>(json, "spillway_manifest") != Manifest::kVersion) {
    throw std::out_of_range("is of a version that this spillway does not know");
  }
  const Json& job = json.at("job");
  const Json& counts = json.at("counts");
  Manifest manifest;
  job.at("id").get_to(manifest.job_id);
  job.at("export").get_to(manifest.export_name);
  job.at("recipe").get_to(manifest.recipe);
  job.at("tenant").get_to(manifest.tenant);
  manifest.parameters = job.at("parameters").dump();
  manifest.source = json.at("source").dump();
  manifest.counts = {.planned = Count<int64_t>(counts, "planned"),
                     .written = Count<int64_t>(counts, "written"),
                     .excluded = Count<int64_t>(counts, "excluded"),
                     .failed = Count<int64_t>(counts, "failed"),
                     .bytes = Count<int64_t>(counts, "bytes")};
  if (json.contains("levels_up")) manifest.levels_up = Count<int>(json, "levels_up");
  manifest.files_at = json.value("files_at", "");
  for (const Json& file : json.at("files")) manifest.files.push_back(FileFromJson(file));
  for (const Json& error : json.at("errors")) {
    manifest.errors.push_back({.key = error.at("key").get<std::string>(),
                               .classification = error.at("classification").get<std::string>(),
                               .message = error.at("message").get<std::string>()});
  }
  if (json.contains("errors_left_out"))
    manifest.errors_left_out = Count<int64_t>(json, "errors_left_out");
  for (const Json& report : json.value("reports", Json::array()))
    manifest.reports.push_back(FileFromJson(report));
  manifest.tallies = json.value("tallies", Tallies());
  return manifest;
}

/// Names come from outside: they must stay below the manifest's directory.
bool IsInside(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.find('\0') != std::string_view::npos)
    return false;
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find('/', at), name.size());
    const std::string_view segment = name.substr(at, end - at);
    if (segment.empty() || segment == "." || segment == "..") return false;
    at = end + 1;
  }
  return true;
}

/// Whether the file's parts make it up, one behind the other.
Result<> CheckParts(const ManifestFile& file) {
  if (!IsInside(file.name)) return Corrupt("names a file outside its directory");
  uint64_t offset = 0;
  int64_t part_rows = 0;
  for (const ManifestPart& part : file.parts) {
    if (part.offset != offset) return Corrupt("has parts of " + file.name + " that do not join");
    offset += part.bytes;
    part_rows += part.rows;
    if (offset > kCountMax || part_rows > kCountMax) {
      return Corrupt("counts more than there can be");
    }
  }
  if (offset == file.bytes && part_rows == file.rows) return {};
  return Corrupt("has parts of " + file.name + " that do not make up the file");
}

Result<> CheckSums(const Manifest& manifest) {
  if (!manifest.counts.Reconciled()) return Corrupt("does not reconcile");
  int64_t rows = 0;
  uint64_t bytes = 0;
  std::set<std::string_view> items;
  for (const ManifestFile& file : manifest.files) {
    if (file.item.empty() != manifest.files.front().item.empty()) {
      return Corrupt("counts items in some files and rows in others");
    }
    items.insert(file.item);
    TRY(CheckParts(file));
    rows += file.rows;
    bytes += file.bytes;
    if (rows > kCountMax || bytes > kCountMax) return Corrupt("counts more than there can be");
  }
  for (const ManifestFile& report : manifest.reports) TRY(CheckParts(report));
  // Without files, what was written were actions.
  const bool counts_items = !manifest.files.empty() && !manifest.files.front().item.empty();
  const int64_t written = counts_items ? static_cast<int64_t>(items.size()) : rows;
  const bool fits = manifest.files.empty() || written == manifest.counts.written;
  if (!fits || static_cast<int64_t>(bytes) != manifest.counts.bytes) {
    return Corrupt("has files that do not add up to its counts");
  }
  return {};
}

Result<std::optional<std::string>> CheckPart(const storage::ObjectReader& reader,
                                             const ManifestFile& file, const ManifestPart& part,
                                             std::span<std::byte> block,
                                             const std::function<void(uint64_t)>& checked) {
  Sha256 hash;
  for (uint64_t done = 0; done < part.bytes;) {
    const size_t wanted = std::min<uint64_t>(block.size(), part.bytes - done);
    const size_t got = TRY(
        const_cast<storage::ObjectReader&>(reader).ReadAt(part.offset + done, block.first(wanted)));
    if (got == 0) break;
    hash.Update(block.first(got));
    done += got;
    checked(got);
  }
  if (ToHex(hash.Finish()) == part.sha256) return std::nullopt;
  return file.name + ": bytes " + std::to_string(part.offset) + " to " +
         std::to_string(part.offset + part.bytes) + " are not those that were exported";
}

Result<> CheckFile(storage::ObjectStore& store, std::string_view directory,
                   const ManifestFile& file, const std::function<void(uint64_t)>& checked,
                   std::vector<std::string>& problems) {
  const std::string key = directory.empty() ? file.name : std::string(directory) + "/" + file.name;
  const Result<std::unique_ptr<storage::ObjectReader>> reader = store.Open(key, {});
  if (!reader.has_value()) {
    if (reader.error().code != ErrorCode::kNotFound) return std::unexpected(reader.error());
    problems.push_back(file.name + ": is missing");
    return {};
  }
  if ((*reader)->size() != file.bytes) {
    problems.push_back(file.name + ": has " + std::to_string((*reader)->size()) + " bytes, not " +
                       std::to_string(file.bytes));
  }
  std::vector<std::byte> block(store.traits().transfer_bytes);
  for (const ManifestPart& part : file.parts) {
    if (auto problem = TRY(CheckPart(**reader, file, part, block, checked)))
      problems.push_back(*problem);
  }
  return {};
}

}  // namespace

std::string ToJson(const Manifest& manifest) {
  const auto embedded = [](const std::string& json) {
    return json.empty() ? Json::object() : Json::parse(json);
  };
  Json files = Json::array();
  for (const ManifestFile& file : manifest.files) files.push_back(FileToJson(file));
  const Counts& counts = manifest.counts;
  Json json = {{"spillway_manifest", Manifest::kVersion},
               {"job",
                {{"id", manifest.job_id},
                 {"export", manifest.export_name},
                 {"recipe", manifest.recipe},
                 {"tenant", manifest.tenant},
                 {"created_at", FormatTimestamp(manifest.created_at)},
                 {"finished_at", FormatTimestamp(manifest.finished_at)},
                 {"parameters", embedded(manifest.parameters)}}},
               {"counts",
                {{"planned", counts.planned},
                 {"written", counts.written},
                 {"excluded", counts.excluded},
                 {"failed", counts.failed},
                 {"bytes", counts.bytes}}},
               {"source", embedded(manifest.source)},
               {"files", std::move(files)},
               {"errors", ErrorsToJson(manifest.errors)}};
  if (manifest.levels_up > 0) json["levels_up"] = manifest.levels_up;
  if (!manifest.files_at.empty()) json["files_at"] = manifest.files_at;
  for (const ManifestFile& report : manifest.reports) json["reports"].push_back(FileToJson(report));
  if (!manifest.tallies.empty()) json["tallies"] = manifest.tallies;
  if (manifest.errors_left_out > 0) json["errors_left_out"] = manifest.errors_left_out;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Manifest> ManifestFromJson(std::string_view json) {
  try {
    Manifest manifest = Parse(json);
    TRY(CheckSums(manifest));
    return manifest;
  } catch (const std::exception& broken) {
    return Corrupt(std::string("cannot be read: ") + broken.what());
  }
}

Result<Manifest> ReadManifest(storage::ObjectStore& store, std::string_view directory) {
  const std::string base = directory.empty() ? "" : std::string(directory) + "/";
  return ManifestFromJson(TRY(storage::ReadWhole(store, base + std::string(Manifest::kName))));
}

Result<std::string> BaseOf(const Manifest& manifest, std::string_view directory) {
  if (!manifest.files_at.empty()) return "";
  for (int level = 0; level < manifest.levels_up; ++level) {
    if (directory.empty()) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the files of this manifest start " + std::to_string(manifest.levels_up) +
                      " directories above it; verify it where it was delivered");
    }
    const size_t slash = directory.rfind('/');
    directory = directory.substr(0, slash == std::string_view::npos ? 0 : slash);
  }
  return std::string(directory);
}

Result<Verification> Verify(storage::ObjectStore& store, std::string_view directory,
                            const VerifyingKey* key, const VerifyProgress& progress,
                            storage::ObjectStore* files) {
  const std::string base = directory.empty() ? "" : std::string(directory) + "/";
  const std::string text = TRY(storage::ReadWhole(store, base + std::string(Manifest::kName)));
  Verification found;
  found.manifest = TRY(ManifestFromJson(text));
  const Result<std::string> signature =
      storage::ReadWhole(store, base + std::string(Manifest::kSignatureName));
  if (signature.has_value()) {
    found.key_id = SignerOf(*signature);
    found.verified = key != nullptr && key->Verify(text, *signature);
    if (found.key_id.empty()) {
      found.problems.push_back("manifest.json.sig: is no signature");
    } else if (key != nullptr && !found.verified) {
      found.problems.push_back("manifest.json: the signature by key " + found.key_id +
                               " is not by the given key, " + key->id() + ", over these bytes");
    }
  } else if (signature.error().code != ErrorCode::kNotFound) {
    return std::unexpected(signature.error());
  } else if (key != nullptr) {
    found.problems.push_back("manifest.json: is not signed, but a key was given");
  }
  auto total = static_cast<uint64_t>(found.manifest.counts.bytes);
  for (const ManifestFile& report : found.manifest.reports) total += report.bytes;
  const auto checked = [&](uint64_t bytes) {
    if (progress) progress(bytes, total);
  };
  const std::string files_base = TRY(BaseOf(found.manifest, directory));
  if (!found.manifest.files_at.empty() && files == nullptr) {
    return Fail(ErrorCode::kInvalidArgument,
                "the files of this manifest are not with it, but at " + found.manifest.files_at);
  }
  storage::ObjectStore& store_of_files = found.manifest.files_at.empty() ? store : *files;
  for (const ManifestFile& file : found.manifest.files) {
    TRY(CheckFile(store_of_files, files_base, file, checked, found.problems));
  }
  for (const ManifestFile& report : found.manifest.reports) {
    TRY(CheckFile(store, directory, report, checked, found.problems));
  }
  return found;
}

}  // namespace spillway::engine
