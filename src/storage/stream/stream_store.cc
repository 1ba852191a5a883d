#include "storage/stream/stream_store.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "storage/key.h"
#include "storage/local/path_error.h"
#include "storage/pending_pieces.h"

namespace spillway::storage {
namespace {

constexpr std::string_view kStream = "the output stream";
constexpr int kStopPollMs = 100;

/// Opens a pipe again, so that making it non-blocking does not affect its other users.
FileDescriptor ReopenPipe(int descriptor) {
  struct stat status;
  if (fstat(descriptor, &status) != 0 || !S_ISFIFO(status.st_mode)) return {};
  const std::string path = fmt::format("/proc/self/fd/{}", descriptor);
  return FileDescriptor(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
}

}  // namespace

class StreamStore::StreamStage final : public Stage {
 public:
  explicit StreamStage(StreamStore& store) : store_(store) {}
  Result<ObjectRange> Append(std::span<const Bytes> pieces, std::stop_token) override {
    return store_.Append(pieces);
  }

 private:
  StreamStore& store_;
};

StreamStore::StreamStore(int descriptor, std::shared_ptr<ObjectStore> rest, std::stop_token stop)
    : ObjectStore({.epoch = rest->traits().epoch}),
      descriptor_(descriptor),
      own_(ReopenPipe(descriptor)),
      stop_(std::move(stop)),
      rests_{std::move(rest)} {}

void StreamStore::set_rest(std::shared_ptr<ObjectStore> rest) {
  std::lock_guard lock(rests_mutex_);
  if (rests_.back() != rest) rests_.push_back(std::move(rest));
}

ObjectStore& StreamStore::rest() {
  std::lock_guard lock(rests_mutex_);
  return *rests_.back();
}

Result<std::unique_ptr<ObjectWriter>> StreamStore::Create(std::string_view key,
                                                          Overwrite overwrite) {
  return rest().Create(key, overwrite);
}

Result<std::unique_ptr<ObjectReader>> StreamStore::Open(std::string_view key,
                                                        std::stop_token stop) {
  return rest().Open(key, std::move(stop));
}

Result<std::optional<ObjectInfo>> StreamStore::Head(std::string_view key) {
  return rest().Head(key);
}

Result<std::vector<ObjectInfo>> StreamStore::List(std::string_view prefix,
                                                  std::string_view start_after, size_t limit) {
  return rest().List(prefix, start_after, limit);
}

Result<uint64_t> StreamStore::Remove(std::string_view key) { return rest().Remove(key); }

Result<std::unique_ptr<Stage>> StreamStore::CreateStage(std::string_view key,
                                                        const std::optional<StageTarget>&) {
  TRY(ValidateKey(key));
  std::lock_guard lock(mutex_);
  if (stage_key_ == key)
    return Fail(ErrorCode::kAlreadyExists, fmt::format("{} is the stream already", key));
  if (!stage_key_.empty()) {
    return Fail(ErrorCode::kConflict,
                "a stream holds one file; write several to a directory, or into one zip");
  }
  stage_key_ = key;
  return std::make_unique<StreamStage>(*this);
}

Result<ObjectRange> StreamStore::Append(std::span<const Bytes> pieces) {
  std::lock_guard lock(mutex_);
  if (broken_) return std::unexpected(*broken_);
  if (auto all = WriteAll(pieces); !all) {
    broken_ = std::move(all).error();
    broken_->retryable = false;
    return std::unexpected(*broken_);
  }
  ObjectRange range{stage_key_, written_, 0};
  for (const Bytes piece : pieces) range.bytes += piece.size();
  written_ += range.bytes;
  return range;
}

Result<> StreamStore::WriteAll(std::span<const Bytes> pieces) {
  PendingPieces pending(pieces);
  for (auto next = pending.Next(); !next.empty(); next = pending.Next()) {
    const ssize_t written = writev(descriptor(), next.data(), static_cast<int>(next.size()));
    if (written >= 0) {
      pending.Advance(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      TRY(AwaitReader());
    } else if (errno == EPIPE) {
      return Fail(ErrorCode::kCancelled,
                  "the reader of the output stream went away; nothing more was written");
    } else if (errno != EINTR) {
      return std::unexpected(PathError(errno, "write to", kStream));
    }
  }
  return {};
}

Result<> StreamStore::AwaitReader() {
  pollfd ready{.fd = descriptor(), .events = POLLOUT, .revents = 0};
  while (poll(&ready, 1, kStopPollMs) <= 0) {
    if (stop_.stop_requested()) {
      return Fail(ErrorCode::kCancelled,
                  "stopped while the reader of the output stream took nothing");
    }
  }
  return {};
}

Result<> StreamStore::Sync(std::string_view key) {
  {
    std::lock_guard lock(mutex_);
    if (stage_key_ != key) return rest().Sync(key);
    if (broken_) return std::unexpected(*broken_);
  }
  // EINVAL and EROFS: pipes, terminals and devices have nothing to sync.
  if (fdatasync(descriptor()) == 0 || errno == EINVAL || errno == EROFS) return {};
  return std::unexpected(PathError(errno, "sync", kStream));
}

Result<ObjectInfo> StreamStore::Compose(std::string_view key, std::span<const ObjectRange> ranges,
                                        std::stop_token stop) {
  TRY(ValidateKey(key));
  std::lock_guard lock(mutex_);
  const auto streamed = [&](const ObjectRange& range) { return range.key == stage_key_; };
  if (!ranges.empty() && std::ranges::none_of(ranges, streamed))
    return rest().Compose(key, ranges, std::move(stop));
  if (broken_) return std::unexpected(*broken_);
  uint64_t end = 0;
  const bool in_order = std::ranges::all_of(ranges, [&](const ObjectRange& range) {
    const bool next = range.key == stage_key_ && range.offset == end;
    end += range.bytes;
    return next;
  });
  if (!in_order || end != written_) {
    return Fail(ErrorCode::kConflict,
                fmt::format("what was written to {} is not the file: a part was written twice or "
                            "out of order, which cannot be undone; run the export again, or write "
                            "it to a directory",
                            kStream));
  }
  return ObjectInfo{std::string(key), written_, {}};
}

}  // namespace spillway::storage
