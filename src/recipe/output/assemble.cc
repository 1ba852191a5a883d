#include "recipe/output/assemble.h"

#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "recipe/output/chunk_writer.h"
#include "recipe/output/part_encoder.h"
#include "recipe/recipients.h"

namespace spillway::recipe {
namespace {

/// Bytes of a part before compression.
uint64_t EncodedBytes(const engine::Part& part) {
  const auto detail = nlohmann::json::parse(part.detail, nullptr, /*allow_exceptions=*/false);
  if (!detail.is_object()) return part.bytes;
  return detail.value("member_bytes", part.bytes);
}

Result<> CheckBytes(const OutputOptions& output, const std::vector<engine::Part>& parts) {
  std::map<std::string, uint64_t> bytes_of_file;
  for (const engine::Part& part : parts) bytes_of_file[part.file] += EncodedBytes(part);
  for (const auto& [file, bytes] : bytes_of_file) {
    if (bytes <= output.limits.bytes_per_file) continue;
    return Fail(ErrorCode::kOutOfSpace,
                file + " has " + std::to_string(bytes) +
                    " bytes, more than limits.bytes_per_file " +
                    std::to_string(output.limits.bytes_per_file) +
                    " allows; ask for a shorter range, or set on_limit: split");
  }
  return {};
}

/// Keeps the parts that fit under a limit of bytes; the rows of the others are cut off.
void Truncate(const Limits& limits, std::vector<engine::Part>& parts, Assembly& assembly) {
  uint64_t bytes = 0;
  size_t kept = 0;
  while (kept < parts.size()) {
    bytes += EncodedBytes(parts[kept]);
    if (bytes > limits.bytes_per_file) break;
    ++kept;
  }
  for (size_t i = kept; i < parts.size(); ++i) assembly.cut_off += parts[i].rows;
  parts.resize(kept);
  if (assembly.cut_off == 0) return;
  assembly.errors.push_back(
      {.key = std::to_string(assembly.cut_off) + " rows",
       .classification = std::string(kExcluded),
       .message = "left out at limits.bytes_per_file " + std::to_string(limits.bytes_per_file)});
}

Result<OutputFile> Archive(std::string name, std::vector<engine::Part> parts, Timestamp modified,
                           engine::Staging& staging) {
  std::vector<envelope::ZipEntry> entries;
  for (const engine::Part& part : parts) entries.push_back(TRY(ZipEntryFromJson(part.detail)));
  Buffer directory;
  TRY(envelope::AppendZipDirectory(entries, modified, directory));
  parts.push_back(TRY(staging.Append(kArchive, directory.bytes())));
  return OutputFile{.name = std::move(name), .parts = std::move(parts)};
}

}  // namespace

Result<Assembly> AssembleFiles(const OutputOptions& output, std::string_view stem,
                               std::vector<engine::Part> parts, Timestamp modified,
                               engine::Staging& staging) {
  const FileKind kind = TRY(FileKind::Make(output));
  Assembly assembly;
  if (output.limits.bytes_per_file > 0) {
    if (output.limits.on_limit == OnLimit::kTruncate) Truncate(output.limits, parts, assembly);
    if (output.limits.on_limit == OnLimit::kFail) TRY(CheckBytes(output, parts));
  }
  if (output.compression == Compression::kZip) {
    assembly.files.push_back(
        TRY(Archive(std::string(stem) + ".zip", std::move(parts), modified, staging)));
    return assembly;
  }
  const bool alone = PartsAreFiles(output, kind);
  const auto total = static_cast<int64_t>(parts.size());
  for (int64_t i = 0; engine::Part & part : parts) {
    std::string name = alone ? NumberedName(stem, ++i, total, kind.extension()) : part.file;
    if (assembly.files.empty() || assembly.files.back().name != name) {
      assembly.files.push_back({.name = std::move(name), .parts = {}});
    }
    assembly.files.back().parts.push_back(std::move(part));
  }
  return assembly;
}

std::string NumberedName(std::string_view stem, int64_t number, int64_t files,
                         std::string_view extension) {
  if (files == 1) return fmt::format("{}{}", stem, extension);
  return fmt::format("{}_{:05}{}", stem, number, extension);
}

}  // namespace spillway::recipe
