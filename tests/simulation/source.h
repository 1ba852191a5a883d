#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "recipe/recipe.h"

namespace spillway::simulation {

/// What one chunk of a task holds, and what goes wrong with it.
struct SourceChunk {
  std::string file;  ///< Empty: its rows are actions.
  int64_t rows = 0;
  int failures = 0;        ///< Transient ones left.
  bool permanent = false;  ///< It always fails.
  int poison = 0;          ///< Workers it still kills.
  bool throws = false;     ///< An exception comes out of the recipe.
  int64_t miscount = 0;    ///< Rows that come and were not announced; negative: stay away.
  int pause_ms = 0;        ///< Between rows.
  int early = 0;           ///< How often it is too early yet, at some row.
  int stumbles = 0;        ///< Transient failures left, each right behind another position.
};

/// A task as it stands in the source. Everything in it follows from the task, the version of the
/// plan and the chunk's index, so that anybody can tell what has to come out.
struct SourceTask {
  std::string name;
  std::string group;
  std::string tenant;
  std::vector<SourceChunk> chunks;
  bool actions = false;
  bool footer = false;   ///< Assembling stages more bytes.
  bool cut = false;      ///< A limit leaves out the last part.
  bool report = false;   ///< A line for each row says what became of it.
  bool goes_on = false;  ///< Attempts go on from where the ones before them ended.
  bool listing = false;  ///< Planning stores a listing, which every chunk reads.
  bool growing = false;  ///< Every look finds more than the one before.
  int plan_failures = 0;
  bool plan_permanent = false;
  int versions = 0;  ///< Looks so far.

  /// Whether it cannot succeed before it is healed, however often it is tried.
  bool IsBroken() const;
};

/// What came of one row.
enum class RowFate { kWritten, kExcluded, kFailed };

RowFate FateOf(int64_t chunk, int64_t row);
int64_t RowsOf(const SourceTask& task, size_t chunk, int version);
std::string RowText(const SourceTask& task, int version, size_t chunk, int64_t row);
std::string FooterOf(const std::string& file);
inline constexpr const char* kReportName = "report.txt";
std::string ReportLine(size_t chunk, int64_t row);

/// The last part that has rows, which `cut` leaves out; none when there is none.
std::optional<size_t> CutChunk(const SourceTask& task, int version);

/// Everything the exports read from. Lasts as long as the world.
class Source {
 public:
  SourceTask& Add(Random& random, std::string name, std::string group, bool benign);
  /// A task without defects, of `chunks` actions that take `pause_ms` each.
  SourceTask& AddPlain(std::string name, std::string tenant, int64_t chunks, int pause_ms);
  SourceTask& Of(const std::string& parameters) { return tasks_.at(parameters); }

  /// What went wrong does so no more.
  void Heal();

  /// The bytes that each file has to have.
  static std::map<std::string, std::string> FilesOf(const SourceTask& task, int version);
  static std::string ReportOf(const SourceTask& task, int version);
  static engine::Counts CountsOf(const SourceTask& task, int version);

 private:
  std::map<std::string, SourceTask> tasks_;
};

}  // namespace spillway::simulation
