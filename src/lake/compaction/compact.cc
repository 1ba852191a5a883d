#include "lake/compaction/compact.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <fmt/format.h>

#include "lake/compaction/compact_groups.h"
#include "lake/log/data_file_name.h"
#include "lake/log/present_files.h"
#include "lake/read/read_plan.h"
#include "lake/read/scan.h"

namespace spillway::lake {
namespace {

constexpr int kWriterDigits = 16;
constexpr int kAttempts = 3;
/// The rows of a read unit, and about the fewest rows between two commits.
constexpr int64_t kUnitRows = 1 << 20;
constexpr int64_t kCommitRows = 16 << 20;

using Group = std::vector<DataFile>;

int64_t RowsOf(std::span<const DataFile> files) {
  int64_t rows = 0;
  for (const DataFile& file : files) rows += file.rows();
  return rows;
}

uint64_t BytesOf(std::span<const DataFile> files) {
  uint64_t bytes = 0;
  for (const DataFile& file : files) bytes += file.bytes;
  return bytes;
}

Projection AllColumns(const LakeSchema& schema) {
  Projection projection;
  for (const auto& field : schema.columns->fields()) {
    projection.columns.push_back({.source = field->name(), .name = field->name()});
  }
  return projection;
}

/// Rewrites groups. Thread-safe.
class GroupWriter {
 public:
  GroupWriter(storage::ObjectStore& lake, const LakeSchema& schema, const CompactOptions& options,
              std::string writer)
      : lake_(lake), schema_(schema), options_(options), writer_(std::move(writer)) {}

  /// The files that hold the group's rows, sorted.
  Result<std::vector<DataFile>> Rewrite(const Group& group, std::stop_token stop) {
    const TimeRange all = RangeOf(group);
    const ReadPlan plan = TRY(PlanRead(lake_, schema_, Snapshot{.files = group}, all,
                                       CutOptions{.rows_max = kUnitRows}, stop));
    Output output{.partition = group.front()};
    for (const ReadUnit& unit : plan.units) {
      TRY(Scan(lake_, schema_, unit, AllColumns(schema_), stop,
               [&](const arrow::RecordBatch& batch) { return Add(output, batch); }));
    }
    TRY(Close(output));
    if (RowsOf(output.files) != RowsOf(group)) {
      return Fail(ErrorCode::kInternal,
                  fmt::format("compaction of {} wrote {} rows of {}; nothing was changed",
                              PartitionPrefix(group.front().organisation, group.front().day),
                              RowsOf(output.files), RowsOf(group)));
    }
    return std::move(output.files);
  }

 private:
  struct Output {
    const DataFile& partition;
    std::unique_ptr<DataFileWriter> writer;
    int64_t rows = 0;
    std::vector<DataFile> files;
  };

  static TimeRange RangeOf(const Group& group) {
    TimeRange range{.begin = group.front().min_time(), .end = group.front().max_time()};
    for (const DataFile& file : group) range.end = std::max(range.end, file.max_time());
    range.end += std::chrono::microseconds(1);
    return range;
  }

  Result<> Add(Output& output, const arrow::RecordBatch& batch) {
    for (int64_t offset = 0; offset < batch.num_rows();) {
      if (output.writer == nullptr) TRY(Open(output));
      const int64_t rows = std::min(batch.num_rows() - offset, options_.file_rows - output.rows);
      TRY(output.writer->Write(*batch.Slice(offset, rows)));
      offset += rows;
      output.rows += rows;
      if (output.rows == options_.file_rows) TRY(Close(output));
    }
    return {};
  }

  Result<> Open(Output& output) {
    const DataFile& partition = output.partition;
    std::string key = PartitionPrefix(partition.organisation, partition.day) +
                      DataFileName("compact", writer_, numbers_++);
    output.writer = TRY(DataFileWriter::Create(
        lake_, schema_,
        {.key = std::move(key), .organisation = partition.organisation, .day = partition.day},
        options_.files));
    return {};
  }

  Result<> Close(Output& output) {
    if (output.writer == nullptr) return {};
    output.files.push_back(TRY(output.writer->Finish()));
    output.writer.reset();
    output.rows = 0;
    return {};
  }

  storage::ObjectStore& lake_;
  const LakeSchema& schema_;
  const CompactOptions& options_;
  const std::string writer_;
  std::atomic<int64_t> numbers_ = 0;
};

/// One run of compaction.
class Compaction {
 public:
  Compaction(storage::ObjectStore& lake, CommitLog& log, const LakeSchema& schema,
             const CompactOptions& options, Random& random, std::stop_token stop)
      : lake_(lake),
        log_(log),
        options_(options),
        stop_(std::move(stop)),
        writer_(lake, schema, options_, random.Hex(kWriterDigits)) {}

  Result<> Run(const std::string& organisation) {
    int64_t conflicts = 0;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const Snapshot snapshot = TRY(log_.Read(organisation));
      const auto groups =
          CompactGroups(snapshot.files, options_.small_file_rows, options_.file_rows);
      conflicts = TRY(CommitGroups(groups));
      if (conflicts == 0) break;
    }
    report_.conflicts += conflicts;
    return {};
  }

  const CompactReport& report() const { return report_; }

 private:
  /// Returns in how many partitions another compaction was quicker.
  Result<int64_t> CommitGroups(std::span<const Group> groups) {
    int64_t conflicts = 0;
    for (size_t begin = 0; begin < groups.size();) {
      size_t end = begin;
      for (int64_t rows = 0; end < groups.size() && rows < kCommitRows; ++end) {
        rows += RowsOf(groups[end]);
      }
      const auto part = groups.subspan(begin, end - begin);
      if (!TRY(CommitPart(part))) conflicts += PartitionsOf(part);
      begin = end;
    }
    return conflicts;
  }

  static int64_t PartitionsOf(std::span<const Group> groups) {
    std::set<int32_t> days;
    for (const Group& group : groups) days.insert(group.front().day);
    return static_cast<int64_t>(days.size());
  }

  /// False after a conflict.
  Result<bool> CommitPart(std::span<const Group> groups) {
    Commit commit;
    for (const Group& group : groups) {
      commit.removed.insert(commit.removed.end(), group.begin(), group.end());
    }
    auto rewritten = RewriteAll(groups, commit.added);
    if (rewritten) rewritten = CheckPresent(lake_, commit.added);
    if (!rewritten) {
      RemoveObjects(commit.added);
      return std::unexpected(std::move(rewritten).error());
    }
    const auto version = log_.Append(commit);
    if (!version) {
      if (version.error().code != ErrorCode::kConflict) return std::unexpected(version.error());
      RemoveObjects(commit.added);
      return false;
    }
    report_.partitions += PartitionsOf(groups);
    report_.files_before += static_cast<int64_t>(commit.removed.size());
    report_.files_after += static_cast<int64_t>(commit.added.size());
    report_.rows += RowsOf(commit.added);
    report_.bytes_before += BytesOf(commit.removed);
    report_.bytes_after += BytesOf(commit.added);
    return true;
  }

  Result<> RewriteAll(std::span<const Group> groups, std::vector<DataFile>& added) {
    std::atomic<size_t> next = 0;
    std::mutex mutex;
    std::optional<Error> failure;
    const auto work = [&] {
      for (size_t i = next++; i < groups.size(); i = next++) {
        auto files = writer_.Rewrite(groups[i], stop_);
        const std::lock_guard lock(mutex);
        if (files) {
          std::ranges::move(*files, std::back_inserter(added));
        } else if (!failure) {
          failure = std::move(files).error();
          next = groups.size();
        }
      }
    };
    {
      std::vector<std::jthread> threads;
      for (int i = 1; i < options_.threads; ++i) threads.emplace_back(work);
      work();
    }
    if (failure) return std::unexpected(*std::move(failure));
    return {};
  }

  /// What cannot be removed now is left to Vacuum.
  void RemoveObjects(std::span<const DataFile> files) {
    for (const DataFile& file : files) static_cast<void>(lake_.Remove(file.key).has_value());
  }

  storage::ObjectStore& lake_;
  CommitLog& log_;
  const CompactOptions options_;
  const std::stop_token stop_;
  GroupWriter writer_;
  CompactReport report_;
};

}  // namespace

Result<CompactReport> Compact(storage::ObjectStore& lake, CommitLog& log, const LakeSchema& schema,
                              const CompactOptions& options, Random& random, std::stop_token stop) {
  if (options.threads < 1 || options.file_rows < 1 || options.files.row_group_rows < 1) {
    return Fail(ErrorCode::kInvalidArgument,
                "threads, rows of a file and rows of a row group are at least 1");
  }
  Compaction compaction(lake, log, schema, options, random, std::move(stop));
  if (options.organisation) {
    TRY(compaction.Run(*options.organisation));
  } else {
    for (const std::string& organisation : TRY(log.Organisations())) {
      TRY(compaction.Run(organisation));
    }
  }
  return compaction.report();
}

}  // namespace spillway::lake
