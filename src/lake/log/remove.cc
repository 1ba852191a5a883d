#include "lake/log/remove.h"

#include <map>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/nearest_name.h"
#include "lake/log/data_file_name.h"

namespace spillway::lake {
namespace {

constexpr int kAttempts = 5;

/// What became of a file that was once in the lake.
struct Fate {
  enum class Place { kInLake, kCompacted, kTakenOut };
  DataFile file;
  Place place = Place::kInLake;
};

struct History {
  std::map<std::string, Fate> adopted;  ///< By key.
  std::set<std::string> own;            ///< Keys of files that Spillway wrote.
};

bool IsDirectory(std::string_view name) { return name.ends_with('/'); }

bool StandsFor(std::string_view name, std::string_view key) {
  return IsDirectory(name) ? key.starts_with(name) : key == name;
}

Result<History> ReadHistory(const CommitLog& log) {
  History history;
  TRY(log.History([&](int64_t, const Commit& commit) -> Result<> {
    for (const DataFile& file : commit.removed) {
      const auto found = history.adopted.find(file.key);
      if (found == history.adopted.end()) continue;
      found->second.place = commit.added.empty() ? Fate::Place::kTakenOut : Fate::Place::kCompacted;
    }
    for (const DataFile& file : commit.added) {
      if (IsDataFileName(file.key)) {
        history.own.insert(file.key);
      } else {
        history.adopted[file.key] = {.file = file};
      }
    }
    return {};
  }));
  return history;
}

/// Why a name stands for no adopted file.
std::unexpected<Error> NothingOf(const std::string& name, const History& history) {
  const auto of_own = history.own.lower_bound(name);
  if (of_own != history.own.end() && StandsFor(name, *of_own)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} was written by Spillway itself: only adopted files can be taken "
                            "out of the lake",
                            name));
  }
  std::string message = fmt::format("{} is not in the lake", name);
  std::vector<std::string> known;
  for (const auto& [key, fate] : history.adopted) {
    if (fate.place == Fate::Place::kInLake) known.push_back(key);
  }
  if (known.empty()) {
    message += ", which holds no adopted file";
  } else if (const auto nearest = NearestName(name, known)) {
    message += fmt::format("; did you mean {}?", *nearest);
  } else {
    message +=
        fmt::format(" among its {} adopted files; name it as `{}`", known.size(), known.front());
  }
  return Fail(ErrorCode::kNotFound, std::move(message));
}

/// Adds the files that the name stands for.
Result<> Choose(const std::string& name, const History& history,
                std::map<std::string, DataFile>& chosen) {
  const Fate* gone = nullptr;
  bool any = false;
  for (auto at = history.adopted.lower_bound(name);
       at != history.adopted.end() && StandsFor(name, at->first); ++at) {
    const Fate& fate = at->second;
    if (fate.place == Fate::Place::kInLake) {
      chosen.emplace(at->first, fate.file);
      any = true;
    } else if (gone == nullptr || fate.place == Fate::Place::kCompacted) {
      gone = &fate;
    }
  }
  if (gone != nullptr && gone->place == Fate::Place::kCompacted) {
    return Fail(ErrorCode::kConflict,
                fmt::format("{} cannot be taken out: a compaction has put its rows into a file of "
                            "Spillway's own; nothing was removed",
                            gone->file.key));
  }
  if (any) return {};
  if (gone != nullptr) {
    return Fail(ErrorCode::kNotFound, fmt::format("{} was taken out of the lake before", name));
  }
  return NothingOf(name, history);
}

}  // namespace

Result<RemoveReport> RemoveAdopted(CommitLog& log, const std::vector<std::string>& names) {
  for (int attempt = 1;; ++attempt) {
    const History history = TRY(ReadHistory(log));
    std::map<std::string, DataFile> chosen;
    for (const std::string& name : names) TRY(Choose(name, history, chosen));
    RemoveReport report;
    Commit commit;
    for (auto& [key, file] : chosen) {
      ++report.files;
      report.rows += file.rows();
      report.bytes += file.bytes;
      commit.removed.push_back(std::move(file));
    }
    if (commit.removed.empty()) {
      return Fail(ErrorCode::kInvalidArgument, "name the files that are to be taken out");
    }
    const auto appended = log.Append(std::move(commit));
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
