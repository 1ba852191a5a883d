#include "deployment/deployment.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/random.h"
#include "engine/discarder.h"
#include "settings/exports.h"

namespace spillway {
namespace {

/// For calls to buckets that nothing else stops, once the program is to end.
constexpr std::chrono::seconds kPatience{10};

std::string NewOwner() {
  std::array<char, 65> host{};
  gethostname(host.data(), host.size() - 1);
  std::string owner(host.data());
  // Owners name stages, so they keep to what a key may hold.
  std::ranges::replace_if(owner, [](unsigned char c) { return std::isalnum(c) == 0; }, '-');
  return owner + "-" + std::to_string(getpid()) + "-" + Random::FromEntropy().Hex(8);
}

engine::Options OptionsOf(const Settings& settings, const recipe::Registry& registry) {
  engine::Options options{.lease = settings.engine.lease,
                          .heartbeat = settings.engine.heartbeat,
                          .backoff_base = settings.engine.backoff.base,
                          .backoff_max = settings.engine.backoff.max,
                          .attempts_max = settings.engine.attempts,
                          .pending_bytes_max = settings.engine.worker_memory.bytes};
  for (const auto& definition : registry) {
    const auto standing = definition->standing();
    if (!standing) continue;
    const recipe::StandingPolicy policy =
        definition->standing_policy(settings.standing.at(standing->section));
    options.parallel_max_of_group[standing->name] = policy.parallel;
    options.retention_of_export[standing->name] = {.published = policy.retention.limit,
                                                   .redrivable = policy.retention.limit};
  }
  for (const auto& [name, exported] : settings.exports) {
    options.parallel_max_of_group[name] = exported.parallel;
    engine::Retention& retention = options.retention_of_export[name];
    retention.published = exported.retention.limit;
    retention.redrivable = std::min(exported.retention, exported.redrive_within).limit;
  }
  return options;
}

}  // namespace

Result<> CheckSigningKey(const std::filesystem::path& path, const std::string& id,
                         const std::string& recorded) {
  if (recorded.empty() || recorded == id) return {};
  return Fail(ErrorCode::kConflict,
              "the signing key " + path.string() + " is " + id +
                  ", but what this state exports is signed with " + recorded +
                  "; copy that key's file (and its .pub.pem) here from a machine that works on the "
                  "state, or set signing_key to its place. To change the key of all machines on "
                  "purpose, use adopt-key (docs/signing.md)");
}

Result<> CheckPublicKey(const std::filesystem::path& path, const std::string& id) {
  const std::filesystem::path beside = SigningKey::PublicPath(path);
  std::string wrong = " is not there";
  if (IsThere(beside)) {
    if (TRY(VerifyingKey::Load(beside)).id() == id) return {};
    wrong = " is the public key of another";
  }
  return Fail(ErrorCode::kConflict,
              beside.string() + wrong + ", but recipients verify with it; write it with openssl " +
                  "pkey -in " + path.string() + " -pubout -out " + beside.string());
}

int ThreadsOf(const Settings& settings) {
  if (settings.engine.threads > 0) return settings.engine.threads;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

Deployment::Deployment(const Settings& settings, const recipe::Registry& registry, Log& log,
                       Stores::Missing missing)
    : settings_(settings),
      registry_(registry),
      missing_(missing),
      log_(log),
      stores_(settings.s3, clock_),
      owner_(NewOwner()),
      options_(OptionsOf(settings, registry)) {}

Result<std::unique_ptr<Deployment>> Deployment::Open(const Settings& settings,
                                                     const recipe::Registry& registry, Log& log,
                                                     Sharing sharing) {
  std::unique_ptr<Deployment> deployment(
      new Deployment(settings, registry, log, Stores::Missing::kIsMade));
  TRY(deployment->OpenState(sharing));
  TRY(deployment->OpenSigningKey());
  TRY(deployment->AssembleEngine());
  return deployment;
}

Result<std::unique_ptr<Deployment>> Deployment::OpenExisting(const Settings& settings,
                                                             const recipe::Registry& registry,
                                                             Log& log) {
  std::unique_ptr<Deployment> deployment(
      new Deployment(settings, registry, log, Stores::Missing::kIsEmpty));
  TRY(deployment->OpenState(Sharing::kShared));
  TRY(deployment->AssembleEngine());
  return deployment;
}

Result<> Deployment::OpenState(Sharing sharing) {
  namespace postgres = store::postgres_state;
  const StateAddress& state = settings_.state;
  has_state_ = missing_ == Stores::Missing::kIsMade ||
               (state.is_postgres() ? TRY(postgres::Database::HasSchema(state.postgres()))
                                    : IsThere(state.file()));
  if (has_state_ && state.is_postgres()) {
    postgres_ = TRY(postgres::Database::Open(state.postgres()));
    store_ = std::make_unique<postgres::PostgresStore>(*postgres_, clock_);
    queue_ = std::make_unique<postgres::PostgresQueue>(*postgres_, clock_);
  } else {
    Result<std::unique_ptr<store::Database>> opened =
        store::Database::Open(has_state_ ? state.file() : ":memory:");
    if (!opened.has_value() && has_state_ && !IsThere(state.file())) {
      return Fail(
          opened.error().code,
          opened.error().message +
              "; set state, or the variable SPILLWAY_STATE, to a place where it can be made");
    }
    database_ = TRY(std::move(opened));
    store_ = std::make_unique<store::SqliteStore>(*database_, clock_);
    queue_ = std::make_unique<store::SqliteQueue>(*database_, clock_);
  }
  if (sharing == Sharing::kPrivate) {
    private_messages_ = TRY(store::Database::Open(":memory:"));
    queue_ = std::make_unique<store::SqliteQueue>(*private_messages_, clock_);
  }
  return {};
}

Result<> Deployment::CheckState() const {
  if (has_state_) return {};
  return Fail(ErrorCode::kNotFound,
              "there is no state at " + settings_.state.Shown() +
                  ": the first export makes it; if there should be one already, set state, or the "
                  "variable SPILLWAY_STATE, to its place");
}

Result<recipe::Resources::Lake> Deployment::OpenLake() {
  const std::shared_ptr<LakePlace> lake = TRY(ConfiguredLake());
  return recipe::Resources::Lake{.store = {lake, &lake->store()}, .log = {lake, &lake->log()}};
}

Result<std::shared_ptr<LakePlace>> Deployment::ConfiguredLake() {
  std::shared_ptr<LakePlace> known;
  {
    std::lock_guard lock(lake_mutex_);
    known = lake_;
  }
  // Without the lock, as destinations are.
  if (known != nullptr) {
    const Result<> in_place = known->store().CheckInPlace();
    if (in_place.has_value()) return known;
    if (in_place.error().code != ErrorCode::kConflict) return std::unexpected(in_place.error());
  }
  std::shared_ptr<LakePlace> lake =
      TRY(LakePlace::Open(settings_.lake, stores_, clock_, Stores::Missing::kFails));
  // What is opened where a disk is mounted later stays what was below it.
  if (TRY(lake->log().Version()) == 0) return lake;
  std::lock_guard lock(lake_mutex_);
  if (lake_ == known) lake_ = std::move(lake);
  return lake_;
}

Result<> Deployment::OpenSigningKey() {
  std::string recorded = TRY(store_->SigningKeyId());
  const bool is_new = recorded.empty() && TRY(store_->List({}, "", 1)).jobs.empty();
  Result<SigningKey> key = is_new ? SigningKey::LoadOrGenerate(settings_.signing_key)
                                  : SigningKey::Load(settings_.signing_key);
  if (!key.has_value() && is_new) {
    return Fail(key.error().code,
                key.error().message +
                    "; set signing_key, or the variable SPILLWAY_SIGNING_KEY, to a place where it "
                    "can be made");
  }
  if (!key.has_value() && key.error().code == ErrorCode::kNotFound) {
    return Fail(ErrorCode::kNotFound,
                "there is no signing key at " + settings_.signing_key.string() +
                    ", although this state has one already" +
                    (recorded.empty() ? std::string() : " (" + recorded + ")") +
                    "; put it back, copy it from a machine that works on the state, or set "
                    "signing_key to its place");
  }
  signing_key_ = TRY(std::move(key));
  const std::string id = signing_key_->verifying_key().id();
  TRY(CheckSigningKey(settings_.signing_key, id, recorded));
  // Where a secret is mounted, the public key may be elsewhere.
  if (IsThere(SigningKey::PublicPath(settings_.signing_key)))
    TRY(CheckPublicKey(settings_.signing_key, id));
  if (recorded.empty()) recorded = TRY(store_->RecordSigningKey("", id));
  return CheckSigningKey(settings_.signing_key, id, recorded);
}

Result<std::shared_ptr<storage::ObjectStore>> Deployment::DestinationStore(
    std::string_view destination) {
  if (destination.starts_with('-')) return Stream(destination);
  std::shared_ptr<storage::ObjectStore> known;
  {
    std::lock_guard lock(destinations_mutex_);
    if (const auto found = destinations_.find(destination); found != destinations_.end())
      known = found->second;
  }
  // Without the lock: whoever has another destination does not wait for a bucket that is silent.
  if (known != nullptr) {
    const Result<> in_place = known->CheckInPlace();
    if (in_place.has_value()) return known;
    // A directory that was there, and is gone, is not made again: its disk may be away.
    if (in_place.error().code != ErrorCode::kConflict) return std::unexpected(in_place.error());
  }
  std::shared_ptr<storage::ObjectStore> store =
      TRY(stores_.Open(std::string(destination), missing_));
  std::lock_guard lock(destinations_mutex_);
  std::shared_ptr<storage::ObjectStore>& current = destinations_[std::string(destination)];
  if (current == known) current = std::move(store);  // Otherwise somebody was quicker.
  return current;
}

Result<std::shared_ptr<storage::ObjectStore>> Deployment::Stream(std::string_view destination) {
  // A database has no place beside it.
  const std::filesystem::path local =
      settings_.state.is_postgres() ? settings_.signing_key : settings_.state.file();
  std::shared_ptr<storage::ObjectStore> rest =
      TRY(DestinationStore((local.parent_path() / "streamed").string()));
  std::lock_guard lock(destinations_mutex_);
  if (destination != StandardOutput()) {
    if (foreign_stream_ == nullptr || &foreign_stream_->rest() != rest.get())
      foreign_stream_ = std::make_shared<ForeignStream>(std::move(rest));
    return foreign_stream_;
  }
  if (stream_ == nullptr) {
    stream_ = std::make_shared<storage::StreamStore>(STDOUT_FILENO, rest, streaming_.get_token());
  }
  stream_->set_rest(std::move(rest));
  return stream_;
}

Result<> Deployment::AssembleEngine() {
  for (const auto& definition : registry_)
    recipes_.Add(TRY(definition->Make(ExportsOf(settings_, *definition), *this)));
  engine_ =
      std::make_unique<engine::Engine>(*store_, *queue_, recipes_, options_, Random::FromEntropy());
  heartbeat_ = std::make_unique<engine::Heartbeat>(*store_, *queue_, clock_, options_);
  stagings_ = std::make_unique<engine::Stagings>(owner_, options_.pending_bytes_max);
  return {};
}

bool Deployment::IsOver(std::string_view job_id) {
  const Result<engine::Job> job = store_->Get(job_id);
  return job.has_value() ? IsFinal(job->state) : job.error().code == ErrorCode::kNotFound;
}

engine::Context Deployment::ContextForWorkers() {
  return {.store = *store_,
          .queue = *queue_,
          .recipes = recipes_,
          .clock = clock_,
          .log = log_,
          .options = options_,
          .signing_key = signing_key_.has_value() ? &*signing_key_ : nullptr,
          .owner = owner_,
          .heartbeat = *heartbeat_,
          .stagings = *stagings_};
}

Result<recipe::Destination> Deployment::DestinationOf(const engine::Job& job) const {
  return TRY(recipes_.Find(job.recipe))->DestinationOf(job);
}

Result<engine::Job> Deployment::AwaitCancelled(std::string_view job_id) {
  constexpr std::chrono::milliseconds kLook{10};  // While somebody else discards it.
  engine::Context context = ContextForWorkers();
  Random random = Random::FromEntropy();
  while (true) {
    const engine::Verdict verdict = TRY(engine::DiscardJob(context, job_id, random));
    engine::Job job = TRY(store_->Get(job_id));
    if (IsFinal(job.state)) return job;
    clock_.SleepFor(verdict.again_in.value_or(kLook), {});
  }
}

Deployment::Workers::Workers(Deployment& deployment)
    : deployment_(deployment), context_(deployment.ContextForWorkers()), worker_(context_) {
  engine::Heartbeat& heartbeat = *deployment.heartbeat_;
  heartbeat_ = std::jthread([&heartbeat](std::stop_token stop) { heartbeat.Run(std::move(stop)); });
  Random random = Random::FromEntropy();
  for (int i = 0; i < ThreadsOf(deployment.settings_); ++i) {
    threads_.emplace_back(
        [this, seed = random.Next()](std::stop_token stop) { worker_.Run(std::move(stop), seed); });
  }
  Run(engine::WorkerServices(context_));
}

void Deployment::Workers::Run(engine::Services services) {
  threads_.emplace_back([services = std::move(services)](std::stop_token stop) mutable {
    services.Run(std::move(stop));
  });
}

Deployment::Workers::~Workers() {
  for (std::jthread& thread : threads_) thread.request_stop();
  heartbeat_.request_stop();  // Stops the work that is under way.
  // Bookkeeping goes on to its end, but not for as long as a server is silent.
  const std::jthread patience([this](const std::stop_token& ended) {
    deployment_.clock_.SleepFor(kPatience, ended);
    if (!ended.stop_requested()) deployment_.stores_.Stop();
  });
  threads_.clear();
}

}  // namespace spillway
