#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/curl_transport.h"
#include "storage/conformance.h"
#include "storage/forwarding_store.h"
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

/// A store, and what it stands on.
struct Standing {
  Standing(const std::string& bucket, const S3StoreOptions& options)
      : footing(At(bucket)),
        store(S3Store::OpenExisting(footing.caller, options, Random::FromEntropy()).value()) {}

  Footing footing;
  std::unique_ptr<S3Store> store;
};

/// A store that keeps what it stands on.
class OwningStore final : private Standing, public ForwardingStore {
 public:
  explicit OwningStore(const std::string& bucket, const S3StoreOptions& options)
      : Standing(bucket, options), ForwardingStore(*Standing::store) {}

  S3Store& store() { return *Standing::store; }
  s3::Client& client() { return store().client(); }
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
  OwningStore store_{bucket_, {.part_bytes = uint64_t{5} << 20, .join = {.parts_max = 3}}};
};

}  // namespace spillway::storage
