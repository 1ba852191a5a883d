// What it takes to plan a job of very many chunks: a recipe whose specs are as long as those of a
// listing's pages is planned by the real engine into a SQLite file. Prints, as JSON, the seconds
// and the peak memory of this process, and fails where that is above 300 MB: plans go to the store
// page by page, and none is ever whole in memory.
//
//   planning_bench DIRECTORY [CHUNKS]      by default 10,000,000 chunks

#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/engine.h"
#include "engine/planner.h"
#include "queue/memory/memory_queue.h"
#include "recipe/recipe.h"
#include "storage/lent.h"
#include "storage/memory/memory_store.h"
#include "store/sqlite/database.h"
#include "store/sqlite/sqlite_store.h"

namespace spillway::bench {
namespace {

constexpr int64_t kPeakMegabytesMax = 300;
constexpr size_t kSpecBytes = 400;

template <class T>
T Take(Result<T> result) {
  if (!result.has_value()) {
    fmt::print(stderr, "planning_bench: {}\n", result.error().message);
    std::exit(1);
  }
  return *std::move(result);
}

class ManyChunks final : public recipe::Recipe {
 public:
  explicit ManyChunks(storage::ObjectStore& store) : store_(storage::Lent(store)) {}

  std::string_view name() const override { return "many_chunks"; }
  Result<recipe::CanonicalRequest> Canonicalise(const recipe::Request& request) const override {
    return recipe::CanonicalRequest{.tenant = request.who.organisation,
                                    .group = request.export_name,
                                    .parameters = request.parameters};
  }
  Result<recipe::Survey> Look(const std::string& /*export_name*/,
                              const recipe::CanonicalRequest& /*request*/,
                              std::stop_token /*stop*/) const override {
    return Fail(ErrorCode::kUnsupported, "nobody asks");
  }

  Result<recipe::Destination> DestinationOf(const engine::Job& job) const override {
    return recipe::Destination{.store = store_, .directory = job.id};
  }
  Result<recipe::Planned> MakePlan(const engine::Job& job, recipe::Planning& plan,
                                   std::stop_token) const override {
    const int64_t chunks = std::stoll(job.parameters);
    for (int64_t i = 0; i < chunks; ++i) {
      TRY(plan.Add(fmt::format("{{\"objects\":\"{:0{}}\"}}", i, kSpecBytes), 1));
    }
    return recipe::Planned{.source = "{}", .planned = chunks};
  }
  Result<recipe::ChunkOutcome> Process(const engine::Job&, const engine::Chunk&, engine::Staging&,
                                       recipe::Progress&, std::stop_token) const override {
    return Fail(ErrorCode::kInternal, "nothing is processed here");
  }
  Result<recipe::Assembly> Assemble(const engine::Job&, std::vector<engine::Part>, engine::Staging&,
                                    std::stop_token) const override {
    return Fail(ErrorCode::kInternal, "nothing is assembled here");
  }

 private:
  const std::shared_ptr<storage::ObjectStore> store_;
};

int64_t PeakMegabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

int Main(const std::filesystem::path& directory, const std::string& chunks) {
  SystemClock clock;
  Log log(LogLevel::kError, LogFormat::kText, 2);
  const auto database = Take(store::Database::Open(directory / "state.db"));
  store::SqliteStore store(*database, clock);
  store::MemoryDatabase messages;
  store::MemoryQueue queue(messages, clock);
  storage::MemoryPlace place;
  storage::MemoryStore objects(place, clock);
  recipe::Recipes recipes;
  recipes.Add(std::make_unique<ManyChunks>(objects));
  engine::Options options;
  options.lease = std::chrono::hours(1);  // Nobody renews it here.
  engine::Heartbeat heartbeat(store, queue, clock, options);
  engine::Stagings stagings("bench", options.pending_bytes_max);
  engine::Context context{.store = store,
                          .queue = queue,
                          .recipes = recipes,
                          .clock = clock,
                          .log = log,
                          .options = options,
                          .owner = "bench",
                          .heartbeat = heartbeat,
                          .stagings = stagings};
  engine::Engine engine(store, queue, recipes, options, Random(1));
  const std::string job_id = Take(engine.Submit("many_chunks",
                                                {.export_name = "many",
                                                 .who = {.user = "bench", .organisation = "t"},
                                                 .parameters = chunks},
                                                /*fresh=*/true))
                                 .job.id;
  const auto began = std::chrono::steady_clock::now();
  Random random(1);
  Take(engine::PlanJob(context, job_id, random));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  const engine::Job job = Take(store.Get(job_id));
  const int64_t peak = PeakMegabytes();
  fmt::print("{{\"chunks\": {}, \"seconds\": {:.1f}, \"peak_megabytes\": {}}}\n", job.chunks_total,
             took.count(), peak);
  if (job.chunks_total != std::stoll(chunks)) {
    fmt::print(stderr, "planning_bench: the plan does not stand: {}\n",
               job.failure.has_value() ? job.failure->message : "no cause");
    return 1;
  }
  if (peak <= kPeakMegabytesMax) return 0;
  fmt::print(stderr, "planning_bench: more than {} MB of memory\n", kPeakMegabytesMax);
  return 1;
}

}  // namespace
}  // namespace spillway::bench

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: planning_bench DIRECTORY [CHUNKS]\n");
    return 2;
  }
  const std::filesystem::path directory(argv[1]);
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  const int code = spillway::bench::Main(directory, argc > 2 ? argv[2] : "10000000");
  std::filesystem::remove_all(directory);
  return code;
}
