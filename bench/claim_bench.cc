// How long a worker waits for its chunk while 15 others claim and settle chunks of the same job
// too: from asking for a message to holding the lease, over a PostgreSQL database, one chunk at a
// time.
//
//   claim_bench postgres://user@host/database

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/clock.h"
#include "queue/postgres/postgres_queue.h"
#include "store/postgres/postgres_store.h"

namespace spillway::store {
namespace {

constexpr int kWorkers = 16;
constexpr int64_t kChunks = 4'000;
constexpr int kHints = 64;  // of a job in the queue
constexpr std::chrono::seconds kLease{30};

template <class T>
T Take(Result<T> result) {
  if (!result.has_value()) {
    fmt::print(stderr, "claim_bench: {}\n", result.error().message);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

class Bench {
 public:
  explicit Bench(const std::string& address)
      : database_(Take(postgres_state::Database::Open(address))),
        store_(*database_, clock_),
        queue_(*database_, clock_) {
    engine::Job request;
    request.id = request.task_id =
        fmt::format("claims-{}", clock_.Now().time_since_epoch().count());
    request.group = request.task_id;
    Take(store_.Create(request, false));
    job_ = Take(store_.Admit(request.group, 1)).value().id;
    const engine::Job held = Take(store_.AcquireJob(job_, "bench", kLease));
    const engine::Lease lease{.job_id = job_, .owner = "bench", .token = held.lease_token};
    for (int64_t first = 0; first < kChunks; first += 80) {
      std::vector<NewChunk> chunks;
      for (int64_t i = first; i < first + 80; ++i)
        chunks.push_back({.index = i, .spec = "{}", .planned = 1});
      Take(store_.AddChunks(lease, chunks));
    }
    Take(store_.Update(lease, {.phase = engine::JobPhase::kProcessing,
                               .planned = kChunks,
                               .chunks_total = kChunks,
                               .release = true}));
    Take(queue_.Send(std::vector<Message>(kHints, {.group = job_, .body = job_})));
  }

  /// Milliseconds of every claim.
  std::vector<double> Run() {
    std::vector<std::jthread> workers;
    for (int i = 0; i < kWorkers; ++i)
      workers.emplace_back([this, i] { Work("worker " + std::to_string(i)); });
    workers.clear();
    std::ranges::sort(waits_);
    return waits_;
  }

 private:
  /// Gives each message back for the next chunk, until there is none.
  void Work(const std::string& owner) {
    while (true) {
      const auto asked = std::chrono::steady_clock::now();
      const std::vector<Delivery> deliveries = Take(queue_.Receive(1, kLease));
      if (deliveries.empty()) return;
      const std::span<const std::string> handle(&deliveries[0].handle, 1);
      const Claims claims = Take(store_.ClaimChunks(job_, -1, 1, owner, kLease));
      const std::chrono::duration<double, std::milli> wait =
          std::chrono::steady_clock::now() - asked;
      if (claims.chunks.empty()) {
        Take(queue_.Delete(handle));
        continue;
      }
      const engine::Chunk& chunk = claims.chunks.front();
      const Settlement done{.lease = {.job_id = job_,
                                      .chunk = chunk.index,
                                      .owner = owner,
                                      .token = chunk.lease_token},
                            .kind = Settlement::Kind::kSucceeded,
                            .result = "{}",
                            .counts = {.planned = 1, .written = 1}};
      Take(store_.Settle({&done, 1}));
      Take(queue_.GiveBack(handle, std::chrono::milliseconds(0)));
      std::lock_guard lock(mutex_);
      waits_.push_back(wait.count());
    }
  }

  SystemClock clock_;
  std::unique_ptr<postgres_state::Database> database_;
  postgres_state::PostgresStore store_;
  postgres_state::PostgresQueue queue_;
  std::string job_;
  std::mutex mutex_;
  std::vector<double> waits_;
};

}  // namespace
}  // namespace spillway::store

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: claim_bench postgres://user@host/database\n");
    return 2;
  }
  const std::vector<double> waits = spillway::store::Bench(argv[1]).Run();
  if (waits.size() != spillway::store::kChunks) {
    fmt::print(stderr, "claim_bench: {} of {} chunks were claimed\n", waits.size(),
               spillway::store::kChunks);
    return 1;
  }
  fmt::print("{{\"claims\": {}, \"p50_ms\": {:.3f}, \"p99_ms\": {:.3f}}}\n", waits.size(),
             waits[waits.size() / 2], waits[waits.size() * 99 / 100]);
  return 0;
}
