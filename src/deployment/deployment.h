#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/signing.h"
#include "deployment/foreign_stream.h"
#include "deployment/lake_place.h"
#include "deployment/stores.h"
#include "engine/engine.h"
#include "engine/heartbeat.h"
#include "engine/worker.h"
#include "maintenance/services.h"
#include "queue/postgres/postgres_queue.h"
#include "queue/sqlite/sqlite_queue.h"
#include "recipe/definition.h"
#include "recipe/recipe.h"
#include "recipe/resources.h"
#include "settings/settings.h"
#include "storage/object_store.h"
#include "storage/stream/stream_store.h"
#include "store/postgres/postgres_store.h"
#include "store/sqlite/database.h"
#include "store/sqlite/sqlite_store.h"

namespace spillway {

/// Who sees the messages that this process sends.
enum class Sharing {
  kShared,   ///< Every worker on the same state.
  kPrivate,  ///< This process alone: its exports go to its own standard output.
};

/// How many threads work: those configured, or one a core.
int ThreadsOf(const Settings& settings);

/// kConflict, with what to do, unless the key of this machine is the one that is recorded in the
/// state, or none is.
Result<> CheckSigningKey(const std::filesystem::path& path, const std::string& id,
                         const std::string& recorded);

/// kConflict, with what to do, unless the public key beside the signing key at `path` is its own.
Result<> CheckPublicKey(const std::filesystem::path& path, const std::string& id);

/// The configured parts, put together: the one place where implementations are chosen. Lives as
/// long as the command.
class Deployment final : private recipe::Resources {
 public:
  /// Makes the state and the signing key where they are not there yet; destinations, when something
  /// goes there.
  static Result<std::unique_ptr<Deployment>> Open(const Settings& settings,
                                                  const recipe::Registry& registry, Log& log,
                                                  Sharing sharing);

  /// For commands that look, or act on jobs that are there: makes nothing. What is not there
  /// yet is empty.
  static Result<std::unique_ptr<Deployment>> OpenExisting(const Settings& settings,
                                                          const recipe::Registry& registry,
                                                          Log& log);

  store::JobStore& store() { return *store_; }
  engine::Engine& engine() { return *engine_; }
  const recipe::Registry& registry() const { return registry_; }
  const recipe::Recipes& recipes() const { return recipes_; }
  /// Opened when it is first asked for, and kept once it is not empty, while it is in its place;
  /// kNotFound while there is none. Thread-safe.
  Result<std::shared_ptr<LakePlace>> ConfiguredLake();
  /// Whether there is a state already.
  bool has_state() const { return has_state_; }
  /// kNotFound, saying where, unless there is.
  Result<> CheckState() const;
  Clock& clock() override { return clock_; }
  Stores& stores() { return stores_; }
  const Settings& configuration() const { return settings_; }

  /// The destination of an export that goes to this process's standard output.
  std::string StandardOutput() const { return "-" + owner_; }

  /// Gives up writing to standard output, even while its reader takes nothing.
  void StopStreaming() { streaming_.request_stop(); }

  /// The store behind a destination: a directory, a bucket, StandardOutput(), or that of another
  /// process, where only what was left beside it is in reach. Where a directory was replaced, the
  /// new one; kUnavailable, retryable, while one that was there is not: it is not made again. The
  /// former one is closed once nobody holds it.
  Result<std::shared_ptr<storage::ObjectStore>> DestinationStore(std::string_view destination);

  /// Where a job's files are.
  Result<recipe::Destination> DestinationOf(const engine::Job& job) const;

  /// Removes what a job left that is to be cancelled, as soon as its workers have stopped, unless
  /// one of them does. Works on nothing else. What could not be removed is the returned job's
  /// `failure`.
  Result<engine::Job> AwaitCancelled(std::string_view job_id);

  /// What acts of this process work with.
  engine::Context ContextForWorkers();

  /// Works on whatever is to be done, with the configured number of threads, until it is dropped.
  class Workers {
   public:
    explicit Workers(Deployment& deployment);
    ~Workers();
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    /// Has a thread of its own run these services too.
    void Run(engine::Services services);

    /// From now on they leave the planning of jobs to other processes.
    void StopPlanning() { worker_.StopPlanning(); }

   private:
    Deployment& deployment_;
    engine::Context context_;
    engine::Worker worker_;
    std::vector<std::jthread> threads_;
    std::jthread heartbeat_;
  };

 private:
  Deployment(const Settings& settings, const recipe::Registry& registry, Log& log,
             Stores::Missing missing);

  /// Standard output, of this process or of another.
  Result<std::shared_ptr<storage::ObjectStore>> Stream(std::string_view destination);

  // What recipes are lent.
  recipe::SharedSettings settings() const override {
    return {.lake = settings_.lake, .databases = settings_.databases};
  }
  Result<std::shared_ptr<storage::ObjectStore>> Destination(std::string_view destination) override {
    return DestinationStore(destination);
  }
  Result<recipe::Resources::Lake> OpenLake() override;
  bool IsOver(std::string_view job_id) override;
  Log& log() override { return log_; }

  Result<> OpenState(Sharing sharing);
  Result<> OpenSigningKey();
  Result<> AssembleEngine();

  const Settings settings_;
  const recipe::Registry& registry_;
  const Stores::Missing missing_;
  Log& log_;
  SystemClock clock_;
  Stores stores_;
  const std::string owner_;
  engine::Options options_;
  bool has_state_ = false;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::postgres_state::Database> postgres_;
  std::unique_ptr<store::Database> private_messages_;
  std::unique_ptr<store::JobStore> store_;
  std::unique_ptr<store::Queue> queue_;
  std::mutex lake_mutex_;
  std::shared_ptr<LakePlace> lake_;  // guarded by lake_mutex_
  std::optional<SigningKey> signing_key_;
  std::stop_source streaming_;
  std::mutex destinations_mutex_;
  /// Work that has begun may hold others, which are no longer in place.
  std::map<std::string, std::shared_ptr<storage::ObjectStore>, std::less<>>
      destinations_;                               // guarded by destinations_mutex_
  std::shared_ptr<storage::StreamStore> stream_;   // guarded by destinations_mutex_
  std::shared_ptr<ForeignStream> foreign_stream_;  // guarded by destinations_mutex_; any other's
  recipe::Recipes recipes_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<engine::Heartbeat> heartbeat_;
  std::unique_ptr<engine::Stagings> stagings_;
};

}  // namespace spillway
