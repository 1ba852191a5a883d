#include "engine/finisher.h"

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/signing.h"
#include "engine/dispatch.h"
#include "engine/expiry.h"
#include "engine/guarded.h"
#include "engine/recorded_result.h"
#include "engine/staged_bytes.h"
#include "engine/work.h"
#include "manifest/manifest.h"
#include "recipe/recipients.h"
#include "staging/outcome.h"
#include "storage/objects.h"

namespace spillway::engine {
namespace {

constexpr size_t kPage = 500;
constexpr size_t kDeadListed = 10;

constexpr std::string_view kRunAgain = "run the export again";

/// The results of all chunks together.
struct ChunkResults {
  Counts counts;
  Tallies tallies;
  std::vector<Part> parts;
  std::vector<recipe::OutputFile> reports;
  std::vector<PublishedFile> published;
  std::vector<ErrorRecord> errors;           ///< Of chunks without a report: all of them.
  std::vector<ErrorRecord> reported_errors;  ///< Of those with one, which lists them: the first.
  int64_t errors_left_out = 0;
  uint64_t source_bytes = 0;

  void Add(ChunkResult result);
};

recipe::OutputFile& FileNamed(std::vector<recipe::OutputFile>& files, const std::string& name) {
  const auto found = std::ranges::find(files, name, &recipe::OutputFile::name);
  if (found != files.end()) return *found;
  return files.emplace_back(recipe::OutputFile{.name = name, .parts = {}});
}

void ChunkResults::Add(ChunkResult result) {
  counts += result.counts;
  source_bytes += result.source_bytes;
  errors_left_out += result.errors_left_out;
  for (const auto& [name, value] : result.tallies) tallies[name] += value;
  std::ranges::move(result.published, std::back_inserter(published));
  const bool reports_errors = HasReport(result);
  std::ranges::move(result.errors, std::back_inserter(reports_errors ? reported_errors : errors));
  KeepFirstErrors(reported_errors, errors_left_out);
  for (Part& part : result.parts) {
    (part.role == kReport ? FileNamed(reports, part.file).parts : parts).push_back(std::move(part));
  }
}

Result<ChunkResults> Gather(Context& context, const HeldJob& held, storage::ObjectStore& store,
                            Staging& staging) {
  ChunkResults results;
  int64_t after = -1;
  int64_t seen = 0;
  while (true) {
    const std::vector<Chunk> chunks =
        TRY(context.store.ListChunks(held.job.id, ChunkState::kSucceeded, after, kPage));
    if (chunks.empty()) break;
    TRY(CheckNotStopped(held.stop()));
    after = chunks.back().index;
    seen += static_cast<int64_t>(chunks.size());
    for (const Chunk& chunk : chunks) {
      Result<ChunkResult> result = RecordedResult(staging, chunk.result, held.stop());
      if (!result.has_value()) {
        return std::unexpected(ForMissing(store, std::move(result).error(),
                                          "chunk " + std::to_string(chunk.index), kRedrive));
      }
      results.Add(*std::move(result));
    }
  }
  if (seen != held.job.chunks_total) {
    return Fail(ErrorCode::kInternal, std::to_string(seen) + " of " +
                                          std::to_string(held.job.chunks_total) +
                                          " chunks have a result");
  }
  return results;
}

/// They are in the job's record. Those whose names differ from chunk to chunk have no end.
Result<> CheckTallies(const Tallies& tallies) {
  size_t bytes = 0;
  for (const auto& [name, value] : tallies) bytes += name.size() + sizeof value;
  if (bytes <= kChunkFieldBytesMax) return {};
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("the tallies of the chunks have {} names, which are more than the record "
                          "of a job holds; nothing was published",
                          tallies.size()));
}

/// Checks that the files hold what the manifest will promise.
Result<> CheckRows(const recipe::Assembly& assembly, const Counts& counts) {
  if (assembly.files.empty()) return {};
  int64_t rows = 0;
  for (const recipe::OutputFile& file : assembly.files) {
    for (const Part& part : file.parts) rows += part.rows;
  }
  if (rows == counts.written) return {};
  return Fail(ErrorCode::kInternal, "the assembled files hold " + std::to_string(rows) +
                                        " rows, but " + std::to_string(counts.written) +
                                        " were written; nothing was published");
}

Result<> Reconcile(const Job& job, const Counts& counts) {
  if (counts.planned == job.counts.planned && counts.Reconciled()) return {};
  return Fail(ErrorCode::kCorrupt, "the export does not reconcile: planned " +
                                       std::to_string(job.counts.planned) + " rows, written " +
                                       std::to_string(counts.written) + ", excluded " +
                                       std::to_string(counts.excluded) + ", failed " +
                                       std::to_string(counts.failed) + "; nothing was published");
}

/// A recipe's parameters or source without secrets, and without what only the operator may read (see
/// kOperatorFacts).
nlohmann::ordered_json ForRecipients(const std::string& text) {
  auto json = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return nlohmann::ordered_json::object();
  if (!json.is_object()) return json;
  json = recipe::WithoutSecrets(std::move(json));
  for (const std::string_view name : recipe::kOperatorFacts) json.erase(std::string(name));
  return json;
}

/// The plan, with what was really read of the source.
std::string DescribeSource(const Job& job, uint64_t bytes_read) {
  nlohmann::ordered_json source = ForRecipients(job.plan);
  if (bytes_read > 0 && source.is_object()) source["bytes_read"] = bytes_read;
  return source.dump();
}

ManifestFile Describe(const recipe::OutputFile& file) {
  ManifestFile described{.name = file.name};
  for (const Part& part : file.parts) {
    described.parts.push_back(
        {.offset = described.bytes, .bytes = part.bytes, .rows = part.rows, .sha256 = part.sha256});
    described.bytes += part.bytes;
    described.rows += part.rows;
  }
  return described;
}

Manifest Describe(Context& context, const Job& job, const Counts& counts, ChunkResults results,
                  const std::vector<recipe::OutputFile>& files,
                  const recipe::Destination& destination) {
  Manifest manifest{.job_id = job.id,
                    .export_name = job.export_name,
                    .recipe = job.recipe,
                    .tenant = job.tenant,
                    .parameters = ForRecipients(job.parameters).dump(),
                    .source = DescribeSource(job, results.source_bytes),
                    .created_at = job.created_at,
                    .finished_at = context.clock.Now(),
                    .counts = counts,
                    .tallies = std::move(results.tallies),
                    .errors = ForRecipients(std::move(results.errors)),
                    .errors_left_out = results.errors_left_out};
  for (const recipe::OutputFile& file : files) manifest.files.push_back(Describe(file));
  for (const recipe::OutputFile& report : results.reports)
    manifest.reports.push_back(Describe(report));
  if (results.published.empty()) return manifest;
  // Their names start at the root of their store.
  manifest.files_at = destination.files_at;
  if (manifest.files_at.empty()) {
    manifest.levels_up = 1 + static_cast<int>(std::ranges::count(destination.directory, '/'));
  }
  for (PublishedFile& file : results.published) {
    ManifestFile& described = manifest.files.emplace_back();
    described.name = std::move(file.key);
    described.item = std::move(file.item);
    described.bytes = file.bytes;
    described.rows = file.rows;
    described.parts.push_back(
        {.bytes = file.bytes, .rows = file.rows, .sha256 = std::move(file.sha256)});
  }
  return manifest;
}

/// Two files of one name would be one, of which a part is missing.
Result<std::vector<OutcomeFile>> FilesToPublish(const std::vector<recipe::OutputFile>& files,
                                                const std::vector<recipe::OutputFile>& reports) {
  std::vector<OutcomeFile> to_publish;
  std::set<std::string_view> names;
  for (const auto* list : {&files, &reports}) {
    for (const recipe::OutputFile& file : *list) {
      if (!names.insert(file.name).second) {
        return Fail(ErrorCode::kInternal, "two files of the export are named " + file.name);
      }
      if (file.name == Manifest::kName || file.name == Manifest::kSignatureName) {
        return Fail(ErrorCode::kInternal,
                    "a file of the export is named " + file.name + ", as the manifest's own are");
      }
      OutcomeFile& published = to_publish.emplace_back();
      published.name = file.name;
      for (const Part& part : file.parts)
        std::ranges::copy(part.ranges, std::back_inserter(published.ranges));
    }
  }
  return to_publish;
}

/// All manifests of a state are signed with one key, which may be another than when this process
/// was started (ADR 25). kConflict, retryable, where it is.
Result<> CheckSigningKey(Context& context) {
  if (context.signing_key == nullptr) return {};
  const std::string own = context.signing_key->verifying_key().id();
  std::string recorded = TRY(context.store.SigningKeyId());
  if (recorded.empty()) recorded = TRY(context.store.RecordSigningKey("", own));
  if (recorded == own) return {};
  std::unexpected<Error> other = FailTransient(
      ErrorCode::kConflict,
      "this process signs with " + own + ", but what this state exports is signed with " +
          recorded + " since; stop it, give it that key's files, and start it again. Until then " +
          "it leaves the job to those that have the key");
  other.error().elsewhere = true;
  return other;
}

/// Everything up to the commit point. The returned job is past it.
Result<Job> Decide(Context& context, HeldJob& held, const recipe::Recipe& recipe,
                   const recipe::Destination& destination) {
  if (held.job.phase < JobPhase::kFinalizing) {
    TRY(context.store.Update(held.lease(), {.phase = JobPhase::kFinalizing}));
  }
  const Stagings::Use staging =
      context.stagings.Of(held.job, destination.store, destination.directory);
  // What is lost of some chunks, a redrive repeats.
  const auto or_mark_lost = [&]<class T>(Result<T> done) -> Result<T> {
    if (!done.has_value() && done.error().code == ErrorCode::kCorrupt)
      TRY(MarkLostChunks(context, held, *destination.store, *staging));
    return done;
  };
  ChunkResults results = TRY(or_mark_lost(Gather(context, held, *destination.store, *staging)));
  TRY(Reconcile(held.job, results.counts));
  TRY(CheckTallies(results.tallies));

  recipe::Assembly assembly = TRY(Guarded(
      [&] { return recipe.Assemble(held.job, std::move(results.parts), *staging, held.stop()); }));
  Counts counts = results.counts;
  counts.written -= assembly.cut_off;
  counts.excluded += assembly.cut_off;
  counts.bytes = 0;
  for (const recipe::OutputFile& file : assembly.files) {
    for (const Part& part : file.parts) counts.bytes += static_cast<int64_t>(part.bytes);
  }
  for (const PublishedFile& file : results.published) {
    counts.bytes += static_cast<int64_t>(file.bytes);
  }
  TRY(Reconcile(held.job, counts));
  TRY(CheckRows(assembly, counts));
  TRY(CheckNotStopped(held.stop()));
  TRY(or_mark_lost(MakeDurable(*destination.store, assembly.files, held.stop())));
  TRY(or_mark_lost(MakeDurable(*destination.store, results.reports, held.stop())));

  Outcome outcome;
  outcome.files = TRY(FilesToPublish(assembly.files, results.reports));
  std::ranges::move(results.reported_errors, std::back_inserter(results.errors));
  std::ranges::move(assembly.errors, std::back_inserter(results.errors));
  Tallies tallies = results.tallies;
  outcome.manifest =
      ToJson(Describe(context, held.job, counts, std::move(results), assembly.files, destination));
  TRY(CheckSigningKey(context));
  if (context.signing_key != nullptr)
    outcome.signature = context.signing_key->Sign(outcome.manifest);
  const std::string outcome_key = fmt::format(
      "{}outcome-{}-{}.json", Staging::PrefixOf(held.job.id), held.lease().token, context.owner);
  TRY(storage::PutWhole(*destination.store, outcome_key, ToJson(outcome)));

  return context.store.Update(
      held.lease(), {.phase = JobPhase::kCompleted,
                     .counts = counts,
                     .outcome = ToJson(OutcomeReference{
                         .key = outcome_key,
                         .manifest_key = destination.directory + "/" + std::string(Manifest::kName),
                         .manifest_sha256 = ToHex(Sha256Of(outcome.manifest)),
                         .tallies = std::move(tallies),
                     })});
}

/// kConflict where a manifest stands there that is not the decided one: no job of this state put
/// it.
Result<bool> IsPublished(storage::ObjectStore& store, const OutcomeReference& reference) {
  const Result<std::string> manifest = storage::ReadWhole(store, reference.manifest_key);
  if (!manifest.has_value()) {
    if (manifest.error().code == ErrorCode::kNotFound) return false;
    return std::unexpected(manifest.error());
  }
  if (ToHex(Sha256Of(*manifest)) == reference.manifest_sha256) return true;
  return Fail(ErrorCode::kConflict,
              reference.manifest_key +
                  " is there already and says something else: another spillway with a copy of this "
                  "state has published the job, or the file was changed. Nothing was overwritten; "
                  "run the export again");
}

/// Checked once more before the manifest is written: another worker may have published the job
/// meanwhile, and its files may have expired, which a late manifest would deny.
Result<> CheckStillHeld(Context& context, const HeldJob& held) {
  TRY(CheckNotStopped(held.stop()));
  const Job job = TRY(context.store.Get(held.job.id));
  if (job.lease_token == held.lease().token && !IsFinal(job.state)) return {};
  return Fail(ErrorCode::kConflict,
              "job " + job.id + ": its lease was lost while it was published");
}

/// The manifest is only written where there is none, so that of two jobs only one succeeds.
Result<> PublishOutcome(Context& context, const HeldJob& held, storage::ObjectStore& store,
                        const std::string& directory, const Outcome& outcome,
                        const OutcomeReference& reference) {
  if (ToHex(Sha256Of(outcome.manifest)) != reference.manifest_sha256) {
    return Fail(ErrorCode::kConflict,
                reference.key +
                    " is not what was decided: another spillway with a copy of this "
                    "state works on the job; run the export again");
  }
  for (const OutcomeFile& file : outcome.files) {
    const auto composed = store.Compose(directory + "/" + file.name, file.ranges, held.stop());
    if (!composed.has_value()) {
      return std::unexpected(ForMissing(store, composed.error(), file.name, kRunAgain));
    }
  }
  if (!outcome.signature.empty()) {
    TRY(storage::PutWhole(store, directory + "/" + std::string(Manifest::kSignatureName),
                          outcome.signature));
  }
  TRY(CheckStillHeld(context, held));
  const auto put = storage::PutWhole(store, directory + "/" + std::string(Manifest::kName),
                                     outcome.manifest, storage::Overwrite::kNever);
  if (!put.has_value() && put.error().code == ErrorCode::kAlreadyExists) {
    if (TRY(IsPublished(store, reference))) return {};
    return FailTransient(ErrorCode::kConflict,
                         reference.manifest_key + " was there, and is gone again");
  }
  if (!put.has_value()) return std::unexpected(put.error());
  return {};
}

/// Publishes a decided outcome. Any worker may repeat it: every step does its work or finds it
/// done.
Result<> Publish(Context& context, const HeldJob& held, const recipe::Destination& destination) {
  storage::ObjectStore& store = *destination.store;
  const OutcomeReference reference = TRY(OutcomeReferenceFromJson(held.job.outcome));
  if (!TRY(IsPublished(store, reference))) {
    const Result<std::string> document = storage::ReadWhole(store, reference.key);
    if (document.has_value()) {
      const Outcome outcome = TRY(OutcomeFromJson(*document));
      TRY(PublishOutcome(context, held, store, destination.directory, outcome, reference));
    } else if (document.error().code != ErrorCode::kNotFound ||
               !TRY(IsPublished(store, reference))) {
      return std::unexpected(ForMissing(store, document.error(), reference.key, kRunAgain));
    }  // Otherwise an earlier holder of the lease has published it since the first look.
  }
  Receipt removed;
  return RemoveStaged(store, held.job.id, removed);
}

Result<Verdict> RecordDead(Context& context, const HeldJob& held) {
  std::string message = std::to_string(held.job.chunks_dead) + " of " +
                        std::to_string(held.job.chunks_total) + " chunks failed";
  ErrorCode code = ErrorCode::kUnavailable;
  const std::vector<Chunk> dead =
      TRY(context.store.ListChunks(held.job.id, ChunkState::kDead, -1, kDeadListed));
  if (!dead.empty() && dead.front().failure.has_value()) {
    code = dead.front().failure->code;
    message += "; the first: " + dead.front().failure->message;
  }
  TRY(context.store.Update(held.lease(), {.state = JobState::kFailed,
                                          .failure = Error{.code = code, .message = message},
                                          .actor = context.owner,
                                          .cause = message}));
  context.stagings.Drop(held.job.id);
  TRY(AdmitNext(context, held.job.group));
  return Verdict::Done();
}

Result<Verdict> FailWithDead(Context& context, const HeldJob& held, Random& random) {
  Result<Verdict> failed = RecordDead(context, held);
  if (failed.has_value()) return failed;
  return FailAct(context, held, std::move(failed).error(), random);
}

bool IsToBeFinished(const Job& job) {
  return job.phase >= JobPhase::kProcessing && job.chunks_open() == 0;
}

Result<Job> DecideAndPublish(Context& context, HeldJob& held) {
  const recipe::Recipe* recipe = TRY(context.recipes.Find(held.job.recipe));
  const recipe::Destination destination =
      TRY(Guarded([&] { return recipe->DestinationOf(held.job); }));
  if (held.job.phase < JobPhase::kCompleted) {
    held.job = TRY(Decide(context, held, *recipe, destination));
  }
  TRY(Publish(context, held, destination));
  return context.store.Update(
      held.lease(),
      {.state = JobState::kSucceeded, .actor = context.owner, .cause = "reconciled and published"});
}

}  // namespace

Result<> CheckMayFinish(Context& context, const Job& job) {
  const bool signs = IsToBeFinished(job) && job.phase < JobPhase::kCompleted &&
                     job.chunks_dead == 0 && !job.cancel_requested_at.has_value();
  return signs ? CheckSigningKey(context) : Result<>();
}

Result<Verdict> FinishJob(Context& context, std::string_view job_id, Random& random) {
  // A message that comes too early, or again, must not count as an attempt.
  const Result<Job> seen = context.store.Get(job_id);
  if (!seen.has_value() && seen.error().code != ErrorCode::kNotFound)
    return std::unexpected(seen.error());
  if (!seen.has_value() || !IsToBeFinished(*seen)) return Verdict::Done();
  // Nor is what only another process can do, which may take the message next time.
  if (const Result<> may = CheckMayFinish(context, *seen); !may.has_value()) {
    if (!may.error().elsewhere) return std::unexpected(may.error());
    context.log.Error("job not finished", {{"job", job_id}, {"error", may.error().message}});
    return Verdict::Again(context.options.lease / 3);
  }
  bool busy = false;
  std::optional<HeldJob> held = TRY(HoldJob(context, job_id, &busy));
  if (!held.has_value()) return busy ? Verdict::Again(context.options.lease) : Verdict::Done();
  const Job& job = held->job;
  const bool decided = job.phase == JobPhase::kCompleted;
  if (!decided && (job.cancel_requested_at.has_value() || !IsToBeFinished(job))) {
    const Job released = TRY(context.store.Update(held->lease(), {.release = true}));
    if (released.cancel_requested_at.has_value()) {
      TRY(Dispatch(context.queue, released, context.options.hints_max));
    }
    return Verdict::Done();
  }
  if (!decided && job.chunks_dead > 0) return FailWithDead(context, *held, random);
  if (job.phase == JobPhase::kFinalizing && WasBegunTooOften(job, context.options)) {
    return FailAct(context, *held, LostWorkersError(job), random);
  }

  Result<Job> succeeded = DecideAndPublish(context, *held);
  if (!succeeded.has_value() && job.chunks_dead > 0) return FailWithDead(context, *held, random);
  if (!succeeded.has_value()) TRY(RemoveIfExpired(context, job_id));
  if (!succeeded.has_value()) return FailAct(context, *held, std::move(succeeded).error(), random);
  context.log.Info("job succeeded", {{"job", succeeded->id},
                                     {"export", succeeded->export_name},
                                     {"rows", succeeded->counts.written},
                                     {"failed", succeeded->counts.failed},
                                     {"bytes", succeeded->counts.bytes}});
  context.stagings.Drop(job_id);
  TRY(AdmitNext(context, succeeded->group));
  return Verdict::Done();
}

}  // namespace spillway::engine
