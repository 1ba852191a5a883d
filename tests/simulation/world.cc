#include "simulation/world.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "base/time_zone.h"
#include "engine/engine.h"
#include "queue/memory/memory_queue.h"
#include "queue/sqlite/sqlite_queue.h"
#include "simulation/server.h"
#include "store/memory/memory_store.h"
#include "store/sqlite/sqlite_store.h"

namespace spillway::simulation {
namespace {

using engine::Job;
using engine::JobState;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kTrouble{20};   ///< How long requests come and faults strike.
constexpr seconds kRestMax{300};  ///< How long everything may take to come to rest then.
constexpr milliseconds kWatch{200};
constexpr const char* kScheduled = "1000";

// Of a crowded world: a job of very many chunks, and small ones that come while it runs.
constexpr uint64_t kCrowdedEvery = 64;
constexpr const char* kLarge = "2000";
constexpr int64_t kLargeChunks = 10'000;
constexpr int kPauseMs = 40;

/// Jobs and messages, in one of the product's stores.
struct State {
  explicit State(StoreKind kind, Clock& clock) {
    if (kind == StoreKind::kMemory) {
      store = std::make_unique<store::MemoryStore>(memory, clock);
      queue = std::make_unique<store::MemoryQueue>(memory, clock);
    } else {
      sqlite = *store::Database::Open(":memory:");
      store = std::make_unique<store::SqliteStore>(*sqlite, clock);
      queue = std::make_unique<store::SqliteQueue>(*sqlite, clock);
    }
  }

  store::MemoryDatabase memory;
  std::unique_ptr<store::Database> sqlite;
  std::unique_ptr<store::JobStore> store;
  std::unique_ptr<store::Queue> queue;
};

/// The wall clock of schedules: its minutes pass in three seconds. Midnight comes when the ticks
/// are over.
class WallClock final : public Clock {
 public:
  explicit WallClock(SimulatedClock& clock) : clock_(clock), begin_(clock.Now()) {}

  Timestamp Now() override { return kBegin + (clock_.Now() - begin_) * 20; }
  void SleepFor(std::chrono::microseconds duration, std::stop_token stop) override {
    clock_.SleepFor(duration, std::move(stop));
  }

  static constexpr Timestamp kBegin = std::chrono::sys_days(std::chrono::year(2026) / 3 / 3) +
                                      std::chrono::hours(23) + std::chrono::minutes(49);
  static constexpr Timestamp kMidnight = kBegin + std::chrono::minutes(11);

 private:
  SimulatedClock& clock_;
  const Timestamp begin_;
};

engine::Options DrawOptions(Random& random, bool crowded) {
  engine::Options options;
  options.lease = milliseconds(2'000);
  options.heartbeat = milliseconds(400);
  options.backoff_base = milliseconds(100);
  options.backoff_max = milliseconds(800);
  options.idle_max = milliseconds(400);
  options.parallel_max = static_cast<int64_t>(1 + random.Below(3));
  if (crowded) options.parallel_max = 2;
  options.pending_bytes_max = size_t{1} << random.Below(9);
  if (random.Below(2) == 0) options.result_bytes_max = random.Below(1'000);
  if (random.Below(3) == 0) {
    options.retention_of_export["rows"] = {
        .published = milliseconds(1'000 + random.Below(10'000)),
        .redrivable = milliseconds(1'000 + random.Below(10'000))};
  }
  return options;
}

class World {
 public:
  explicit World(const Setup& setup)
      : setup_(setup),
        scheduler_(setup.seed),
        crowded_(setup.seed % kCrowdedEvery == kCrowdedEvery - 1),
        faults_(crowded_ ? Faults() : Faults::Draw(random_)),
        calm_(faults_.fail_before + faults_.fail_after + faults_.crash + faults_.pause +
                  faults_.partition ==
              0),
        sealed_(!crowded_ && random_.Below(16) == 0),
        options_(DrawOptions(random_, crowded_)),
        state_(setup.store, clock_),
        disk_(clock_,
              {.durable = random_.Below(4) == 0, .consumes_sources = random_.Below(2) == 0}),
        invariants_(*state_.store, disk_, source_, clock_, options_),
        client_faults_(faults_),
        keeper_(scheduler_.NewProcess()) {
    disk_.Seal(sealed_);
    disk_.OnChange([this](const std::string& key) { invariants_.ObjectChanged(key); });
    client_faults_.crash = 0;
    client_ = std::make_unique<Outlook>("client", surroundings_, client_faults_);
    servers_.resize(1 + random_.Below(3));
  }

  /// Fibers go before what they stand on.
  ~World() { scheduler_.KillAll(); }

  Outcome Run() {
    const Timestamp begin = scheduler_.now();
    if (crowded_) return RunCrowded();
    if (random_.Below(4) == 0) MakeSchedule();
    for (size_t slot = 0; slot < servers_.size(); ++slot) StartServer(slot);
    scheduler_.Spawn(keeper_, [this] { Watch(); });
    MakeRequests();
    Advance(kTrouble, [] { return false; });
    faults_ = client_faults_ = {};
    Tell("the faults end");
    Advance(kRestMax, [this] { return AllFinal() && ScheduleIsOver(); });
    if (!invariants_.violation()) CheckTicks();
    if (!AllFinal()) invariants_.Violate("liveness: not everything ended, one way or another");
    if (!invariants_.violation()) Redrive();
    Rest();
    return {.violation = invariants_.violation(),
            .jobs = invariants_.jobs().size(),
            .succeeded = invariants_.succeeded(),
            .simulated_seconds = std::chrono::duration<double>(scheduler_.now() - begin).count()};
  }

 private:
  /// E3. A small job that comes while a large one runs takes turns with it: until it is over, the
  /// large one gets about as many chunks done as it has itself.
  Outcome RunCrowded() {
    const Timestamp begin = scheduler_.now();
    for (size_t slot = 0; slot < servers_.size(); ++slot) StartServer(slot);
    source_.AddPlain(kLarge, "tenant-0", kLargeChunks, kPauseMs);
    Ask(milliseconds(0), [this](engine::Engine& engine) { Submit(engine, kLarge, false); });
    Advance(kRestMax, [this] { return LargeDone() > 0; });
    const auto chunks = static_cast<int64_t>(1 + random_.Below(100));
    source_.AddPlain("0", "tenant-1", chunks, kPauseMs);
    benign_.push_back(true);
    const int64_t done_at_first = LargeDone();
    Ask(milliseconds(0), [this](engine::Engine& engine) { Submit(engine, "0", false); });
    Advance(kRestMax, [this] { return SmallHasPassed(engine::JobPhase::kDiscovering); });
    const int64_t done_before = LargeDone();
    Advance(kRestMax, [this] { return SmallHasPassed(engine::JobPhase::kProcessing); });
    const int64_t done = LargeDone() - done_before;
    Advance(kRestMax, [this] { return requests_ == 0 && SmallIsOver(); });
    Tell("a job of " + std::to_string(chunks) + " chunks saw " + std::to_string(done) +
         " of the large one's");
    // Planning and finishing take their turns, too, and then as many slow calls as twenty chunks
    // do, while the other servers go on.
    const auto servers = static_cast<int64_t>(servers_.size());
    const int64_t fair = chunks * 3 / 2 + 4 * servers;
    if (!SmallIsOver() || done > fair || LargeDone() - done_at_first > fair + 40 * servers)
      invariants_.Violate("E3: a small job waits for a large one's chunks");
    return {.violation = invariants_.violation(),
            .jobs = invariants_.jobs().size(),
            .succeeded = invariants_.succeeded(),
            .simulated_seconds = std::chrono::duration<double>(scheduler_.now() - begin).count()};
  }

  int64_t LargeDone() {
    const std::vector<std::string>& jobs = invariants_.jobs();
    return jobs.empty() ? 0 : state_.store->Get(jobs[0])->chunks_succeeded;
  }

  /// Whether the small job is beyond that phase; for kProcessing: has no chunk open any more.
  bool SmallHasPassed(engine::JobPhase phase) {
    const std::vector<std::string>& jobs = invariants_.jobs();
    if (jobs.size() < 2) return false;
    const Job job = *state_.store->Get(jobs[1]);
    if (job.phase > phase || engine::IsFinal(job.state)) return true;
    return job.phase == engine::JobPhase::kProcessing && job.chunks_open() == 0;
  }

  bool SmallIsOver() {
    const std::vector<std::string>& jobs = invariants_.jobs();
    return jobs.size() == 2 && engine::IsFinal(state_.store->Get(jobs[1])->state);
  }

  void Tell(const std::string& event) {
    if (setup_.trace) setup_.trace("world", event);
  }

  void Advance(milliseconds time, const std::function<bool()>& done) {
    scheduler_.Run(scheduler_.now() + time,
                   [&] { return invariants_.violation().has_value() || done(); });
  }

  bool AllFinal() {
    if (requests_ > 0) return false;
    for (const std::string& id : invariants_.jobs()) {
      if (!engine::IsFinal(state_.store->Get(id)->state)) return false;
    }
    return true;
  }

  // --- servers ---

  void StartServer(size_t slot) {
    const std::string name = "server-" + std::to_string(slot) + "." + std::to_string(++started_);
    servers_[slot] = std::make_unique<Server>(name, surroundings_, faults_);
    servers_[slot]->Start();
  }

  bool Strikes(double rate_per_second) {
    return scheduler_.random().Fraction() <
           rate_per_second * std::chrono::duration<double>(kWatch).count();
  }

  /// Kills, stops and starts servers, and reboots the machine.
  void Watch() {
    while (true) {
      scheduler_.SleepFor(kWatch);
      for (size_t slot = 0; slot < servers_.size(); ++slot) {
        if (servers_[slot]->HasEnded()) {
          if (scheduler_.random().Below(4) == 0) StartServer(slot);
        } else if (Strikes(faults_.kill)) {
          servers_[slot]->Kill();
        } else if (Strikes(faults_.stop)) {
          servers_[slot]->Stop();
        }
      }
      if (Strikes(faults_.reboot)) Reboot();
    }
  }

  void Reboot() {
    for (const auto& server : servers_) {
      if (!server->HasEnded()) server->Kill();
    }
    scheduler_.SleepFor(milliseconds(1));
    Tell("the machine reboots");
    disk_.Reboot(scheduler_.random());
  }

  // --- requests ---

  /// Has somebody ask for something, at some time.
  void Ask(std::function<void(engine::Engine&)> request) {
    const auto latest = static_cast<uint64_t>(milliseconds(kTrouble).count()) / 2;
    Ask(milliseconds(random_.Below(latest)), std::move(request));
  }

  void Ask(milliseconds at, std::function<void(engine::Engine&)> request) {
    ++requests_;
    scheduler_.Spawn(client_->process().id(), [this, at, request = std::move(request)] {
      scheduler_.SleepFor(at);
      engine::Engine engine(client_->store(), client_->queue(), client_->recipes(), options_,
                            Random(random_.Next()));
      request(engine);
      --requests_;
    });
  }

  void MakeRequests() {
    const uint64_t tasks = 1 + random_.Below(4);
    for (uint64_t i = 0; i < tasks; ++i) {
      const std::string name = std::to_string(i);
      const bool benign = random_.Below(3) == 0;
      source_.Add(random_, name, random_.Below(3) == 0 ? "b" : "a", benign);
      benign_.push_back(benign);
      Ask([this, name](engine::Engine& engine) { Submit(engine, name, false); });
      if (random_.Below(4) == 0) {
        const bool fresh = random_.Below(2) == 0;
        Ask([this, name, fresh](engine::Engine& engine) { Submit(engine, name, fresh); });
      }
      if (random_.Below(4) == 0) Ask([this](engine::Engine& engine) { CancelOne(engine); });
      if (random_.Below(4) == 0) Ask([this](engine::Engine& engine) { RedriveOne(engine); });
    }
  }

  /// Ten ticks of a task, all of which have to be fired, whatever happens.
  void MakeSchedule() {
    SourceTask& task = source_.Add(random_, kScheduled, "a", true);
    task.chunks.resize(std::min<size_t>(task.chunks.size(), 2));
    for (SourceChunk& chunk : task.chunks) chunk.pause_ms = 0;
    schedules_.push_back(
        {.name = "nightly",
         .recipe = std::string(RowsRecipe::kName),
         .cron = *schedule::Cron::Parse("50-59 23 * * *"),
         .zone = TimeZone(),
         .catch_up = engine::CatchUp::kAll,
         .request = [this](Timestamp) -> Result<recipe::Request> {
           return recipe::Request{
               .export_name = "rows",
               .who = {.user = "schedule nightly", .organisation = source_.Of(kScheduled).tenant},
               .parameters = kScheduled};
         }});
  }

  bool ScheduleIsOver() {
    return schedules_.empty() ||
           (wall_clock_.Now() >= WallClock::kMidnight && invariants_.schedule_begun().has_value() &&
            Expected() == invariants_.ticks());
  }

  std::vector<Timestamp> Expected() {
    std::vector<Timestamp> ticks;
    const engine::Schedule& schedule = schedules_.front();
    for (auto tick = schedule.cron.Next(*invariants_.schedule_begun(), schedule.zone);
         tick && *tick < WallClock::kMidnight; tick = schedule.cron.Next(*tick, schedule.zone)) {
      ticks.push_back(*tick);
    }
    return ticks;
  }

  void CheckTicks() {
    if (!ScheduleIsOver()) invariants_.Violate("E10: not every tick was fired, once and in order");
  }

  /// People press the button again until there is an answer.
  void Submit(engine::Engine& engine, const std::string& name, bool fresh) {
    const recipe::Request request{.export_name = "rows",
                                  .who = {.user = "ada", .organisation = source_.Of(name).tenant},
                                  .parameters = name};
    for (int attempt = 0; attempt < 100; ++attempt) {
      const auto created = engine.Submit(RowsRecipe::kName, request, fresh);
      if (created.has_value() || created.error().code != ErrorCode::kUnavailable) return;
      scheduler_.SleepFor(milliseconds(200));
    }
  }

  std::optional<std::string> SomeJob() {
    const std::vector<std::string>& jobs = invariants_.jobs();
    if (jobs.empty()) return std::nullopt;
    return jobs[scheduler_.random().Below(jobs.size())];
  }

  void CancelOne(engine::Engine& engine) {
    if (const auto job = SomeJob())
      static_cast<void>(engine.Cancel(*job, "grace", "changed her mind"));
  }

  void RedriveOne(engine::Engine& engine) {
    if (const auto job = SomeJob()) static_cast<void>(engine.Redrive(*job, "grace"));
  }

  // --- the end ---

  /// What failed succeeds, once nothing is in its way.
  void Redrive() {
    for (const std::string& id : invariants_.jobs()) CheckCalm(*state_.store->Get(id));
    source_.Heal();
    disk_.Seal(false);
    invariants_.Healed();
    Tell("the source is healed");
    // What the machine lost is only found when no chunk is dead any more: that takes a second one.
    for (int redrive = 0; redrive < (disk_.was_rebooted() ? 2 : 1); ++redrive) {
      for (const std::string& id : invariants_.jobs()) {
        if (state_.store->Get(id)->state != JobState::kFailed) continue;
        Ask([id](engine::Engine& engine) { static_cast<void>(engine.Redrive(id, "grace")); });
      }
      Advance(kRestMax, [this] { return AllFinal(); });
    }
    for (const std::string& id : invariants_.jobs()) {
      const Job job = *state_.store->Get(id);
      if (job.state == JobState::kFailed && !job.expiry) {
        invariants_.Violate("E5: redrive did not help " + id + ": " + job.failure->message);
      }
    }
  }

  /// Without faults, a task without defects has no excuse.
  void CheckCalm(const Job& job) {
    const bool benign = job.parameters == kScheduled || benign_[std::stoul(job.parameters)];
    if (calm_ && !sealed_ && benign && job.state == JobState::kFailed && !disk_.was_rebooted()) {
      invariants_.Violate(job.id + " failed for nothing: " + job.failure->message);
    }
  }

  /// Late messages arrive, and the sweeper runs: a server that has staged anything sees what others
  /// left.
  void Rest() {
    Ask([this](engine::Engine& engine) { Submit(engine, "0", true); });
    Advance(kRestMax, [this] { return AllFinal(); });
    const bool expires = !options_.retention_of_export.empty();
    Advance(options_.lease * (expires ? 16 : 8), [] { return false; });
    CheckExpired();
    Advance(kRestMax, [this] { return *state_.queue->Depth() == 0; });
    if (!invariants_.violation()) invariants_.AtRest(*state_.queue->Depth());
  }

  /// What is due by far has gone.
  void CheckExpired() {
    if (options_.retention_of_export.empty()) return;
    for (const std::string& id : invariants_.jobs()) {
      const Job job = *state_.store->Get(id);
      const bool due = engine::IsFinal(job.state) && job.state != JobState::kCancelled &&
                       clock_.Now() - *job.finished_at > options_.lease * 12;
      if (due && !(job.expiry && job.expiry->ended_at)) {
        invariants_.Violate("E11: " + id + " has not expired");
      }
    }
  }

  const Setup& setup_;
  Random random_{setup_.seed ^ 0x9e3779b97f4a7c15};
  Scheduler scheduler_;
  SimulatedClock clock_{scheduler_};
  const bool crowded_;
  Faults faults_;
  const bool calm_;
  const bool sealed_;  ///< The disk removes nothing until the end.
  const engine::Options options_;
  State state_;
  Disk disk_;
  Source source_;
  Invariants invariants_;
  Log log_{LogLevel::kError, LogFormat::kText, -1};
  WallClock wall_clock_{clock_};
  std::vector<engine::Schedule> schedules_;
  const SigningKey signing_key_{std::array<uint8_t, 32>{7}};
  Surroundings surroundings_{.scheduler = scheduler_,
                             .clock = clock_,
                             .options = options_,
                             .store = *state_.store,
                             .queue = *state_.queue,
                             .disk = disk_,
                             .source = source_,
                             .invariants = invariants_,
                             .log = log_,
                             .trace = setup_.trace,
                             .signing_key = setup_.seed % 4 == 0 ? &signing_key_ : nullptr,
                             .doubles = setup_.doubles,
                             .schedule_clock = wall_clock_,
                             .schedules = schedules_};
  Faults client_faults_;
  std::unique_ptr<Outlook> client_;
  const Scheduler::Process keeper_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<bool> benign_;
  size_t started_ = 0;
  size_t requests_ = 0;
};

}  // namespace

Outcome RunWorld(const Setup& setup) { return World(setup).Run(); }

}  // namespace spillway::simulation
