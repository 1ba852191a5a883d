#include "staging/staging.h"

#include <algorithm>
#include <array>
#include <utility>

#include "storage/objects.h"

namespace spillway::engine {
namespace {

void AddRange(std::vector<storage::ObjectRange>& ranges, storage::ObjectRange added) {
  if (!ranges.empty()) {
    storage::ObjectRange& last = ranges.back();
    if (last.key == added.key && last.offset + last.bytes == added.offset) {
      last.bytes += added.bytes;
      return;
    }
  }
  ranges.push_back(std::move(added));
}

}  // namespace

std::string Staging::PrefixOf(std::string_view job_id) {
  return ".spillway/jobs/" + std::string(job_id) + "/";
}

Staging::Place Staging::Enter(int64_t chunk) {
  std::lock_guard lock(mutex_);
  line_.insert(chunk);
  return {*this, chunk};
}

void Staging::Leave(int64_t chunk) {
  std::lock_guard lock(mutex_);
  line_.erase(line_.find(chunk));
  if (line_.empty()) {
    spare_.clear();
    spare_bytes_ = 0;
  }
  left_.notify_all();
}

PartWriter Staging::NewPart(std::string file, int64_t chunk, PartOrder order) {
  return {*this, std::move(file), chunk, order, TakeSpare()};
}

std::unique_ptr<Buffer> Staging::TakeSpare() {
  std::lock_guard lock(mutex_);
  const auto largest =
      std::ranges::max_element(spare_, {}, [](const auto& buffer) { return buffer->capacity(); });
  if (largest == spare_.end()) return std::make_unique<Buffer>();
  auto taken = std::move(*largest);
  spare_.erase(largest);
  spare_bytes_ -= taken->capacity();
  return taken;
}

void Staging::KeepSpare(std::unique_ptr<Buffer> buffer) {
  if (buffer == nullptr || buffer->capacity() == 0) return;
  buffer->Clear();
  std::lock_guard lock(mutex_);
  if (line_.empty() || spare_bytes_ + buffer->capacity() > pending_bytes_max_) return;
  spare_bytes_ += buffer->capacity();
  spare_.push_back(std::move(buffer));
}

bool Staging::TakePlace(const std::string& file, int64_t chunk) {
  std::lock_guard lock(mutex_);
  return placed_[file].insert(chunk).second;
}

Result<Part> Staging::Append(std::string_view file, std::span<const std::byte> bytes) {
  storage::Stage* stage = TRY(StageOf(file, PartOrder::kInTurn));
  Part part{.file = std::string(file), .bytes = bytes.size(), .epoch = store_.traits().epoch};
  part.ranges.push_back(TRY(stage->Append(std::array{bytes}, {})));
  Sha256 hash;
  hash.Update(bytes);
  part.sha256 = ToHex(hash.Finish());
  return part;
}

Result<std::string> Staging::Put(std::string_view name, std::string_view text) {
  std::string key = prefix_ + std::string(name);
  TRY(storage::PutWhole(store_, key, text));
  return key;
}

Result<std::string> Staging::Read(std::string_view key, std::stop_token stop) {
  if (!key.starts_with(prefix_)) {
    return Fail(ErrorCode::kInvalidArgument,
                std::string(key) + " is no object that was stored for this job");
  }
  return storage::ReadWhole(store_, key, std::move(stop));
}

Result<storage::Stage*> Staging::StageOf(std::string_view file, PartOrder order) {
  std::lock_guard lock(mutex_);
  auto found = stages_.find(file);
  if (found == stages_.end()) {
    // A stage may have been made although its answer was lost: no key is asked for twice.
    const std::string key = prefix_ + owner_ + "-" + std::to_string(++stages_asked_for_);
    std::optional<storage::StageTarget> target;
    if (order == PartOrder::kInPlace && output_.chunks > 0)
      target = {.key = output_.directory + "/" + std::string(file), .chunks = output_.chunks};
    found = stages_.emplace(file, TRY(store_.CreateStage(key, target))).first;
  }
  return found->second.get();
}

Result<> PartWriter::AwaitTurn(std::stop_token stop) {
  if (order_ == PartOrder::kAlone) return {};
  std::unique_lock lock(staging_.mutex_);
  const bool turn =
      staging_.left_.wait(lock, stop, [this] { return *staging_.line_.begin() >= chunk_; });
  if (!turn) return Fail(ErrorCode::kCancelled, "stopped while waiting to write");
  return {};
}

bool PartWriter::IsTurn() {
  if (order_ == PartOrder::kAlone) return true;
  std::lock_guard lock(staging_.mutex_);
  return *staging_.line_.begin() >= chunk_;
}

Result<> PartWriter::Commit(std::stop_token stop) {
  hash_.Update(pending_->bytes().subspan(digested_));
  digested_ = pending_->size();
  // What is kept back makes the last append long enough to be joined without being read.
  const size_t kept = staging_.store_.traits().join_bytes_min;
  const size_t enough = staging_.store_.traits().transfer_bytes + kept;
  const size_t most = std::max(staging_.pending_bytes_max_, kept == 0 ? 0 : enough);
  if (digested_ >= most) {
    TRY(AwaitTurn(stop));
    return Flush(kept, std::move(stop));
  }
  // Bytes are cheapest to write while they are in the cache.
  if (digested_ >= enough && IsTurn()) return Flush(kept, std::move(stop));
  return {};
}

Result<> PartWriter::Flush(size_t kept, std::stop_token stop) {
  if (pending_->size() <= kept) return {};
  const size_t at_once = staging_.store_.traits().appends_at_once;
  TRY(Land(at_once));
  storage::Stage* stage = TRY(staging_.StageOf(file_, order_));
  // The first bytes stay where they can be read: a short part before them may need them to be
  // joined.
  const bool first = staged_ == 0;
  const bool may_be = order_ == PartOrder::kInPlace;
  if (may_be && !first && !in_place_.has_value()) in_place_ = staging_.TakePlace(file_, chunk_);
  const storage::Bytes front =
      pending_->bytes().first(may_be && first && kept > 0 ? kept : pending_->size() - kept);
  const auto chunk = in_place_.value_or(false) ? std::optional(chunk_) : std::nullopt;
  std::unique_ptr<Buffer> rest = landed_ ? std::move(landed_) : std::make_unique<Buffer>();
  rest->Append(pending_->bytes().subspan(front.size()));
  flights_.push_back({std::exchange(pending_, std::move(rest)), stage->Begin(front, chunk, stop)});
  staged_ += front.size();
  digested_ = pending_->size();
  if (at_once == 1) {
    TRY(Land(1));
    if (kept == 0) std::swap(pending_, landed_);  // its memory is still in the cache
  }
  return {};
}

Result<> PartWriter::Land(size_t fewer_than) {
  while (flights_.size() >= fewer_than) {
    AddRange(ranges_, TRY(flights_.front().range.get()));
    landed_ = std::move(flights_.front().bytes);
    landed_->Clear();
    flights_.pop_front();
  }
  return {};
}

Result<Part> PartWriter::Finish(int64_t rows, std::stop_token stop) {
  TRY(Commit(stop));
  TRY(AwaitTurn(stop));
  TRY(Flush(0, std::move(stop)));
  TRY(Land(1));
  staging_.KeepSpare(std::move(pending_));
  staging_.KeepSpare(std::move(landed_));
  return Part{.file = file_,
              .ranges = std::move(ranges_),
              .rows = rows,
              .bytes = staged_,
              .sha256 = ToHex(hash_.Finish()),
              .epoch = staging_.store_.traits().epoch};
}

}  // namespace spillway::engine
