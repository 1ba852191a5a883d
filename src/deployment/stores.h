#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

#include "aws/credentials.h"
#include "base/clock.h"
#include "base/error.h"
#include "http/curl_transport.h"
#include "settings/settings.h"
#include "storage/memory/memory_store.h"
#include "storage/object_store.h"
#include "storage/s3/caller.h"
#include "storage/s3/s3_store.h"

namespace spillway {

/// What cannot be looked at is there, too: opening it says what is wrong.
bool IsThere(const std::filesystem::path& path);

/// Opens places for objects: the one place where directories and buckets are told apart. Outlives
/// the stores it opens. Thread-safe.
class Stores {
 public:
  /// What becomes of a place that is not there. Buckets are never made.
  enum class Missing {
    kIsMade,
    kIsEmpty,  ///< Nor is it looked whether a bucket is there.
    kFails,
  };

  Stores(S3Settings settings, Clock& clock);

  /// `place` is a directory, or s3://bucket/prefix.
  Result<std::unique_ptr<storage::ObjectStore>> Open(const std::string& place, Missing missing);

  /// Only for s3://bucket/prefix.
  Result<std::unique_ptr<storage::S3Store>> OpenBucket(const std::string& url, Missing missing);

  /// Ends every call to a bucket, also those that nothing else stops, for good.
  void Stop() { stop_.request_stop(); }

 private:
  storage::s3::Caller& CallerOf(const std::string& bucket);

  const S3Settings settings_;
  Clock& clock_;
  http::CurlTransport transport_;
  aws::CredentialsCache credentials_;
  storage::MemoryPlace nothing_;
  std::stop_source stop_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<storage::s3::Caller>> callers_;  // guarded by mutex_
};

}  // namespace spillway
