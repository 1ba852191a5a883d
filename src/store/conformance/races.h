#pragma once

#include <atomic>
#include <barrier>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "store/conformance/chunks.h"

namespace spillway::store {

/// Runs `act(thread, store)` on every thread at once, each with its own opening of the state.
class Race {
 public:
  explicit Race(int threads) : threads_(threads), start_(threads) {}

  template <class Open, class Act>
  void Run(Open open, Act act) {
    std::vector<std::shared_ptr<JobStore>> stores;
    for (int i = 0; i < threads_; ++i) stores.push_back(open());
    std::vector<std::jthread> running;
    for (int i = 0; i < threads_; ++i) {
      running.emplace_back([this, &act, i, store = stores[static_cast<size_t>(i)]] {
        start_.arrive_and_wait();
        act(i, *store);
      });
    }
  }

 private:
  const int threads_;
  std::barrier<> start_;
};

/// Races of threads that share one opening of the state, and of threads that each have their own.
constexpr bool kSharedAndOwn[] = {true, false};

#define SPILLWAY_OPEN(shared) [&] { return (shared) ? store_ : Another(); }

TEST_P(JobStoreConformance, RacingRequestsMakeOneRun) {
  for (const bool shared : kSharedAndOwn) {
    const std::string task = shared ? "shared" : "own";
    std::mutex mutex;
    std::set<std::string> ids;
    int created = 0;
    Race(6).Run(SPILLWAY_OPEN(shared), [&](int, JobStore& store) {
      const Created answer = Must(store.Create(Request(task), false));
      std::lock_guard lock(mutex);
      ids.insert(answer.job.id);
      created += answer.created ? 1 : 0;
    });
    EXPECT_EQ(created, 1);
    EXPECT_EQ(ids, std::set<std::string>{task + "-1"});

    std::set<int64_t> runs;
    Race(6).Run(SPILLWAY_OPEN(shared), [&](int, JobStore& store) {
      const Created answer = Must(store.Create(Request(task), true));
      std::lock_guard lock(mutex);
      runs.insert(answer.job.run);
    });
    EXPECT_EQ(runs, (std::set<int64_t>{2, 3, 4, 5, 6, 7}));
  }
}

TEST_P(JobStoreConformance, RacingAdmissionsKeepOrderAndLimit) {
  for (const bool shared : kSharedAndOwn) {
    const std::string group = shared ? "shared" : "own";
    std::vector<std::string> created;
    for (int i = 0; i < 24; ++i) created.push_back(Create(group + std::to_string(i), group).id);
    std::mutex mutex;
    std::vector<std::string> admitted;
    Race(4).Run(SPILLWAY_OPEN(shared), [&](int thread, JobStore& store) {
      const std::string owner = std::to_string(thread);
      while (true) {
        const std::optional<Job> job = Must(store.Admit(group, 1));
        if (!job) {
          if (Must(store.WaitingGroups(Timestamp::max())).empty()) return;
          std::this_thread::yield();
          continue;
        }
        {
          std::lock_guard lock(mutex);
          admitted.push_back(job->id);
        }
        const Job held = Must(store.AcquireJob(job->id, owner, kLease));
        Must(store.Update({.job_id = held.id, .owner = owner, .token = held.lease_token},
                          ToFailed()));
      }
    });
    EXPECT_EQ(admitted, created);
  }
}

TEST_P(JobStoreConformance, RacingAdmissionsNeverExceedTheLimit) {
  for (int i = 0; i < 40; ++i) Create("task" + std::to_string(i));
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
  Race(6).Run(SPILLWAY_OPEN(false), [&](int thread, JobStore& store) {
    const std::string owner = std::to_string(thread);
    while (true) {
      const std::optional<Job> job = Must(store.Admit("group", 3));
      if (!job) {
        if (Must(store.WaitingGroups(Timestamp::max())).empty()) return;
        std::this_thread::yield();
        continue;
      }
      const int now = ++running;
      for (int before = most; before < now && !most.compare_exchange_weak(before, now);) {
      }
      const Job held = Must(store.AcquireJob(job->id, owner, kLease));
      --running;
      Must(
          store.Update({.job_id = held.id, .owner = owner, .token = held.lease_token}, ToFailed()));
    }
  });
  EXPECT_LE(most, 3);
  EXPECT_EQ(Must(store_->List({.state = JobState::kFailed}, "", 100)).jobs.size(), 40U);
}

TEST_P(JobStoreConformance, OneOfManyRacingHoldersWins) {
  for (const bool shared : kSharedAndOwn) {
    const Job job = Processing(shared ? "shared" : "own");
    std::atomic<int> won = 0;
    Race(6).Run(SPILLWAY_OPEN(shared), [&](int thread, JobStore& store) {
      const auto held = store.AcquireJob(job.id, std::to_string(thread), kLease);
      if (held) {
        ++won;
      } else {
        EXPECT_EQ(CodeOf(held), "conflict");
      }
    });
    EXPECT_EQ(won, 1);
    EXPECT_EQ(Must(store_->Get(job.id)).lease_token, 1);
  }
}

TEST_P(JobStoreConformance, RacingClaimsGiveEachChunkToOneOwner) {
  constexpr int64_t kChunks = 120;
  for (const bool shared : kSharedAndOwn) {
    const Job job = Planned(shared ? "shared" : "own", kChunks);
    for (int64_t token = 1; token <= 2; ++token) {  // At first pending, then with expired leases.
      std::mutex mutex;
      std::multiset<int64_t> claimed;
      Race(4).Run(SPILLWAY_OPEN(shared), [&](int thread, JobStore& store) {
        const std::string owner = std::to_string(thread);
        while (true) {
          const std::vector<Chunk> chunks = ClaimSome(store, job.id, 7, owner);
          if (chunks.empty()) return;
          std::lock_guard lock(mutex);
          for (const Chunk& chunk : chunks) {
            EXPECT_EQ(chunk.lease_token, token);
            EXPECT_EQ(chunk.lease_owner, owner);
            claimed.insert(chunk.index);
          }
        }
      });
      EXPECT_EQ(claimed.size(), static_cast<size_t>(kChunks));
      EXPECT_EQ(std::set<int64_t>(claimed.begin(), claimed.end()).size(),
                static_cast<size_t>(kChunks));
      clock_.Advance(kLease);
    }
  }
}

TEST_P(JobStoreConformance, ExactlyOneSettlementSeesTheLastChunkGo) {
  constexpr int64_t kChunks = 60;
  for (int round = 0; round < 6; ++round) {
    const bool shared = round % 2 == 0;
    const Job job = Planned("task" + std::to_string(round), kChunks);
    std::atomic<int> last = 0;
    std::atomic<int> applied = 0;
    Race(4).Run(SPILLWAY_OPEN(shared), [&](int thread, JobStore& store) {
      while (true) {
        const std::vector<Chunk> chunks = ClaimSome(store, job.id, 1, std::to_string(thread));
        if (chunks.empty()) return;
        const Chunk& chunk = chunks.front();
        const bool dead = chunk.index % 7 == 0;
        const Settled settled =
            SettleOne(store, dead ? Failure(chunk, Settlement::Kind::kDead) : Success(chunk));
        applied += settled.applied ? 1 : 0;
        last += settled.applied && settled.chunks_open == 0 ? 1 : 0;
      }
    });
    EXPECT_EQ(applied, kChunks);
    EXPECT_EQ(last, 1);
    const Job summed = Must(store_->Get(job.id));
    EXPECT_EQ(summed.chunks_open(), 0);
    EXPECT_EQ(summed.chunks_dead, 9);
    EXPECT_EQ(summed.counts.written, 10 * (kChunks - 9));
    EXPECT_EQ(summed.counts.bytes, 1000 * (kChunks - 9));
  }
}

TEST_P(JobStoreConformance, ALateSettlementAndATakeoverExcludeEachOther) {
  constexpr int64_t kRounds = 40;
  const Job job = Planned("task", kRounds);
  for (int64_t i = 0; i < kRounds; ++i) {
    const Chunk late = Claimed(job.id, i, "late");
    clock_.Advance(kLease);
    bool settled = false;
    bool taken_over = false;
    Race(2).Run(SPILLWAY_OPEN(i % 2 == 0), [&](int thread, JobStore& store) {
      if (thread == 0) {
        settled = SettleOne(store, Success(late)).applied;
      } else {
        taken_over = TryClaim(store, job.id, i, "next").has_value();
      }
    });
    EXPECT_NE(settled, taken_over);
    EXPECT_EQ(ChunkAt(job.id, i)->state, settled ? ChunkState::kSucceeded : ChunkState::kLeased);
  }
}

TEST_P(JobStoreConformance, ACancellationRacesTheCommitPoint) {
  for (int round = 0; round < 30; ++round) {
    const Job job = Planned("task" + std::to_string(round), 1);
    SettleOne(Success(Claimed(job.id, 0)));
    const Lease lease = Hold(job.id);
    bool decided = false;
    bool cancelled = false;
    Race(2).Run(SPILLWAY_OPEN(round % 2 == 0), [&](int thread, JobStore& store) {
      if (thread == 0) {
        decided =
            store.Update(lease, {.phase = JobPhase::kCompleted, .outcome = "outcome"}).has_value();
      } else {
        cancelled = store.RequestCancel(job.id, "ada", "").has_value();
      }
    });
    EXPECT_NE(decided, cancelled);
    const Job after = Must(store_->Get(job.id));
    EXPECT_EQ(after.phase == JobPhase::kCompleted, decided);
    EXPECT_EQ(after.cancel_requested_at.has_value(), cancelled);
    EXPECT_EQ(after.outcome, decided ? "outcome" : "");
    const JobState end = decided ? JobState::kSucceeded : JobState::kCancelled;
    EXPECT_EQ(Must(store_->Update(lease, {.state = end})).state, end);
  }
}

TEST_P(JobStoreConformance, OneOfManyRacingRedrivesWins) {
  const Job job = Planned("task", 2);
  SettleOne(Failure(Claimed(job.id, 0), Settlement::Kind::kDead));
  Must(store_->Update(Hold(job.id), ToFailed()));
  std::atomic<int> won = 0;
  Race(6).Run(SPILLWAY_OPEN(false),
              [&](int, JobStore& store) { won += store.Redrive(job.id, "ada") ? 1 : 0; });
  EXPECT_EQ(won, 1);
  EXPECT_EQ(Must(store_->History(job.id)).size(), 4U);
}

TEST_P(JobStoreConformance, RacingFiringsFireEachTickOnce) {
  constexpr int kTicks = 5;
  for (const bool shared : kSharedAndOwn) {
    const std::string schedule = shared ? "shared" : "own";
    const Timestamp start = clock_.Now();
    Must(store_->Fire({.schedule = schedule, .until = start}));
    std::atomic<int> fired = 0;
    Race(6).Run(SPILLWAY_OPEN(shared), [&](int, JobStore& store) {
      for (int tick = 0; tick < kTicks; ++tick) {
        const Timestamp after = start + std::chrono::seconds(tick);
        const Fired answer = Must(store.Fire({.schedule = schedule,
                                              .after = after,
                                              .until = after + std::chrono::seconds(1),
                                              .job = Request(schedule)}));
        fired += answer.applied ? 1 : 0;
        EXPECT_EQ(answer.applied, answer.job.has_value());
      }
    });
    EXPECT_EQ(fired, kTicks);
    EXPECT_EQ(Must(store_->Get(schedule + "-5")).run, kTicks);
    EXPECT_EQ(CodeOf(store_->Get(schedule + "-6")), "not_found");
  }
}

TEST_P(JobStoreConformance, RacingFirstLooksBeginAScheduleOnce) {
  std::atomic<int> begun = 0;
  Race(6).Run(SPILLWAY_OPEN(false), [&](int, JobStore& store) {
    begun += Must(store.Fire({.schedule = "nightly", .until = clock_.Now()})).applied ? 1 : 0;
  });
  EXPECT_EQ(begun, 1);
}

TEST_P(JobStoreConformance, ARedriveRacesAnExpiry) {
  for (int round = 0; round < 20; ++round) {
    const Job job = Failed("task" + std::to_string(round));
    std::atomic<int> won = 0;
    Race(4).Run(SPILLWAY_OPEN(false), [&](int thread, JobStore& store) {
      const bool redrives = thread % 2 == 0;
      won += redrives ? store.Redrive(job.id, "ada").has_value()
                      : store.BeginExpiry(job, 1, 10).has_value();
    });
    EXPECT_EQ(won, 1);
    const Job after = Must(store_->Get(job.id));
    EXPECT_EQ(after.state == engine::JobState::kPending, !after.expiry.has_value());
  }
}

#undef SPILLWAY_OPEN

}  // namespace spillway::store
