#include "simulation/source.h"

#include <algorithm>
#include <optional>

namespace spillway::simulation {

bool SourceTask::IsBroken() const {
  return plan_permanent || std::ranges::any_of(chunks, [](const SourceChunk& chunk) {
           return chunk.permanent || chunk.throws || chunk.miscount != 0;
         });
}

RowFate FateOf(int64_t chunk, int64_t row) {
  const int64_t mix = chunk * 5 + row;
  if (mix % 7 == 3) return RowFate::kExcluded;
  return mix % 11 == 5 ? RowFate::kFailed : RowFate::kWritten;
}

int64_t RowsOf(const SourceTask& task, size_t chunk, int version) {
  return task.chunks[chunk].rows + (task.growing ? version % 4 : 0);
}

std::string RowText(const SourceTask& task, int version, size_t chunk, int64_t row) {
  return task.name + " version " + std::to_string(version) + " chunk " + std::to_string(chunk) +
         " row " + std::to_string(row) + "\n";
}

std::string FooterOf(const std::string& file) { return "end of " + file + "\n"; }

std::string ReportLine(size_t chunk, int64_t row) {
  constexpr std::string_view kFates[] = {"written", "excluded", "failed"};
  return "chunk " + std::to_string(chunk) + " row " + std::to_string(row) + " " +
         std::string(kFates[static_cast<size_t>(FateOf(static_cast<int64_t>(chunk), row))]) + "\n";
}

std::optional<size_t> CutChunk(const SourceTask& task, int version) {
  if (!task.cut || task.actions) return std::nullopt;
  for (size_t i = task.chunks.size(); i-- > 0;) {
    if (RowsOf(task, i, version) > 0) return i;
  }
  return std::nullopt;
}

SourceTask& Source::Add(Random& random, std::string name, std::string group, bool benign) {
  SourceTask task{.name = name, .group = std::move(group)};
  task.tenant = "tenant-" + std::to_string(random.Below(2));
  task.actions = random.Below(5) == 0;
  task.footer = random.Below(3) == 0;
  task.cut = random.Below(6) == 0;
  task.growing = random.Below(2) == 0;
  const uint64_t files = 1 + random.Below(3);
  const uint64_t chunks = random.Below(8);
  const int pause_ms = random.Below(3) == 0 ? static_cast<int>(random.Below(400)) : 0;
  for (uint64_t i = 0; i < chunks; ++i) {
    SourceChunk& chunk = task.chunks.emplace_back();
    if (!task.actions) chunk.file = "file-" + std::to_string(i * files / chunks) + ".txt";
    chunk.rows = static_cast<int64_t>(random.Below(10));
    chunk.pause_ms = pause_ms;
    if (random.Below(4) == 0) chunk.early = static_cast<int>(1 + random.Below(6));
    if (benign || random.Below(6) != 0) continue;
    switch (random.Below(5)) {
      case 0:
        chunk.failures = static_cast<int>(1 + random.Below(3));
        break;
      case 1:
        chunk.permanent = true;
        break;
      case 2:
        chunk.poison = static_cast<int>(1 + random.Below(4));
        break;
      case 3:
        chunk.throws = true;
        break;
      default:
        chunk.miscount = random.Below(2) == 0 ? 1 : -std::min<int64_t>(chunk.rows, 1);
        break;
    }
  }
  task.listing = random.Below(3) == 0;
  task.report = random.Below(4) == 0;
  task.goes_on = random.Below(3) == 0;
  if (task.goes_on && !task.chunks.empty() && random.Below(2) == 0)
    task.chunks[random.Below(task.chunks.size())].stumbles = static_cast<int>(1 + random.Below(4));
  if (!benign && random.Below(8) == 0) task.plan_failures = static_cast<int>(random.Below(4));
  if (!benign && random.Below(20) == 0) task.plan_permanent = true;
  return tasks_[name] = std::move(task);
}

SourceTask& Source::AddPlain(std::string name, std::string tenant, int64_t chunks, int pause_ms) {
  SourceTask task{.name = name, .group = "a", .tenant = std::move(tenant), .actions = true};
  task.chunks.resize(static_cast<size_t>(chunks), {.rows = 1, .pause_ms = pause_ms});
  return tasks_[std::move(name)] = std::move(task);
}

void Source::Heal() {
  for (auto& [name, task] : tasks_) {
    task.plan_failures = 0;
    task.plan_permanent = false;
    for (SourceChunk& chunk : task.chunks) {
      chunk.failures = chunk.poison = chunk.early = chunk.stumbles = 0;
      chunk.permanent = chunk.throws = false;
      chunk.miscount = 0;
    }
  }
}

std::map<std::string, std::string> Source::FilesOf(const SourceTask& task, int version) {
  std::map<std::string, std::string> files;
  if (task.actions) return files;
  const std::optional<size_t> cut = CutChunk(task, version);
  for (size_t i = 0; i < task.chunks.size(); ++i) {
    std::string& text = files[task.chunks[i].file];
    if (cut == i) continue;
    for (int64_t row = 0; row < RowsOf(task, i, version); ++row) {
      if (FateOf(static_cast<int64_t>(i), row) != RowFate::kWritten) continue;
      text += RowText(task, version, i, row);
    }
  }
  if (task.footer) {
    for (auto& [file, text] : files) text += FooterOf(file);
  }
  return files;
}

std::string Source::ReportOf(const SourceTask& task, int version) {
  std::string report;
  for (size_t i = 0; i < task.chunks.size(); ++i) {
    for (int64_t row = 0; row < RowsOf(task, i, version); ++row) report += ReportLine(i, row);
  }
  return report;
}

engine::Counts Source::CountsOf(const SourceTask& task, int version) {
  engine::Counts counts;
  const std::optional<size_t> cut = CutChunk(task, version);
  for (size_t i = 0; i < task.chunks.size(); ++i) {
    for (int64_t row = 0; row < RowsOf(task, i, version); ++row) {
      ++counts.planned;
      const RowFate fate = FateOf(static_cast<int64_t>(i), row);
      if (fate == RowFate::kFailed) {
        ++counts.failed;
      } else if (fate == RowFate::kExcluded || cut == i) {
        ++counts.excluded;
      } else {
        ++counts.written;
      }
    }
  }
  for (const auto& [file, text] : FilesOf(task, version)) {
    counts.bytes += static_cast<int64_t>(text.size());
  }
  return counts;
}

}  // namespace spillway::simulation
