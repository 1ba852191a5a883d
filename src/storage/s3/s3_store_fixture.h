#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/curl_transport.h"
#include "storage/conformance.h"
#include "storage/s3/s3_store.h"
#include "storage/s3/versity_gateway.h"

namespace spillway::storage {

using s3::VersityGateway;

inline VersityGateway& Gateway() {
  static VersityGateway gateway;
  return gateway;
}

/// Everything that a store needs.
struct Footing {
  explicit Footing(s3::ClientOptions options,
                   const std::string& secret = VersityGateway::kSecretKey,
                   const std::string& ca_file = "")
      : transport({.ca_file = ca_file}),
        credentials(std::make_unique<aws::StaticCredentials>(
                        aws::Credentials{.access_key_id = VersityGateway::kAccessKey,
                                         .secret_access_key = Redacted(secret)}),
                    clock),
        caller(std::move(options), transport, credentials, clock, 1, stop.get_token()) {}

  SystemClock clock;
  std::stop_source stop;
  http::CurlTransport transport;
  aws::CredentialsCache credentials;
  s3::Caller caller;
};

inline s3::ClientOptions At(const std::string& bucket) {
  return {.bucket = bucket, .endpoint = Gateway().url(), .path_style = true};
}

/// A store that owns what it needs.
class OwningStore final : public ObjectStore {
 public:
  explicit OwningStore(const std::string& bucket, const S3StoreOptions& options)
      : footing_(At(bucket)),
        store_(S3Store::OpenExisting(footing_.caller, options, Random::FromEntropy()).value()) {}

  Result<std::unique_ptr<ObjectWriter>> Create(std::string_view key, Overwrite over) override {
    return store_->Create(key, over);
  }
  Result<std::unique_ptr<ObjectReader>> Open(std::string_view key, std::stop_token stop) override {
    return store_->Open(key, std::move(stop));
  }
  Result<std::optional<ObjectInfo>> Head(std::string_view key) override {
    return store_->Head(key);
  }
  Result<std::vector<ObjectInfo>> List(std::string_view prefix, std::string_view start_after,
                                       size_t limit) override {
    return store_->List(prefix, start_after, limit);
  }
  Result<uint64_t> Remove(std::string_view key) override { return store_->Remove(key); }
  Result<std::unique_ptr<Stage>> CreateStage(std::string_view key) override {
    return store_->CreateStage(key);
  }
  Result<std::unique_ptr<Stage>> CreateStageFor(const StageTarget& target,
                                                std::string_view key) override {
    return store_->CreateStageFor(target, key);
  }
  Result<> Sync(std::string_view key) override { return store_->Sync(key); }
  std::string epoch() const override { return store_->epoch(); }
  Result<ObjectInfo> Compose(std::string_view key, std::span<const ObjectRange> ranges,
                             std::stop_token stop) override {
    return store_->Compose(key, ranges, std::move(stop));
  }

  S3Store& store() { return *store_; }
  s3::Client& client() { return store_->client(); }

 private:
  Footing footing_;
  std::unique_ptr<S3Store> store_;
};

inline Bytes BytesOf(std::string_view text) { return std::as_bytes(std::span(text)); }

inline std::string Letters(size_t bytes, unsigned seed) {
  std::string text(bytes, ' ');
  for (size_t i = 0; i < bytes; ++i)
    text[i] = static_cast<char>('a' + (i * 7 + (i >> 9) + seed) % 26);
  return text;
}

class S3StoreTest : public testing::Test {
 protected:
  std::string Get(const std::string& key) {
    auto reader = store_.Open(key, {});
    if (!reader) return reader.error().message;
    std::string text((*reader)->size(), ' ');
    const auto got = (*reader)->ReadAt(0, std::as_writable_bytes(std::span(text)));
    return got ? text : got.error().message;
  }
  Result<ObjectInfo> Put(const std::string& key, const std::string& text) {
    auto writer = TRY(store_.Create(key, Overwrite::kAllowed));
    TRY(writer->Write(BytesOf(text)));
    return writer->Finish();
  }

  static ObjectRange Append(Stage& stage, const std::string& text) {
    const Bytes piece = BytesOf(text);
    return stage.Append({&piece, 1}, {}).value();
  }

  const std::string bucket_ = Gateway().NewBucket();
  OwningStore store_{bucket_, {.part_bytes = uint64_t{5} << 20, .join_parts_max = 3}};
};

}  // namespace spillway::storage
