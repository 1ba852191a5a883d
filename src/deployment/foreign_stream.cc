#include "deployment/foreign_stream.h"

namespace spillway {
namespace {

std::unexpected<Error> Ended() {
  return Fail(ErrorCode::kConflict,
              "the export went to the standard output of a process that has ended; run it again");
}

}  // namespace

Result<std::unique_ptr<storage::ObjectWriter>> ForeignStream::Create(
    std::string_view /*key*/, storage::Overwrite /*overwrite*/) {
  return Ended();
}

Result<std::unique_ptr<storage::ObjectReader>> ForeignStream::Open(std::string_view key,
                                                                   std::stop_token stop) {
  return rest_->Open(key, std::move(stop));
}

Result<std::optional<storage::ObjectInfo>> ForeignStream::Head(std::string_view key) {
  return rest_->Head(key);
}

Result<std::vector<storage::ObjectInfo>> ForeignStream::List(std::string_view prefix,
                                                             std::string_view start_after,
                                                             size_t limit) {
  return rest_->List(prefix, start_after, limit);
}

Result<uint64_t> ForeignStream::Remove(std::string_view key) { return rest_->Remove(key); }

Result<std::unique_ptr<storage::Stage>> ForeignStream::CreateStage(
    std::string_view /*key*/, const std::optional<storage::StageTarget>& /*target*/) {
  return Ended();
}

Result<> ForeignStream::Sync(std::string_view /*key*/) { return Ended(); }

Result<storage::ObjectInfo> ForeignStream::Compose(std::string_view /*key*/,
                                                   std::span<const storage::ObjectRange> /*ranges*/,
                                                   std::stop_token) {
  return Ended();
}

}  // namespace spillway
