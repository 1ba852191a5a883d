#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "storage/key.h"
#include "storage/s3/parts_in_flight.h"
#include "storage/s3/s3_store.h"

namespace spillway::storage::s3 {

/// The size of the next part. It doubles with every thousand parts, so that 10,000 that begin with
/// 8 MiB hold S3's largest object.
uint64_t PartBytes(uint64_t first, int parts_sent);

/// An object being written: one Put where a part holds all of it, else a multipart upload.
class Writer final : public ObjectWriter {
 public:
  /// `key` is its name in the store, `name` its name in the bucket; `mark` is unique.
  Writer(Client& client, const S3StoreOptions& options, std::string key, std::string name,
         Overwrite overwrite, std::string mark)
      : client_(client),
        options_(options),
        key_(std::move(key)),
        name_(std::move(name)),
        if_absent_(overwrite == Overwrite::kNever),
        mark_({{"spillway-write", std::move(mark)}}),
        tags_(key_.starts_with(kPrivatePrefix) ? Tags() : options.tags),
        parts_(options.parts_in_flight, options.bytes_in_flight) {}
  ~Writer() override;

  Result<> Write(Bytes bytes) override;
  Result<ObjectInfo> Finish() override;

 private:
  Result<> SendPart();
  Result<> Upload();
  uint64_t PartBytes() const { return s3::PartBytes(options_.part_bytes, parts_sent_); }

  Client& client_;
  const S3StoreOptions& options_;
  const std::string key_;
  const std::string name_;
  const bool if_absent_;
  const Metadata mark_;
  const Tags tags_;
  std::optional<s3::Upload> upload_;
  Buffer pending_;
  int parts_sent_ = 0;
  uint64_t bytes_ = 0;
  bool closed_ = false;
  PartsInFlight parts_;
};

}  // namespace spillway::storage::s3
