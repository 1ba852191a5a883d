#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "job/job.h"
#include "recipe/survey.h"
#include "request/identity.h"
#include "result/chunk_result.h"
#include "storage/object_store.h"

namespace spillway::engine {
class Staging;
}

/// What an export is, apart from how it is run: a recipe plans a job into chunks, does one chunk,
/// and says which files the results make. Leases, retries, cancellation, publication and the
/// manifest are the engine's.
namespace spillway::recipe {

/// What somebody asks of an export.
struct Request {
  std::string export_name;
  request::Identity who;
  std::string parameters;  ///< JSON object; request::ParametersOf makes it of a form.
};

/// The same request with every default filled in and every value in its one spelling.
struct CanonicalRequest {
  std::string tenant;
  std::string group;
  std::string parameters;  ///< JSON with sorted keys: equal requests are equal bytes.
};

/// Takes a job's plan while the recipe makes it, so that no plan has to fit into memory. Nothing of
/// it counts before MakePlan has returned: what an attempt that failed left here is replaced by the
/// next one's. One thread at a time.
class Planning {
 public:
  virtual ~Planning() = default;

  /// Adds the next chunk, in the order of their rows in the output. `spec` is JSON for Process;
  /// what is above 32 KiB is better stored with Put. `planned` is what the source counts for it.
  virtual Result<> Add(std::string spec, int64_t planned) = 0;

  /// Stores an object that Process and Assemble can read: Staging::Read takes the key that this
  /// returns. `name` is a key segment that is new within the plan. The object is removed with all
  /// that is staged for the job.
  virtual Result<std::string> Put(std::string_view name, std::span<const std::byte> bytes) = 0;
};

/// What a plan says of the job as a whole.
struct Planned {
  std::string source;   ///< JSON for the manifest: snapshot, what was pruned, what will be read.
  int64_t planned = 0;  ///< What the source counts in all; has to be the sum over the chunks.
  int64_t bytes = 0;    ///< To be read of the source, roughly: what jobs are weighed by (E3).
};

/// It is too early for a chunk: a job that runs elsewhere is not done yet, or a service asks for a
/// pause. The chunk is given back, and comes again not before `until`, for as long as that is the
/// answer; no attempt is counted.
struct Postponed {
  Timestamp until;
  std::string why;  ///< For the log.
};

/// What came of an attempt at a chunk.
using ChunkOutcome = std::variant<engine::ChunkResult, Postponed>;

/// Hears how far the work on a chunk is, while Process runs. Thread-safe. Calls cost next to
/// nothing: what the last one said is written when the chunk's lease is renewed, within about a
/// second.
class Progress {
 public:
  virtual ~Progress() = default;

  /// Rows and bytes are those of the chunk that are done so far; an attempt that goes on from a
  /// position counts what came before it. A position says from where another attempt can go on, and
  /// has to name the parts that were staged until then; the attempt that follows one that ended
  /// early has the last one as Chunk::progress.position. Empty: as before. Another position than the
  /// last forgives the attempts before, so it has to stand for work that is not done again: a chunk
  /// that told one at every attempt without getting further would be tried for ever.
  /// kInvalidArgument for figures below zero, and for a position above 32 KiB.
  virtual Result<> Report(engine::ChunkProgress progress) = 0;
};

/// A file that is to be published.
struct OutputFile {
  std::string name;                 ///< Relative to the job's directory.
  std::vector<engine::Part> parts;  ///< In order.
};

/// What the chunks' results make.
struct Assembly {
  std::vector<OutputFile> files;
  int64_t cut_off =
      0;  ///< Rows that a limit left out after they were written: they count as excluded.
  std::vector<engine::ErrorRecord> errors;
};

/// Where a job's files go.
struct Destination {
  std::shared_ptr<storage::ObjectStore> store;  ///< Stays open for as long as this is held.
  /// Key prefix of the job's files and manifest, without a slash at the end; its last segment is
  /// the job's id. All below it is the job's alone, and goes when the job expires. What a recipe
  /// puts elsewhere, under keys that later jobs write too, stays.
  std::string directory;
  /// Where the files are that chunks put in their place, as a directory or URL, if not in `store`.
  std::string files_at;
};

/// One kind of export. Thread-safe; holds no state of jobs.
class Recipe {
 public:
  virtual ~Recipe() = default;

  virtual std::string_view name() const = 0;

  /// kInvalidArgument with one clear line for a request that cannot be meant. An error names
  /// nothing of other organisations, unless an operator asks.
  virtual Result<CanonicalRequest> Canonicalise(const Request& request) const = 0;

  virtual Result<Destination> DestinationOf(const engine::Job& job) const = 0;

  /// What is counted, in the plural: "rows".
  virtual std::string_view counts() const { return "rows"; }

  /// Whether its jobs read the lake: then the member lake_version of a plan's source is the version
  /// that they read, and a vacuum keeps the files of that version.
  virtual bool reads_lake() const { return false; }

  /// What a request would read, without running it.
  virtual Result<Survey> Look(const std::string& export_name, const CanonicalRequest& request,
                              std::stop_token stop) const = 0;

  /// Whether a job that is not over needs this process to stay.
  virtual bool IsNeeded() const { return false; }

  /// Reads what there is and cuts it into chunks. Repeatable; the last plan that is recorded
  /// counts.
  virtual Result<Planned> MakePlan(const engine::Job& job, Planning& plan,
                                   std::stop_token stop) const = 0;

  /// Does one chunk, staging its parts. Repeatable. Returns within a tenth of a second of `stop`,
  /// with kCancelled. Where only another process can do it, an error with `elsewhere`: the engine
  /// gives it back and asks again, for as long as that is the answer.
  virtual Result<ChunkOutcome> Process(const engine::Job& job, const engine::Chunk& chunk,
                                       engine::Staging& staging, Progress& progress,
                                       std::stop_token stop) const = 0;

  /// Orders the parts into files; may stage more bytes (a directory, a footer) and list them as
  /// parts. Returns soon after `stop`, with kCancelled.
  virtual Result<Assembly> Assemble(const engine::Job& job, std::vector<engine::Part> parts,
                                    engine::Staging& staging, std::stop_token stop) const = 0;
};

/// Finds recipes by name.
class Recipes {
 public:
  void Add(std::unique_ptr<Recipe> recipe) { recipes_.push_back(std::move(recipe)); }

  /// kNotFound names what there is.
  Result<const Recipe*> Find(std::string_view name) const;

  /// Whether one of them is needed (see Recipe::IsNeeded).
  bool AreNeeded() const;

 private:
  std::vector<std::unique_ptr<Recipe>> recipes_;
};

}  // namespace spillway::recipe
