// Chunks a second that workers on one SQLite file claim and settle (durably), asked by a message
// for each batch, which they give back.
//   store_bench [folder]    the folder's file system is what is measured; default: the working
//   folder

#include <unistd.h>

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

/// A fresh file with one planned job and messages that say so.
class Bench {
 public:
  Bench(const std::filesystem::path& folder, int64_t chunks)
      : file_(folder / fmt::format("store_bench.{}.db", getpid())) {
    Remove();
    database_ = Must(Database::Open(file_));
    store_ = std::make_unique<SqliteStore>(*database_, clock_);
    queue_ = std::make_unique<SqliteQueue>(*database_, clock_);
    Plan(chunks);
  }
  ~Bench() {
    database_.reset();
    Remove();
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
  void Plan(int64_t chunks) {
    constexpr size_t kHints = 64;  // of a job in the queue
    engine::Job request;
    request.id = request.task_id = "bench";
    job_id_ = Must(store_->Create(request, false)).job.id;
    Must(store_->Admit("", 1));
    const engine::Job job = Must(store_->AcquireJob(job_id_, "planner", seconds(60)));
    const engine::Lease lease{.job_id = job.id, .owner = "planner", .token = job.lease_token};
    constexpr int64_t kCall = 90;
    for (int64_t first = 0; first < chunks; first += kCall) {
      std::vector<NewChunk> planned;
      for (int64_t i = first; i < std::min(first + kCall, chunks); ++i)
        planned.push_back({.index = i, .spec = std::string(200, 's'), .planned = 10});
      Must(store_->AddChunks(lease, planned));
    }
    Must(store_->Update(lease, {.phase = engine::JobPhase::kProcessing,
                                .planned = chunks * 10,
                                .chunks_total = chunks,
                                .release = true}));
    Must(queue_->Send(std::vector<Message>(kHints, {.group = job_id_, .body = job_id_})));
  }

  void Remove() const {
    for (const char* suffix : {"", "-wal", "-shm"})
      std::filesystem::remove(file_.string() + suffix);
  }

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

}  // namespace
}  // namespace spillway::store

int main(int argc, char** argv) {
  const std::filesystem::path folder = argc > 1 ? argv[1] : ".";
  for (const size_t threads : {1, 2, 4}) {
    for (const size_t batch : {1, 8, 64}) {
      spillway::store::Measure(folder, threads, batch, batch == 1 ? 4'000 : 40'000);
    }
  }
  return 0;
}
