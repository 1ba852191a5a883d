#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "result/chunk_result.h"
#include "storage/object_store.h"

/// What is recorded of a job's end, so that any worker can complete it.
namespace spillway::engine {

/// A file to publish: its name in the job's directory, and where its bytes are staged.
struct OutcomeFile {
  std::string name;
  std::vector<storage::ObjectRange> ranges;
};

/// Everything publication needs. Stored beside the staged bytes, before the commit point.
struct Outcome {
  std::vector<OutcomeFile> files;
  std::string manifest;
  std::string signature;  ///< Empty: not signed.
};

/// What the job's record says of it: Job::outcome of a job at kCompleted.
struct OutcomeReference {
  std::string key;           ///< Of the stored Outcome; gone once the job has succeeded.
  std::string manifest_key;  ///< Of the published manifest.
  std::string manifest_sha256;
  Tallies tallies;  ///< Of all chunks.
};

/// What a cancellation removed: Job::outcome of a cancelled job.
struct Receipt {
  int64_t objects_removed = 0;
  uint64_t bytes_removed = 0;
  std::string remaining;  ///< The prefix of keys that Job::failure kept from being removed.
};

std::string ToJson(const Outcome& outcome);
std::string ToJson(const OutcomeReference& reference);
std::string ToJson(const Receipt& receipt);
Result<Outcome> OutcomeFromJson(std::string_view json);
Result<OutcomeReference> OutcomeReferenceFromJson(std::string_view json);
Result<Receipt> ReceiptFromJson(std::string_view json);

/// Removes everything that any process has staged for the job, and counts it in `receipt`, also
/// when it cannot remove all.
Result<> RemoveStaged(storage::ObjectStore& store, std::string_view job_id, Receipt& receipt);

/// Jobs for which anything is staged, in order.
Result<std::vector<std::string>> StagedJobs(storage::ObjectStore& store);

}  // namespace spillway::engine
