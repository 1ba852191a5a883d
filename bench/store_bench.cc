// Chunks a second that workers on one SQLite file claim and settle (durably), asked by a message
// for each batch, which they give back. And how long the rescuer's look for stalled jobs, and a
// claim, take while all chunks of a large one wait for their time.
//   store_bench [folder [postgres://user@host/database]]
// The folder's file system is what is measured; default: the working folder.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/clock.h"
#include "queue/sqlite/sqlite_queue.h"
#include "store/postgres/postgres_store.h"
#include "store/sqlite/sqlite_store.h"

namespace spillway::store {
namespace {

using std::chrono::seconds;

template <class T>
T Must(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "store_bench: {}\n", result.error().message);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

void Remove(const std::filesystem::path& file) {
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file.string() + suffix);
}

/// A job in processing with so many chunks.
std::string Plan(JobStore& store, const std::string& name, int64_t chunks) {
  engine::Job request;
  request.id = request.task_id = request.group = name;
  const std::string job_id = Must(store.Create(request, false)).job.id;
  Must(store.Admit(name, 1));
  const engine::Job job = Must(store.AcquireJob(job_id, "planner", seconds(60)));
  const engine::Lease lease{.job_id = job.id, .owner = "planner", .token = job.lease_token};
  constexpr auto kCall = static_cast<int64_t>(kNewChunksMax);
  for (int64_t first = 0; first < chunks; first += kCall) {
    std::vector<NewChunk> planned;
    for (int64_t i = first; i < std::min(first + kCall, chunks); ++i)
      planned.push_back({.index = i, .spec = std::string(200, 's'), .planned = 10});
    Must(store.AddChunks(lease, planned));
  }
  Must(store.Update(lease, {.phase = engine::JobPhase::kProcessing,
                            .planned = chunks * 10,
                            .chunks_total = chunks,
                            .release = true}));
  return job_id;
}

/// A fresh file with one planned job and messages that say so.
class Bench {
 public:
  Bench(const std::filesystem::path& folder, int64_t chunks)
      : file_(folder / fmt::format("store_bench.{}.db", getpid())) {
    Remove(file_);
    database_ = Must(Database::Open(file_));
    store_ = std::make_unique<SqliteStore>(*database_, clock_);
    queue_ = std::make_unique<SqliteQueue>(*database_, clock_);
    constexpr size_t kHints = 64;  // of a job in the queue
    job_id_ = Plan(*store_, "bench", chunks);
    Must(queue_->Send(std::vector<Message>(kHints, {.group = job_id_, .body = job_id_})));
  }
  ~Bench() {
    database_.reset();
    Remove(file_);
  }

  /// One worker's life: until the queue is empty.
  void Work(size_t batch, const std::string& owner, std::atomic<int64_t>& done) {
    const std::string result(400, 'r');  // About what a part's JSON takes.
    while (true) {
      const std::vector<Delivery> deliveries = Must(queue_->Receive(1, seconds(60)));
      if (deliveries.empty()) return;
      const std::vector<std::string> handles = {deliveries[0].handle};
      const Claims claims = Must(store_->ClaimChunks(job_id_, -1, batch, owner, seconds(60)));
      if (claims.chunks.empty()) {
        Must(queue_->Delete(handles));
        continue;
      }
      std::vector<Settlement> settlements;
      for (const engine::Chunk& chunk : claims.chunks) {
        settlements.push_back({.lease = {.job_id = chunk.job_id,
                                         .chunk = chunk.index,
                                         .owner = owner,
                                         .token = chunk.lease_token},
                               .kind = Settlement::Kind::kSucceeded,
                               .result = result,
                               .counts = {.planned = 10, .written = 10, .bytes = 1000}});
      }
      for (const Settled& settled : Must(store_->Settle(settlements)))
        done += settled.applied ? 1 : 0;
      Must(queue_->GiveBack(handles, seconds(0)));
    }
  }

 private:
  SystemClock clock_;
  std::filesystem::path file_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<SqliteStore> store_;
  std::unique_ptr<SqliteQueue> queue_;
  std::string job_id_;
};

void Measure(const std::filesystem::path& folder, size_t threads, size_t batch, int64_t chunks) {
  Bench bench(folder, chunks);
  std::atomic<int64_t> done = 0;
  const auto start = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> workers;
    for (size_t i = 0; i < threads; ++i) {
      workers.emplace_back([&, i] { bench.Work(batch, fmt::format("worker {}", i), done); });
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  if (done != chunks) {
    fmt::print(stderr, "store_bench: {} of {} chunks done\n", done.load(), chunks);
    std::exit(1);
  }
  fmt::print("chunks/s  threads {}  batch {:2}  {:8.0f}\n", threads, batch,
             static_cast<double>(chunks) / took.count());
}

/// How long a look for stalled jobs takes, and a claim, where every chunk of a job is postponed.
void MeasureWaiting(JobStore& store, const std::string& name, int64_t chunks) {
  SystemClock clock;
  const std::string job_id =
      Plan(store, fmt::format("stalled-{}", clock.Now().time_since_epoch().count()), chunks);
  for (int64_t after = -1; after + 1 < chunks;) {
    const Claims claims =
        Must(store.ClaimChunks(job_id, after, kSettlementsMax, "worker", seconds(60)));
    std::vector<Settlement> postponed;
    for (const engine::Chunk& chunk : claims.chunks) {
      postponed.push_back({.lease = {.job_id = chunk.job_id,
                                     .chunk = chunk.index,
                                     .owner = "worker",
                                     .token = chunk.lease_token},
                           .kind = Settlement::Kind::kPostponed,
                           .not_before = clock.Now() + std::chrono::hours(12)});
    }
    Must(store.Settle(postponed));
    after = claims.chunks.back().index;
  }
  const auto measure = [&](std::string_view what, const auto& act) {
    std::array<double, 5> took{};
    for (double& one : took) {
      const auto start = std::chrono::steady_clock::now();
      act();
      one = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
                .count();
    }
    std::ranges::sort(took);
    fmt::print("{:21}  {:8}  {} chunks wait  {:8.1f} ms\n", what, name, chunks, took[2]);
  };
  measure("look for stalled jobs", [&] {
    const auto stalled = Must(store.Stalled({.before = clock.Now() + std::chrono::hours(1)}, 100));
    for (const engine::Job& job : stalled) {
      if (job.id == job_id)
        Must(Result<>(Fail(ErrorCode::kInternal, "a job that waits is stalled")));
    }
  });
  measure("claim", [&] {
    if (!Must(store.ClaimChunks(job_id, -1, 64, "worker", seconds(60))).chunks.empty())
      Must(Result<>(Fail(ErrorCode::kInternal, "a chunk that waits was claimed")));
  });
}

}  // namespace
}  // namespace spillway::store

int main(int argc, char** argv) {
  using namespace spillway;
  constexpr int64_t kWaiting = 1'000'000;
  const std::filesystem::path folder = argc > 1 ? argv[1] : ".";
  SystemClock clock;
  {
    const std::filesystem::path file = folder / fmt::format("store_bench.{}.db", getpid());
    const auto database = store::Must(store::Database::Open(file));
    store::SqliteStore sqlite(*database, clock);
    store::MeasureWaiting(sqlite, "sqlite", kWaiting);
    store::Remove(file);
  }
  if (argc > 2) {
    const auto database = store::Must(store::postgres_state::Database::Open(argv[2]));
    store::postgres_state::PostgresStore postgres(*database, clock);
    store::MeasureWaiting(postgres, "postgres", kWaiting);
  }
  for (const size_t threads : {1, 2, 4}) {
    for (const size_t batch : {1, 8, 64}) {
      spillway::store::Measure(folder, threads, batch, batch == 1 ? 4'000 : 40'000);
    }
  }
  return 0;
}
