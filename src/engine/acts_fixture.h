#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/manual_clock.h"
#include "engine/engine.h"
#include "engine/scripted_store.h"
#include "engine/worker.h"
#include "maintenance/rescuer.h"
#include "queue/memory/memory_queue.h"
#include "staging/staging.h"
#include "storage/lent.h"
#include "storage/memory/memory_store.h"

namespace spillway::engine {

/// Writes `rows` lines a chunk into one file, and fails in the ways that a test asks for.
class LinesRecipe final : public recipe::Recipe {
 public:
  explicit LinesRecipe(storage::ObjectStore& store) : store_(storage::Lent(store)) {}

  int chunks = 3;
  int64_t rows = 2;
  int64_t planned_more = 0;        ///< How many more rows the plan has than its chunks.
  bool drops_a_part = false;       ///< When assembling.
  bool file_a_chunk = false;       ///< Each chunk has a file of its own, instead of one for all.
  bool publishes_at_once = false;  ///< An item of one file a chunk, instead of parts.
  std::string source = "{}";
  std::vector<ErrorRecord> errors;  ///< Of the first chunk.
  Tallies tallies;                  ///< Of every chunk.
  std::string report;               ///< A file that chunks add a line to; empty: none.
  int64_t reports_from = 0;         ///< The first chunk that does.
  std::optional<Error> no_destination;
  std::set<std::string> without_destination;  ///< Jobs; empty: all.
  std::function<Result<>(const Chunk&)> before_chunk = [](const Chunk&) { return Result<>(); };
  std::function<Result<>(const recipe::Request&)> before_canonical = [](const recipe::Request&) {
    return Result<>();
  };
  std::function<Result<>()> before_plan = [] { return Result<>(); };
  /// In place of `chunks` chunks.
  std::function<Result<recipe::Planned>(recipe::Planning&)> plans;
  std::function<Result<>(const Chunk&, recipe::Progress&)> reports =
      [](const Chunk&, recipe::Progress&) { return Result<>(); };
  std::function<std::optional<recipe::Postponed>(const Chunk&)> postpones = [](const Chunk&) {
    return std::nullopt;
  };
  std::function<Result<>()> before_assembly = [] { return Result<>(); };
  std::string reads;         ///< What the chunks and the assembly read; empty: nothing.
  mutable std::string read;  ///< All that they have read.

  std::string_view name() const override { return "lines"; }
  Result<recipe::CanonicalRequest> Canonicalise(const recipe::Request& request) const override {
    TRY(before_canonical(request));
    return recipe::CanonicalRequest{
        .tenant = request.who.organisation, .group = "group", .parameters = request.parameters};
  }
  Result<recipe::Survey> Look(const std::string& /*export_name*/,
                              const recipe::CanonicalRequest& /*request*/,
                              std::stop_token /*stop*/) const override {
    return Fail(ErrorCode::kUnsupported, "nobody asks");
  }

  Result<recipe::Destination> DestinationOf(const Job& job) const override {
    if (no_destination.has_value() &&
        (without_destination.empty() || without_destination.contains(job.id)))
      return std::unexpected(*no_destination);
    return recipe::Destination{.store = store_, .directory = "out/" + job.id};
  }
  Result<recipe::Planned> MakePlan(const Job& /*job*/, recipe::Planning& plan,
                                   std::stop_token /*stop*/) const override {
    TRY(before_plan());
    if (plans) return plans(plan);
    for (int i = 0; i < chunks; ++i) TRY(plan.Add("{}", rows));
    return recipe::Planned{.source = source, .planned = chunks * rows + planned_more};
  }
  Result<recipe::ChunkOutcome> Process(const Job& /*job*/, const Chunk& chunk, Staging& staging,
                                       recipe::Progress& progress,
                                       std::stop_token stop) const override {
    TRY(before_chunk(chunk));
    TRY(reports(chunk, progress));
    if (const std::optional<recipe::Postponed> postponed = postpones(chunk)) return *postponed;
    if (!reads.empty()) read += TRY(staging.Read(reads, stop)) + " ";
    if (publishes_at_once) {
      ChunkResult published = TRY(PublishItem(chunk));
      TRY(AddReport(chunk, staging, published, stop));
      return published;
    }
    const std::string file = file_a_chunk ? std::to_string(chunk.index) + ".txt" : "lines.txt";
    PartWriter part = staging.NewPart(file, chunk.index, PartOrder::kInTurn);
    for (int64_t row = 0; row < rows; ++row) {
      part.buffer().Append("chunk " + std::to_string(chunk.index) + "\n");
    }
    ChunkResult result{.counts = {.planned = rows, .written = rows}};
    result.parts.push_back(TRY(part.Finish(rows, stop)));
    if (chunk.index == 0) result.errors = errors;
    result.tallies = tallies;
    TRY(AddReport(chunk, staging, result, stop));
    return result;
  }
  Result<recipe::Assembly> Assemble(const Job& /*job*/, std::vector<Part> parts, Staging& staging,
                                    std::stop_token stop) const override {
    TRY(before_assembly());
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "stopped while assembling");
    if (!reads.empty()) read += TRY(staging.Read(reads, stop));
    if (drops_a_part) parts.pop_back();
    recipe::Assembly assembly;
    if (publishes_at_once) return assembly;
    if (file_a_chunk) {
      for (Part& part : parts) {
        std::string name = part.file;
        assembly.files.push_back({.name = std::move(name), .parts = {std::move(part)}});
      }
      return assembly;
    }
    assembly.files.push_back({.name = "lines.txt", .parts = std::move(parts)});
    return assembly;
  }

 private:
  Result<> AddReport(const Chunk& chunk, Staging& staging, ChunkResult& result,
                     std::stop_token stop) const {
    if (report.empty() || chunk.index < reports_from) return {};
    PartWriter part = staging.NewPart(report, chunk.index, PartOrder::kInTurn);
    part.buffer().Append("report of " + std::to_string(chunk.index) + "\n");
    result.parts.push_back(TRY(part.Finish(1, stop)));
    result.parts.back().role = kReport;
    return {};
  }

  Result<ChunkResult> PublishItem(const Chunk& chunk) const {
    const std::string key = "items/" + std::to_string(chunk.index) + ".txt";
    const std::string text = "item\nof two lines\n";
    const storage::NewObject object{key, std::as_bytes(std::span(text))};
    const auto put = store_->PutMany({&object, 1});
    if (!put[0].has_value()) return std::unexpected(put[0].error());
    ChunkResult result{.counts = {.planned = rows, .written = 1, .excluded = rows - 1}};
    result.published.push_back({.item = std::to_string(chunk.index),
                                .key = key,
                                .rows = 2,
                                .bytes = text.size(),
                                .sha256 = ToHex(Sha256Of(text))});
    return result;
  }

  const std::shared_ptr<storage::ObjectStore> store_;
};

class ActsTest : public testing::Test {
 protected:
  ActsTest() {
    auto lines = std::make_unique<LinesRecipe>(objects_);
    lines_ = lines.get();
    recipes_.Add(std::move(lines));
  }

  Context ContextOf(std::string owner) {
    return {.store = store_,
            .queue = queue_,
            .recipes = recipes_,
            .clock = clock_,
            .log = log_,
            .options = options_,
            .owner = std::move(owner),
            .heartbeat = heartbeat_,
            .stagings = stagings_};
  }

  /// Of another process.
  Context OtherContext(Heartbeat& heartbeat, Stagings& stagings) {
    return {.store = store_,
            .queue = queue_,
            .recipes = recipes_,
            .clock = clock_,
            .log = log_,
            .options = options_,
            .owner = "other",
            .heartbeat = heartbeat,
            .stagings = stagings};
  }

  std::string Submit(std::string parameters = "1") {
    const auto created = engine_.Submit("lines",
                                        {.export_name = "lines",
                                         .who = {.user = "ada", .organisation = "t"},
                                         .parameters = std::move(parameters)},
                                        false);
    EXPECT_TRUE(created.has_value());
    return created->job.id;
  }

  /// Works until there is nothing left to do, letting time pass between looks.
  void WorkOff() {
    Worker worker(context_);
    KnownJobs known;
    for (int idle = 0; idle < 100; ++idle) {
      for (Result<bool> worked = true; worked.value_or(false);)
        worked = worker.Step(random_, known);
      clock_.Advance(std::chrono::seconds(1));
      static_cast<void>(Rescue(context_));
    }
  }

  void RunUntil(const std::string& job_id, JobPhase phase) {
    Worker worker(context_);
    KnownJobs known;
    for (int steps = 0; steps < 50 && store_.Get(job_id)->phase < phase; ++steps) {
      static_cast<void>(worker.Step(random_, known));
    }
    ASSERT_EQ(store_.Get(job_id)->phase, phase);
  }

  std::vector<std::string> Bodies() {
    std::vector<std::string> bodies;
    const auto deliveries = queue_.Receive(2'000, std::chrono::seconds(1));
    for (const store::Delivery& delivery : *deliveries) bodies.push_back(delivery.body);
    return bodies;
  }

  std::vector<std::string> Keys(std::string_view prefix) {
    std::vector<std::string> keys;
    const auto objects = objects_.List(prefix, "", 100);
    for (const storage::ObjectInfo& object : *objects) keys.push_back(object.key);
    return keys;
  }

  std::vector<std::string> Published(const std::string& job_id) {
    return Keys("out/" + job_id + "/");
  }
  std::vector<std::string> Staged(const std::string& job_id) {
    return Keys(Staging::PrefixOf(job_id));
  }

  Random random_{1};
  ManualClock clock_;
  ScriptedStore store_{clock_};
  store::MemoryDatabase messages_;
  store::MemoryQueue queue_{messages_, clock_};
  storage::MemoryPlace place_;
  storage::MemoryStore objects_{place_, clock_};
  recipe::Recipes recipes_;
  LinesRecipe* lines_ = nullptr;
  Log log_{LogLevel::kError, LogFormat::kText, -1};
  Options options_;
  Heartbeat heartbeat_{store_, queue_, clock_, options_};
  Stagings stagings_{"worker", options_.pending_bytes_max};
  Context context_ = ContextOf("worker");
  Engine engine_{store_, queue_, recipes_, options_, Random(1)};
};

}  // namespace spillway::engine
