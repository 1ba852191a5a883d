#include "queue/memory/memory_queue.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace spillway::store {
namespace {

constexpr size_t kBodyBytesMax = 1024;

std::string HandleOf(int64_t id, int64_t receive_count) {
  return std::to_string(id) + "." + std::to_string(receive_count);
}

}  // namespace

Result<> MemoryQueue::Send(std::span<const Message> messages) {
  for (const Message& message : messages) {
    if (message.body.size() > kBodyBytesMax) {
      return Fail(ErrorCode::kInvalidArgument,
                  "a message of " + std::to_string(message.body.size()) + " bytes; at most " +
                      std::to_string(kBodyBytesMax) + " are allowed");
    }
  }
  const Timestamp now = clock_.Now();
  std::lock_guard lock(database_.mutex_);
  for (const Message& message : messages) {
    database_.messages_[++database_.messages_sent_] = {.body = message.body,
                                                       .visible_at = now + message.delay};
  }
  return {};
}

Result<std::vector<Delivery>> MemoryQueue::Receive(size_t limit,
                                                   std::chrono::milliseconds visibility) {
  const Timestamp now = clock_.Now();
  std::lock_guard lock(database_.mutex_);
  std::vector<std::pair<Timestamp, int64_t>> visible;
  for (const auto& [id, message] : database_.messages_) {
    if (message.visible_at <= now) visible.emplace_back(message.visible_at, id);
  }
  std::ranges::sort(visible);
  if (visible.size() > limit) visible.resize(limit);
  std::vector<Delivery> deliveries;
  for (const auto& [visible_at, id] : visible) {
    MemoryDatabase::MessageEntry& message = database_.messages_.at(id);
    message.visible_at = now + visibility;
    ++message.receive_count;
    deliveries.push_back({.handle = HandleOf(id, message.receive_count),
                          .body = message.body,
                          .receive_count = message.receive_count});
  }
  return deliveries;
}

Result<> MemoryQueue::SetVisibility(std::span<const std::string> handles,
                                    std::chrono::milliseconds visibility) {
  const Timestamp visible_at = clock_.Now() + visibility;
  std::lock_guard lock(database_.mutex_);
  for (const std::string& handle : handles) {
    int64_t id = 0;
    std::from_chars(handle.data(), handle.data() + handle.size(), id);
    const auto found = database_.messages_.find(id);
    if (found == database_.messages_.end()) continue;
    if (handle == HandleOf(id, found->second.receive_count)) found->second.visible_at = visible_at;
  }
  return {};
}

Result<> MemoryQueue::Delete(std::span<const std::string> handles) {
  std::lock_guard lock(database_.mutex_);
  for (const std::string& handle : handles) {
    int64_t id = 0;
    std::from_chars(handle.data(), handle.data() + handle.size(), id);
    const auto found = database_.messages_.find(id);
    if (found == database_.messages_.end()) continue;
    if (handle == HandleOf(id, found->second.receive_count)) database_.messages_.erase(found);
  }
  return {};
}

Result<int64_t> MemoryQueue::Depth() {
  std::lock_guard lock(database_.mutex_);
  return static_cast<int64_t>(database_.messages_.size());
}

}  // namespace spillway::store
