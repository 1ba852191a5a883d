// The engine at work on chunks that are hardly any work: a job of `--chunks` chunks, planned,
// leased, settled in durable transactions and finished by the real workers over one SQLite file,
// or a PostgreSQL database, with heartbeats on. A chunk digests
// `--chunk-bytes` bytes, or does nothing. Prints, as JSON, the seconds of each phase and what
// workers spent them on. With `--beside N` another organisation asks for a job of N such chunks
// once on its own and once while the large job runs, and the seconds of both are printed instead.
//
//   engine_bench DIRECTORY [--chunks 200000] [--chunk-bytes 0] [--threads 2] [--beside N]
//     [--postgres postgres://user@host/database]

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "engine/engine.h"
#include "engine/heartbeat.h"
#include "engine/worker.h"
#include "maintenance/services.h"
#include "queue/postgres/postgres_queue.h"
#include "queue/sqlite/sqlite_queue.h"
#include "recipe/recipe.h"
#include "storage/lent.h"
#include "storage/local/local_store.h"
#include "store/postgres/postgres_store.h"
#include "store/sqlite/database.h"
#include "store/sqlite/sqlite_store.h"
#include "timed_store.h"

namespace spillway::bench {
namespace {

struct Arguments {
  std::filesystem::path directory;
  int64_t chunks = 200'000;
  size_t chunk_bytes = 0;
  int threads = 2;
  int64_t beside = 0;
  std::string postgres;
};

template <class T>
T Take(Result<T> result) {
  if (!result.has_value()) {
    fmt::print(stderr, "engine_bench: {}\n", result.error().message);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

/// Chunks of one action each; as many as the request's parameters say.
class SmallChunks final : public recipe::Recipe {
 public:
  SmallChunks(storage::ObjectStore& store, const Arguments& arguments, CostMeter& meter)
      : store_(storage::Lent(store)), bytes_(arguments.chunk_bytes, ' '), meter_(meter) {}

  std::string_view name() const override { return "small_chunks"; }

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
    for (int64_t i = 0; i < chunks; ++i) TRY(plan.Add("{}", 1));
    return recipe::Planned{.source = "{}", .planned = chunks};
  }

  Result<recipe::ChunkOutcome> Process(const engine::Job&, const engine::Chunk&, engine::Staging&,
                                       recipe::Progress&, std::stop_token) const override {
    return meter_.Time(Cost::kRecipe, [&]() -> Result<engine::ChunkResult> {
      if (!bytes_.empty()) Sha256Of(bytes_);
      return engine::ChunkResult{.counts = {.planned = 1, .written = 1}};
    });
  }

  Result<recipe::Assembly> Assemble(const engine::Job&, std::vector<engine::Part>, engine::Staging&,
                                    std::stop_token) const override {
    return recipe::Assembly{};
  }

 private:
  const std::shared_ptr<storage::ObjectStore> store_;
  const std::string bytes_;
  CostMeter& meter_;
};

/// When a job came to a phase, and what workers had spent until then.
struct Milestone {
  std::chrono::steady_clock::time_point at;
  CostMeter::Seconds spent{};

  double SecondsSince(const Milestone& earlier) const {
    return std::chrono::duration<double>(at - earlier.at).count();
  }
};

struct Course {
  Milestone submitted, planned, processed, finished;
};

Course Follow(store::JobStore& store, const CostMeter& meter, const std::string& job_id,
              Milestone submitted) {
  using namespace std::chrono_literals;
  Course course{.submitted = submitted};
  engine::JobPhase phase = engine::JobPhase::kInitializing;
  for (int looks = 0;; ++looks) {
    std::this_thread::sleep_for(20ms);
    const engine::Job job = Take(store.Get(job_id));
    const Milestone now{.at = std::chrono::steady_clock::now(), .spent = meter.Read()};
    if (looks % 50 == 0) {
      fmt::print(stderr, "{}: {} of {} chunks\n", Name(job.phase), job.chunks_succeeded,
                 job.chunks_total);
    }
    if (phase < engine::JobPhase::kProcessing && job.phase >= engine::JobPhase::kProcessing)
      course.planned = now;
    if (phase < engine::JobPhase::kFinalizing && job.phase >= engine::JobPhase::kFinalizing)
      course.processed = now;
    phase = job.phase;
    if (!IsFinal(job.state)) continue;
    course.finished = now;
    if (job.state != engine::JobState::kSucceeded) Take(Result<>(std::unexpected(*job.failure)));
    return course;
  }
}

void Print(const Arguments& arguments, const Course& course, uint64_t database_bytes) {
  const double processing = course.processed.SecondsSince(course.planned);
  const double available = processing * arguments.threads;
  const double recipe = course.processed.spent[static_cast<size_t>(Cost::kRecipe)];
  std::string costs;
  for (size_t i = 0; i < kCostNames.size(); ++i) {
    costs += fmt::format("{}\"{}\": {:.4f}", i == 0 ? "" : ", ", kCostNames[i],
                         (course.processed.spent[i] - course.planned.spent[i]) / available);
  }
  fmt::print(
      "{{\"chunks\": {}, \"chunk_bytes\": {}, \"threads\": {}, \"planning_seconds\": {:.3f}, "
      "\"processing_seconds\": {:.3f}, \"finishing_seconds\": {:.3f}, \"chunks_per_second\": "
      "{:.0f}, "
      "\"engine_share\": {:.4f}, \"shares\": {{{}}}, \"database_bytes\": {}}}\n",
      arguments.chunks, arguments.chunk_bytes, arguments.threads,
      course.planned.SecondsSince(course.submitted), processing,
      course.finished.SecondsSince(course.processed),
      static_cast<double>(arguments.chunks) / processing, 1 - recipe / available, costs,
      database_bytes);
}

/// Asks for a job of `chunks` chunks in the name of an organisation.
std::string Submit(engine::Engine& engine, std::string tenant, int64_t chunks) {
  return Take(engine.Submit("small_chunks",
                            {.export_name = "small",
                             .who = {.user = "bench", .organisation = std::move(tenant)},
                             .parameters = std::to_string(chunks)},
                            /*fresh=*/true))
      .job.id;
}

/// Seconds until the job is over.
double Await(store::JobStore& store, const std::string& job_id) {
  const auto began = std::chrono::steady_clock::now();
  while (!IsFinal(Take(store.Get(job_id)).state))
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

void MeasureBeside(const Arguments& arguments, engine::Engine& engine, store::JobStore& store) {
  const double alone = Await(store, Submit(engine, "small", arguments.beside));
  const std::string large = Submit(engine, "large", arguments.chunks);
  while (Take(store.Get(large)).chunks_succeeded == 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const double beside = Await(store, Submit(engine, "small", arguments.beside));
  const bool runs_on = !IsFinal(Take(store.Get(large)).state);
  fmt::print(R"({{"alone_seconds": {:.3f}, "beside_seconds": {:.3f}, "large_runs_on": {}}})"
             "\n",
             alone, beside, runs_on);
}

/// Where jobs are remembered.
struct State {
  State(const Arguments& arguments, Clock& clock) : file(arguments.directory / "state.db") {
    if (arguments.postgres.empty()) {
      sqlite = Take(store::Database::Open(file));
      store = std::make_unique<store::SqliteStore>(*sqlite, clock);
      queue = std::make_unique<store::SqliteQueue>(*sqlite, clock);
    } else {
      postgres = Take(store::postgres_state::Database::Open(arguments.postgres));
      store = std::make_unique<store::postgres_state::PostgresStore>(*postgres, clock);
      queue = std::make_unique<store::postgres_state::PostgresQueue>(*postgres, clock);
    }
  }

  uint64_t bytes() const { return sqlite ? std::filesystem::file_size(file) : 0; }

  std::filesystem::path file;
  std::unique_ptr<store::Database> sqlite;
  std::unique_ptr<store::postgres_state::Database> postgres;
  std::unique_ptr<store::JobStore> store;
  std::unique_ptr<store::Queue> queue;
};

void Run(const Arguments& arguments) {
  SystemClock clock;
  Log log(LogLevel::kWarning, LogFormat::kText, STDERR_FILENO);
  CostMeter meter;
  const State state(arguments, clock);
  TimedStore store(*state.store, meter);
  TimedQueue queue(*state.queue, meter);
  const auto destination =
      Take(storage::LocalStore::OpenOrCreate((arguments.directory / "exports").string()));
  recipe::Recipes recipes;
  recipes.Add(std::make_unique<SmallChunks>(*destination, arguments, meter));

  const engine::Options options;
  const std::string owner = "bench";
  engine::Heartbeat heartbeat(store, queue, clock, options);
  engine::Stagings stagings(owner, options.pending_bytes_max);
  engine::Context context{.store = store,
                          .queue = queue,
                          .recipes = recipes,
                          .clock = clock,
                          .log = log,
                          .options = options,
                          .owner = owner,
                          .heartbeat = heartbeat,
                          .stagings = stagings};
  engine::Worker worker(context);
  engine::Services services = engine::WorkerServices(context);
  engine::Engine engine(store, queue, recipes, options, Random::FromEntropy());

  const Milestone submitted{.at = std::chrono::steady_clock::now()};
  const std::string job_id = arguments.beside > 0 ? "" : Submit(engine, "bench", arguments.chunks);
  Course course;
  {
    std::jthread beating([&](std::stop_token stop) { heartbeat.Run(stop); });
    std::jthread maintaining([&](std::stop_token stop) { services.Run(stop); });
    std::vector<std::jthread> threads;
    for (int i = 0; i < arguments.threads; ++i) {
      threads.emplace_back(
          [&worker, i](std::stop_token stop) { worker.Run(stop, static_cast<uint64_t>(i)); });
    }
    if (arguments.beside > 0) return MeasureBeside(arguments, engine, *state.store);
    course = Follow(*state.store, meter, job_id, submitted);
  }
  Print(arguments, course, state.bytes());
}

}  // namespace
}  // namespace spillway::bench

int main(int argc, char** argv) {
  spillway::bench::Arguments arguments;
  CLI::App program("Chunks per second of the engine.", "engine_bench");
  program.add_option("directory", arguments.directory, "a new directory for state and exports")
      ->required();
  program.add_option("--chunks", arguments.chunks)->capture_default_str();
  program.add_option("--chunk-bytes", arguments.chunk_bytes, "digested by each chunk")
      ->capture_default_str();
  program.add_option("--threads", arguments.threads)->capture_default_str();
  program.add_option("--beside", arguments.beside, "chunks of a job beside the large one");
  program.add_option("--postgres", arguments.postgres, "in place of a SQLite file");
  CLI11_PARSE(program, argc, argv);
  std::filesystem::create_directories(arguments.directory);
  spillway::bench::Run(arguments);
}
