#include "lake/compaction/adopt.h"

#include <atomic>
#include <charconv>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <simdjson.h>

#include "lake/compaction/adopted_file.h"
#include "lake/compaction/hidden_path.h"
#include "lake/log/data_file_name.h"
#include "storage/key.h"
#include "storage/objects.h"

namespace spillway::lake {
namespace {

constexpr int kAttempts = 5;
constexpr std::string_view kSuffix = ".parquet";
/// The name that Hive and compatible writers give to the partition of rows without a value.
constexpr std::string_view kHiveNull = "__HIVE_DEFAULT_PARTITION__";

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

/// The values of the `<name>=<value>/` in a key, as they are written.
std::vector<std::string_view> PartitionValues(std::string_view key, std::string_view name) {
  std::vector<std::string_view> values;
  for (size_t slash = key.find('/'); slash != std::string_view::npos; slash = key.find('/')) {
    const std::string_view segment = key.substr(0, slash);
    if (segment.size() > name.size() && segment.starts_with(name) && segment[name.size()] == '=') {
      values.push_back(segment.substr(name.size() + 1));
    }
    key.remove_prefix(slash + 1);
  }
  return values;
}

/// The organisation that a key names.
Result<std::string> OrganisationOf(std::string_view key, std::string_view partition) {
  const auto values = PartitionValues(key, partition);
  if (values.size() > 1) {
    return RefuseAdoption(key,
                          fmt::format("its path names several organisations ({}=…)", partition));
  }
  std::string organisation = values.empty() ? "" : Unescape(values.front());
  if (organisation.empty() || !simdjson::validate_utf8(organisation) ||
      !simdjson::validate_utf8(key)) {
    return RefuseAdoption(key, "its path names no organisation in UTF-8");
  }
  if (organisation == kHiveNull) {
    return RefuseAdoption(key, fmt::format("{}={} stands for rows without an organisation: move "
                                           "them to the directory of the one they belong to",
                                           partition, kHiveNull));
  }
  const auto own = storage::UnescapeKeySegment(values.front());
  if (!own.has_value() && own.error().code == ErrorCode::kUnsupported) {
    return RefuseAdoption(key,
                          "its path holds a shortened name, which does not say the organisation");
  }
  return organisation;
}

/// Every key that was ever in the lake: what compaction took out must not come back.
struct KnownKeys {
  int64_t version = 0;
  std::set<std::string> all;
  std::set<std::string> taken_out;  ///< By RemoveAdopted, whose commits add nothing.
};

Result<KnownKeys> ReadKnownKeys(const CommitLog& log) {
  KnownKeys known;
  TRY(log.History([&](int64_t at, const Commit& commit) -> Result<> {
    for (const DataFile& file : commit.added) known.all.insert(file.key);
    if (commit.added.empty()) {
      for (const DataFile& file : commit.removed) known.taken_out.insert(file.key);
    }
    known.version = at;
    return {};
  }));
  return known;
}

/// What was found in the lake's directories of organisations.
struct Found {
  std::vector<storage::ObjectInfo> candidates;  ///< Parquet files, Spillway's own too.
  PassedOver hidden;
  PassedOver other;
  PassedOver outside;
};

void Count(const std::string& key, PassedOver& passed_over) {
  if (passed_over.files++ == 0) passed_over.first = key;
}

Result<Found> Find(storage::ObjectStore& lake, const AdoptOptions& options) {
  Found found;
  const std::string prefix = options.organisation_partition + '=';
  TRY(storage::ForEachObject(lake, "", [&](const storage::ObjectInfo& object) {
    if (object.key.ends_with('/')) return Result<>();  // How consoles of buckets mark directories.
    if (!object.key.starts_with(prefix)) {
      if (object.key.ends_with(kSuffix) && !IsHiddenPath(object.key))
        Count(object.key, found.outside);
    } else if (!IsDataFileName(object.key) && IsHiddenPath(object.key)) {
      Count(object.key, found.hidden);
    } else if (!object.key.ends_with(kSuffix)) {
      Count(object.key, found.other);
    } else {
      found.candidates.push_back(object);
    }
    return Result<>();
  }));
  return found;
}

/// Reads candidates once, however often the commit has to be tried.
class Adoption {
 public:
  Adoption(storage::ObjectStore& lake, const LakeSchema& schema, const AdoptOptions& options,
           std::stop_token stop)
      : lake_(lake), schema_(schema), options_(options), stop_(std::move(stop)) {}

  /// Reads the candidates that were not read before. Returns the error of the first that fails.
  Result<> Read(const std::vector<const storage::ObjectInfo*>& candidates) {
    std::vector<const storage::ObjectInfo*> unread;
    for (const auto* candidate : candidates) {
      if (!files_.contains(candidate->key)) unread.push_back(candidate);
    }
    std::atomic<size_t> next = 0;
    std::mutex mutex;
    std::map<size_t, Error> failures;
    const auto work = [&] {
      for (size_t i = next++; i < unread.size(); i = next++) {
        auto file = ReadOne(*unread[i]);
        const std::lock_guard lock(mutex);
        if (file.has_value()) {
          files_.emplace(unread[i]->key, *std::move(file));
        } else {
          failures.emplace(i, std::move(file).error());
          next = unread.size();
        }
      }
    };
    {
      std::vector<std::jthread> threads;
      for (int i = 1; i < options_.threads; ++i) threads.emplace_back(work);
      work();
    }
    if (!failures.empty()) return std::unexpected(failures.begin()->second);
    return {};
  }

  const DataFile& file(const std::string& key) const { return files_.at(key); }

 private:
  Result<DataFile> ReadOne(const storage::ObjectInfo& object) const {
    std::string organisation = TRY(OrganisationOf(object.key, options_.organisation_partition));
    const auto days = PartitionValues(object.key, options_.day_partition);
    std::optional<std::string> day;
    if (!days.empty()) day = Unescape(days.front());
    return ReadForAdoption(lake_, object, schema_, std::move(organisation), day, stop_);
  }

  storage::ObjectStore& lake_;
  const LakeSchema& schema_;
  const AdoptOptions& options_;
  const std::stop_token stop_;
  std::map<std::string, DataFile> files_;
};

}  // namespace

Result<AdoptReport> Adopt(storage::ObjectStore& lake, CommitLog& log, const LakeSchema& schema,
                          const AdoptOptions& options, std::stop_token stop) {
  const Found found = TRY(Find(lake, options));
  Adoption adoption(lake, schema, options, std::move(stop));
  for (int attempt = 1;; ++attempt) {
    const KnownKeys known = TRY(ReadKnownKeys(log));
    AdoptReport report{.hidden = found.hidden, .other = found.other, .outside = found.outside};
    std::vector<const storage::ObjectInfo*> wanted;
    for (const storage::ObjectInfo& object : found.candidates) {
      const bool own = IsDataFileName(object.key);
      if (known.taken_out.contains(object.key)) {
        Count(object.key, report.taken_out);
      } else if (known.all.contains(object.key)) {
        if (!own) ++report.known_files;
      } else if (own) {
        report.unnamed_files.push_back(object.key);
      } else {
        wanted.push_back(&object);
      }
    }
    TRY(adoption.Read(wanted));
    Commit commit;
    std::set<std::string> organisations;
    for (const auto* object : wanted) {
      const DataFile& file = commit.added.emplace_back(adoption.file(object->key));
      organisations.insert(file.organisation);
      report.rows += file.rows();
      report.bytes += file.bytes;
    }
    if (commit.added.empty()) return report;
    report.files = static_cast<int64_t>(commit.added.size());
    report.organisations = static_cast<int64_t>(organisations.size());
    const auto appended = log.Append(std::move(commit), known.version);
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
