#include "source/lake/adopt.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/encoding.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <simdjson.h>

#include "source/lake/column/column_reader.h"
#include "source/lake/data_file_name.h"
#include "source/lake/parquet_input.h"
#include "storage/objects.h"

namespace spillway::lake {
namespace {

constexpr int kAttempts = 5;
constexpr std::string_view kSuffix = ".parquet";

std::unexpected<Error> Refuse(std::string_view key, std::string_view reason) {
  return Fail(ErrorCode::kInvalidArgument, fmt::format("{} cannot be adopted: {}", key, reason));
}

std::string Unescape(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size()) {
      const char* digits = text.data() + i + 1;
      const auto [end, error] = std::from_chars(digits, digits + 2, value, 16);
      if (error == std::errc() && end == digits + 2) {
        plain += static_cast<char>(value);
        i += 2;
        continue;
      }
    }
    plain += text[i];
  }
  return plain;
}

/// The value of `<name>=<value>/` in a key.
std::optional<std::string> PartitionValue(std::string_view key, std::string_view name) {
  while (true) {
    const size_t slash = key.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const std::string_view segment = key.substr(0, slash);
    if (segment.size() > name.size() && segment.starts_with(name) && segment[name.size()] == '=') {
      return Unescape(segment.substr(name.size() + 1));
    }
    key.remove_prefix(slash + 1);
  }
}

/// What stands in one file.
class AdoptedFile {
 public:
  AdoptedFile(const storage::ObjectInfo& object, const LakeSchema& schema)
      : schema_(schema), file_{.key = object.key, .bytes = object.bytes} {}

  Result<DataFile> Read(storage::ObjectStore& store, std::string organisation,
                        const std::optional<std::string>& day, std::stop_token stop) {
    file_.organisation = std::move(organisation);
    const auto object = TRY(store.Open(file_.key, stop));
    const auto input = std::make_shared<ParquetInput>(*object);
    try {
      auto read = ReadFrom(input, std::move(stop));
      if (auto error = input->TakeError()) return std::unexpected(*std::move(error));
      TRY(std::move(read));
    } catch (const std::exception& error) {
      if (auto cause = input->TakeError()) return std::unexpected(*std::move(cause));
      return Refuse(file_.key, fmt::format("it is no readable Parquet file ({})", error.what()));
    }
    TRY(CheckDay(day));
    return std::move(file_);
  }

 private:
  Result<> ReadFrom(const std::shared_ptr<ParquetInput>& input, std::stop_token stop) {
    auto parquet = parquet::ParquetFileReader::Open(input);
    const auto metadata = parquet->metadata();
    const int time = TRY(CheckColumns(*metadata));
    std::unique_ptr<parquet::arrow::FileReader> reader;
    auto made = parquet::arrow::FileReader::Make(arrow::default_memory_pool(), std::move(parquet));
    if (!made.ok()) return Refuse(file_.key, made.status().message());
    reader = std::move(made).ValueUnsafe();
    for (int i = 0; i < metadata->num_row_groups(); ++i) {
      if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the adoption was cancelled");
      const auto group = metadata->RowGroup(i);
      if (group->num_rows() == 0) {
        return Refuse(file_.key, fmt::format("its row group {} is empty", i));
      }
      TRY(CheckChunks(*group));
      std::shared_ptr<arrow::ChunkedArray> times;
      const auto status = reader->RowGroup(i)->Column(time)->Read(&times);
      if (!status.ok()) return Refuse(file_.key, status.message());
      file_.row_groups.push_back({.rows = group->num_rows(),
                                  .bytes = static_cast<uint64_t>(group->total_compressed_size())});
      TRY(TakeTimes(*times, file_.row_groups.back()));
    }
    if (file_.row_groups.empty()) return Refuse(file_.key, "it has no rows");
    return {};
  }

  /// By what is stored, whatever Arrow wrote beside it: strings are strings, large or in
  /// dictionaries. Returns where the time stands among the fields.
  Result<int> CheckColumns(const parquet::FileMetaData& metadata) const {
    std::shared_ptr<arrow::Schema> stored;
    const auto status = parquet::arrow::FromParquetSchema(
        metadata.schema(), parquet::ArrowReaderProperties(), nullptr, &stored);
    if (!status.ok()) return Refuse(file_.key, status.message());
    Decompressor decompressor;
    for (const auto& field : schema_.columns->fields()) {
      const auto found = stored->GetFieldByName(field->name());
      if (found == nullptr) {
        return Refuse(file_.key, fmt::format("it has no column {:?}", field->name()));
      }
      if (!found->type()->Equals(field->type())) {
        return Refuse(file_.key, fmt::format("column {:?} is {}, the lake's is {}", field->name(),
                                             found->type()->ToString(), field->type()->ToString()));
      }
      const auto& column =
          *metadata.schema()->Column(metadata.schema()->ColumnIndex(field->name()));
      if (!ColumnReader::Make(column, field->type(), false,
                              {*arrow::default_memory_pool(), decompressor})) {
        return Refuse(file_.key, fmt::format("column {:?} is {} stored as {}, which cannot be read",
                                             field->name(), field->type()->ToString(),
                                             parquet::TypeToString(column.physical_type())));
      }
    }
    return stored->GetFieldIndex(schema_.time_column);
  }

  /// Whether what Scan will meet in the pages is known to it.
  Result<> CheckChunks(const parquet::RowGroupMetaData& group) const {
    for (const std::string& name : schema_.columns->field_names()) {
      const int index = group.schema()->ColumnIndex(name);
      const auto chunk = group.ColumnChunk(index);
      if (!Decompressor::Knows(static_cast<parquet::Compression::type>(chunk->compression()))) {
        return Refuse(file_.key,
                      fmt::format("column {:?} has a compression that cannot be read", name));
      }
      auto known = parquet::SupportedEncodings(chunk->type());
      known.insert(known.end(),
                   {parquet::Encoding::PLAIN_DICTIONARY, parquet::Encoding::RLE_DICTIONARY,
                    parquet::Encoding::RLE,  // Of levels.
                    parquet::Encoding::BIT_PACKED});
      for (const parquet::Encoding::type encoding : chunk->encodings()) {
        if (std::ranges::find(known, encoding) != known.end()) continue;
        return Refuse(file_.key, fmt::format("column {:?} is encoded as {}, which cannot be read",
                                             name, parquet::EncodingToString(encoding)));
      }
    }
    return {};
  }

  Result<> TakeTimes(const arrow::ChunkedArray& chunks, RowGroup& group) {
    if (chunks.null_count() > 0) return Refuse(file_.key, "its time column has nulls");
    const int64_t before = last_time_;
    int64_t first = 0;
    bool started = false;
    // Arrow may have left another zone's name in the file: what is stored are instants.
    const auto* type = dynamic_cast<const arrow::TimestampType*>(chunks.type().get());
    if (type == nullptr || type->unit() != arrow::TimeUnit::MICRO) {
      return Refuse(file_.key,
                    fmt::format("its time column reads as {}", chunks.type()->ToString()));
    }
    for (const auto& chunk : chunks.chunks()) {
      const auto& times = static_cast<const arrow::TimestampArray&>(*chunk);
      const int64_t* values = times.raw_values();
      if (times.length() > 0 && !started) {
        first = values[0];
        started = true;
      }
      int64_t last = last_time_;
      bool in_order = true;
      for (int64_t i = 0; i < times.length(); ++i) {
        in_order &= values[i] >= last;
        last = values[i];
      }
      if (!in_order) {
        return Refuse(file_.key, fmt::format("its rows are not sorted by {:?}: rewrite it sorted",
                                             schema_.time_column));
      }
      last_time_ = last;
    }
    if (!started || chunks.length() != group.rows || first < before) {
      return Refuse(file_.key, "its time column lacks rows");
    }
    group.min_time = Timestamp(std::chrono::microseconds(first));
    group.max_time = Timestamp(std::chrono::microseconds(last_time_));
    return {};
  }

  Result<> CheckDay(const std::optional<std::string>& partition) {
    const auto first = std::chrono::floor<std::chrono::days>(file_.min_time());
    const auto last = std::chrono::floor<std::chrono::days>(file_.max_time());
    file_.day = static_cast<int32_t>(first.time_since_epoch().count());
    if (first != last) {
      return Refuse(file_.key, fmt::format("its times reach from {} to {}, more than one UTC day",
                                           FormatTimestamp(file_.min_time()),
                                           FormatTimestamp(file_.max_time())));
    }
    const bool is_date = partition && partition->size() == 10 && (*partition)[4] == '-';
    if (is_date && *partition != FormatDay(file_.day)) {
      return Refuse(file_.key, fmt::format("it holds rows of {} UTC, not of {:?}",
                                           FormatDay(file_.day), *partition));
    }
    return {};
  }

  const LakeSchema& schema_;
  DataFile file_;
  int64_t last_time_ = INT64_MIN;
};

/// Every key that was ever in the lake: what compaction took out must not come back.
Result<std::set<std::string>> KnownKeys(const CommitLog& log, int64_t& version) {
  std::set<std::string> known;
  TRY(log.History([&](int64_t at, const Commit& commit) -> Result<> {
    for (const DataFile& file : commit.added) known.insert(file.key);
    version = at;
    return {};
  }));
  return known;
}

/// Every Parquet file of an organisation, Spillway's own too.
Result<std::vector<storage::ObjectInfo>> Candidates(storage::ObjectStore& lake,
                                                    const AdoptOptions& options) {
  std::vector<storage::ObjectInfo> candidates;
  const std::string prefix = options.organisation_partition + '=';
  TRY(storage::ForEachObject(lake, prefix, [&](const storage::ObjectInfo& object) {
    if (object.key.ends_with(kSuffix)) candidates.push_back(object);
    return Result<>();
  }));
  return candidates;
}

Result<DataFile> ReadFile(storage::ObjectStore& lake, const LakeSchema& schema,
                          const AdoptOptions& options, const storage::ObjectInfo& object,
                          std::stop_token stop) {
  const auto organisation = PartitionValue(object.key, options.organisation_partition);
  if (!organisation || organisation->empty() || !simdjson::validate_utf8(*organisation) ||
      !simdjson::validate_utf8(object.key)) {
    return Refuse(object.key, "its path names no organisation in UTF-8");
  }
  return AdoptedFile(object, schema)
      .Read(lake, *organisation, PartitionValue(object.key, options.day_partition),
            std::move(stop));
}

}  // namespace

Result<AdoptReport> Adopt(storage::ObjectStore& lake, CommitLog& log, const LakeSchema& schema,
                          const AdoptOptions& options, std::stop_token stop) {
  const auto candidates = TRY(Candidates(lake, options));
  std::map<std::string, DataFile> read;
  for (int attempt = 1;; ++attempt) {
    int64_t version = 0;
    const std::set<std::string> known = TRY(KnownKeys(log, version));
    AdoptReport report;
    Commit commit;
    std::set<std::string> organisations;
    for (const storage::ObjectInfo& object : candidates) {
      const bool own = IsDataFileName(object.key);
      if (known.contains(object.key)) {
        if (!own) ++report.known_files;
        continue;
      }
      if (own) {
        report.unnamed_files.push_back(object.key);
        continue;
      }
      auto file = read.find(object.key);
      if (file == read.end()) {
        file = read.emplace(object.key, TRY(ReadFile(lake, schema, options, object, stop))).first;
      }
      commit.added.push_back(file->second);
      organisations.insert(file->second.organisation);
      report.rows += file->second.rows();
      report.bytes += file->second.bytes;
    }
    if (commit.added.empty()) return report;
    report.files = static_cast<int64_t>(commit.added.size());
    report.organisations = static_cast<int64_t>(organisations.size());
    const auto appended = log.Append(std::move(commit), version);
    if (appended) {
      report.version = *appended;
      return report;
    }
    if (appended.error().code != ErrorCode::kConflict || attempt == kAttempts) {
      return std::unexpected(appended.error());
    }
  }
}

}  // namespace spillway::lake
