// Several processes on one file: they share the work, and one that is killed takes nothing with it.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "store/sqlite/sqlite_store.h"
#include "store/sqlite/temporary_state.h"

namespace spillway::store {
namespace {

constexpr std::chrono::milliseconds kLease{300};
constexpr int64_t kRows = 10;

/// What each process opens for itself.
struct State {
  explicit State(const std::filesystem::path& path)
      : database(*Database::Open(path)), store(*database, clock) {}

  SystemClock clock;
  std::unique_ptr<Database> database;
  SqliteStore store;
};

/// Runs `act` in a child; its answer is the exit code. The caller has no threads and no open file.
pid_t Start(const std::function<int()>& act) {
  const pid_t child = fork();
  if (child == 0) {
    int code = 99;
    try {
      code = act();
    } catch (...) {
      code = 98;
    }
    _exit(code);
  }
  return child;
}

/// The exit code, or -1 for a child that was killed.
int Await(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class ProcessesTest : public testing::Test {
 protected:
  void Plan(int64_t chunks) {
    State state(state_.path());
    engine::Job request;
    request.id = request.task_id = "task";
    job_id_ = state.store.Create(request, false)->job.id;
    ASSERT_TRUE(*state.store.Admit("", 1));
    const engine::Job job = *state.store.AcquireJob(job_id_, "planner", kLease);
    const engine::Lease lease{.job_id = job.id, .owner = "planner", .token = job.lease_token};
    for (int64_t first = 0; first < chunks; first += 50) {
      std::vector<NewChunk> planned;
      for (int64_t i = first; i < first + 50; ++i)
        planned.push_back({.index = i, .spec = std::to_string(i), .planned = kRows});
      ASSERT_TRUE(state.store.AddChunks(lease, planned));
    }
    ASSERT_TRUE(state.store.Update(lease, {.phase = engine::JobPhase::kProcessing,
                                           .planned = chunks * kRows,
                                           .chunks_total = chunks,
                                           .release = true}));
  }

  /// One worker's round; false when no chunk was to be had.
  bool WorkOnce(State& state, const std::string& owner, int& last) {
    const Claims claims = *state.store.ClaimChunks(job_id_, -1, 4, owner, kLease);
    std::vector<Settlement> settlements;
    for (const engine::Chunk& chunk : claims.chunks) {
      settlements.push_back({.lease = {.job_id = job_id_,
                                       .chunk = chunk.index,
                                       .owner = owner,
                                       .token = chunk.lease_token},
                             .kind = Settlement::Kind::kSucceeded,
                             .result = owner,
                             .counts = {.planned = kRows, .written = kRows}});
    }
    const std::vector<Settled> settled_chunks = *state.store.Settle(settlements);
    for (const Settled& settled : settled_chunks) {
      last += settled.applied && settled.chunks_open == 0 ? 1 : 0;
    }
    return !claims.chunks.empty();
  }

  /// Works until every chunk is settled; returns how often it settled the last open one.
  int Work(const std::string& owner) {
    State state(state_.path());
    int last = 0;
    while (state.store.Get(job_id_)->chunks_open() > 0) {
      if (!WorkOnce(state, owner, last)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return last;
  }

  void ExpectAllDoneOnce(int64_t chunks) {
    State state(state_.path());
    const engine::Job job = *state.store.Get(job_id_);
    EXPECT_EQ(job.chunks_succeeded, chunks);
    EXPECT_EQ(job.counts.written, chunks * kRows);
    EXPECT_EQ(state.store.ListChunks(job_id_, engine::ChunkState::kSucceeded, -1, 100'000)->size(),
              static_cast<size_t>(chunks));
    const Result<> sound = state.database->Read([](Connection& connection) -> Result<> {
      Query row(connection, "PRAGMA integrity_check");
      TRY(row.Next());
      EXPECT_EQ(row.Text(), "ok");
      return {};
    });
    EXPECT_TRUE(sound);
  }

  TemporaryState state_;
  std::string job_id_;
};

TEST_F(ProcessesTest, NeverClaimOneChunkTwiceAndGetThemAll) {
  constexpr int64_t kChunks = 250;  // as many as an exit code can tell
  Plan(kChunks);
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    children.push_back(Start([this, i] {
      State state(state_.path());
      int claimed = 0;
      while (true) {
        const Claims claims =
            *state.store.ClaimChunks(job_id_, -1, 3, std::to_string(i), std::chrono::hours(1));
        if (claims.chunks.empty()) return claimed;
        claimed += static_cast<int>(claims.chunks.size());
      }
    }));
  }
  int claimed = 0;
  for (const pid_t child : children) claimed += Await(child);
  EXPECT_EQ(claimed, kChunks);
}

TEST_F(ProcessesTest, ShareTheWork) {
  constexpr int64_t kChunks = 600;
  Plan(kChunks);
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    children.push_back(Start([this, i] { return Work("process " + std::to_string(i)); }));
  }
  int last = 0;
  for (const pid_t child : children) {
    const int code = Await(child);
    EXPECT_LE(code, 1);
    last += code;
  }
  EXPECT_EQ(last, 1);
  ExpectAllDoneOnce(kChunks);
}

TEST_F(ProcessesTest, SurviveKills) {
  constexpr int64_t kChunks = 600;
  constexpr int kKills = 12;
  Plan(kChunks);
  std::minstd_rand random(20260101);
  for (int i = 0; i < kKills; ++i) {
    const pid_t child = Start([this, i] { return Work("victim " + std::to_string(i)); });
    usleep(1000 + random() % 15'000);
    kill(child, SIGKILL);
    Await(child);
  }
  const int last = Await(Start([this] { return Work("survivor"); }));
  EXPECT_TRUE(last == 0 || last == 1);
  ExpectAllDoneOnce(kChunks);
}

TEST_F(ProcessesTest, RacingProcessesCreateOneFileAndOneRun) {
  for (int round = 0; round < 20; ++round) {
    const TemporaryState fresh;
    std::vector<pid_t> children;
    for (int i = 0; i < 6; ++i) {
      children.push_back(Start([&fresh] {
        State state(fresh.path());
        engine::Job request;
        request.id = request.task_id = "task";
        return state.store.Create(request, false)->created ? 1 : 0;
      }));
    }
    int created = 0;
    for (const pid_t child : children) created += Await(child);
    ASSERT_EQ(created, 1);
  }
}

}  // namespace
}  // namespace spillway::store
