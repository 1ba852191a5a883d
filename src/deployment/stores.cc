#include "deployment/stores.h"

#include "aws/environment.h"
#include "aws/providers.h"
#include "base/random.h"
#include "storage/local/local_store.h"
#include "storage/s3_url.h"

namespace spillway {

bool IsThere(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error) || error;
}

Stores::Stores(S3Settings settings, Clock& clock)
    : settings_(std::move(settings)),
      clock_(clock),
      transport_({.ca_file = settings_.ca_file.value_or("").string()}),
      credentials_(aws::DefaultCredentials(aws::ProcessEnvironment(), transport_, settings_.region),
                   clock) {}

Result<std::unique_ptr<storage::ObjectStore>> Stores::Open(const std::string& place,
                                                           Missing missing) {
  if (storage::IsUrl(place)) return TRY(OpenBucket(place, missing));
  if (missing == Missing::kIsMade) return TRY(storage::LocalStore::OpenOrCreate(place));
  if (missing == Missing::kFails || IsThere(place))
    return TRY(storage::LocalStore::OpenExisting(place));
  return std::make_unique<storage::MemoryStore>(nothing_, clock_);
}

Result<std::unique_ptr<storage::S3Store>> Stores::OpenBucket(const std::string& url,
                                                             Missing missing) {
  const Result<storage::S3Url> parsed = storage::ParseS3Url(url);
  if (!parsed.has_value())
    return Fail(ErrorCode::kInvalidArgument, url + " " + parsed.error().message);
  storage::S3StoreOptions options{.prefix = parsed->prefix,
                                  .part_bytes = settings_.part_bytes.bytes,
                                  .parts_in_flight = static_cast<size_t>(settings_.parts_in_flight),
                                  .tags = settings_.tags};
  storage::s3::Caller& caller = CallerOf(parsed->bucket);
  const Random random = Random::FromEntropy();
  if (missing == Missing::kIsEmpty)
    return TRY(storage::S3Store::Open(caller, std::move(options), random));
  return TRY(storage::S3Store::OpenExisting(caller, std::move(options), random));
}

storage::s3::Caller& Stores::CallerOf(const std::string& bucket) {
  std::lock_guard lock(mutex_);
  std::unique_ptr<storage::s3::Caller>& caller = callers_[bucket];
  if (caller == nullptr) {
    caller = std::make_unique<storage::s3::Caller>(
        storage::s3::ClientOptions{
            .bucket = bucket,
            .region = settings_.region,
            .endpoint = settings_.endpoint.value_or(""),
            .path_style = settings_.path_style.value_or(settings_.endpoint.has_value()),
            .encryption = {.kind = settings_.encryption,
                           .kms_key = settings_.kms_key.value_or(""),
                           .bucket_key = settings_.bucket_key},
            .retry_for = settings_.retry_for,
            .copy_timeout = std::chrono::ceil<std::chrono::seconds>(settings_.copy_timeout)},
        transport_, credentials_, clock_, Random::FromEntropy().Next(), stop_.get_token());
  }
  return *caller;
}

}  // namespace spillway
