#include "storage/s3/s3_writer.h"

#include <algorithm>
#include <memory>

namespace spillway::storage::s3 {
namespace {

constexpr int kPartsOfOneSize = 1000;

}  // namespace

uint64_t PartBytes(uint64_t first, int parts_sent) {
  return std::min(first << (parts_sent / kPartsOfOneSize), kMaxPartBytes);
}

Writer::~Writer() {
  static_cast<void>(parts_.Finish());
  // If this fails, the bucket's lifecycle rule for unfinished uploads removes the upload.
  if (upload_.has_value()) static_cast<void>(client_.AbortUpload(*upload_));
}

Result<> Writer::Write(Bytes bytes) {
  if (closed_) return Fail(ErrorCode::kInternal, key_ + " is finished and takes no more bytes");
  while (!bytes.empty()) {
    const size_t room = PartBytes() - pending_.size();
    const size_t taken = std::min(room, bytes.size());
    pending_.Append(bytes.first(taken));
    bytes_ += taken;
    bytes = bytes.subspan(taken);
    // Keep the last part: what fits into one part needs no upload.
    if (pending_.size() == PartBytes() && !bytes.empty()) TRY(SendPart());
  }
  return {};
}

Result<> Writer::SendPart() {
  if (!upload_.has_value()) {
    upload_ = TRY(client_.CreateUpload(name_, {.metadata = mark_, .tags = tags_}, true));
  }
  if (parts_sent_ == kMaxParts)
    return Fail(ErrorCode::kOutOfSpace, key_ + " needs more parts than S3 allows");
  const auto part = std::make_shared<Buffer>(std::exchange(pending_, Buffer()));
  const int number = ++parts_sent_;
  return parts_.Start(part->size(), [this, part, number] {
    return client_.UploadPart(*upload_, number, {part->bytes()});
  });
}

Result<> Writer::Upload() {
  if (!upload_.has_value())
    return client_.Put(name_, {pending_.bytes()},
                       {.if_absent = if_absent_, .metadata = mark_, .tags = tags_});
  TRY(SendPart());
  const std::vector<UploadedPart> parts = TRY(parts_.Finish());
  aws::CallRecord record;
  Result<> completed = client_.CompleteUpload(*upload_, parts, if_absent_, mark_, &record);
  // An abort could undo what a slow server is about to finish. A sweep removes it otherwise.
  if (completed.has_value() || record.unknown) upload_.reset();
  return completed;
}

Result<ObjectInfo> Writer::Finish() {
  if (closed_) return Fail(ErrorCode::kInternal, key_ + " is finished already");
  closed_ = true;
  TRY(Upload());
  return ObjectInfo{.key = key_, .bytes = bytes_, .modified = client_.Now()};
}

}  // namespace spillway::storage::s3
