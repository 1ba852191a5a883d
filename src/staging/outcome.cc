#include "staging/outcome.h"

#include <nlohmann/json.hpp>

#include "staging/staging.h"
#include "storage/objects.h"

namespace spillway::storage {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ObjectRange, key, offset, bytes)

}  // namespace spillway::storage

namespace spillway::engine {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(OutcomeFile, name, ranges)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Outcome, files, manifest, signature)
static void to_json(nlohmann::json& json, const OutcomeReference& reference) {
  json = {{"key", reference.key},
          {"manifest_key", reference.manifest_key},
          {"manifest_sha256", reference.manifest_sha256}};
  if (!reference.tallies.empty()) json["tallies"] = reference.tallies;
}

static void from_json(const nlohmann::json& json, OutcomeReference& reference) {
  json.at("key").get_to(reference.key);
  json.at("manifest_key").get_to(reference.manifest_key);
  json.at("manifest_sha256").get_to(reference.manifest_sha256);
  reference.tallies = json.value("tallies", Tallies());
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Receipt, objects_removed, bytes_removed, remaining)

namespace {

template <class T>
Result<T> Parse(std::string_view json, std::string_view what) {
  try {
    return nlohmann::json::parse(json).get<T>();
  } catch (const nlohmann::json::exception& broken) {
    return Fail(ErrorCode::kCorrupt, std::string(what) + " cannot be read: " + broken.what());
  }
}

}  // namespace

std::string ToJson(const Outcome& outcome) {
  return nlohmann::json(outcome).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}
std::string ToJson(const OutcomeReference& reference) {
  return nlohmann::json(reference).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}
std::string ToJson(const Receipt& receipt) {
  return nlohmann::json(receipt).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<Outcome> OutcomeFromJson(std::string_view json) {
  return Parse<Outcome>(json, "a job's outcome");
}

Result<OutcomeReference> OutcomeReferenceFromJson(std::string_view json) {
  return Parse<OutcomeReference>(json, "the record of a job's outcome");
}

Result<Receipt> ReceiptFromJson(std::string_view json) {
  return Parse<Receipt>(json, "the receipt of a cancellation");
}

Result<> RemoveStaged(storage::ObjectStore& store, std::string_view job_id, Receipt& receipt) {
  const auto remove = [&](const storage::ObjectInfo& object) -> Result<> {
    receipt.bytes_removed += TRY(store.Remove(object.key));
    ++receipt.objects_removed;
    return {};
  };
  return storage::ForEachObject(store, Staging::PrefixOf(job_id), remove);
}

Result<std::vector<std::string>> StagedJobs(storage::ObjectStore& store) {
  const std::string prefix = Staging::PrefixOf("");
  const std::string root = prefix.substr(0, prefix.size() - 1);
  std::vector<std::string> jobs;
  std::string after;
  while (true) {
    const std::vector<storage::ObjectInfo> next = TRY(store.List(root, after, 1));
    if (next.empty()) return jobs;
    jobs.push_back(
        next[0].key.substr(root.size(), next[0].key.find('/', root.size()) - root.size()));
    // Whatever else is staged for the job sorts before this.
    after = root + jobs.back() + "/\x7f";
  }
}

}  // namespace spillway::engine
