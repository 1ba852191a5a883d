#include "queue/memory/memory_queue.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "queue/receipt.h"

namespace spillway::store {
namespace {

/// The turn of a message whose delay has not passed.
constexpr int64_t kNoTurnYet = std::numeric_limits<int64_t>::max();

std::string HandleOf(int64_t id, int64_t receive_count) {
  return std::to_string(id) + "." + std::to_string(receive_count);
}

int64_t IdOf(const std::string& handle) {
  int64_t id = 0;
  std::from_chars(handle.data(), handle.data() + handle.size(), id);
  return id;
}

}  // namespace

Result<> MemoryQueue::Send(std::span<const Message> messages) {
  TRY(sql::CheckMessages(messages));
  const Timestamp now = clock_.Now();
  std::lock_guard lock(database_.mutex_);
  const int64_t first_turn = FirstTurn(now);
  for (const Message& message : messages) {
    const bool later = message.delay > std::chrono::milliseconds(0);
    const int64_t turn = later ? kNoTurnYet : NextTurn(message.group, first_turn);
    database_.messages_[++database_.messages_sent_] = {.group = message.group,
                                                       .body = message.body,
                                                       .turn = turn,
                                                       .visible_at = now + message.delay};
  }
  return {};
}

Result<std::vector<Delivery>> MemoryQueue::Receive(size_t limit,
                                                   std::chrono::milliseconds visibility) {
  const Timestamp now = clock_.Now();
  std::lock_guard lock(database_.mutex_);
  GiveDueTurns(now);
  std::vector<std::pair<int64_t, int64_t>> visible;
  for (const auto& [id, message] : database_.messages_) {
    if (message.visible_at <= now) visible.emplace_back(message.turn, id);
  }
  std::ranges::sort(visible);
  if (visible.size() > limit) visible.resize(limit);
  std::vector<Delivery> deliveries;
  for (const auto& [turn, id] : visible) {
    Entry& message = database_.messages_.at(id);
    message.visible_at = now + visibility;
    ++message.receive_count;
    deliveries.push_back({.handle = HandleOf(id, message.receive_count),
                          .body = message.body,
                          .receive_count = message.receive_count});
  }
  return deliveries;
}

Result<> MemoryQueue::Extend(std::span<const std::string> handles,
                             std::chrono::milliseconds visibility) {
  const Timestamp visible_at = clock_.Now() + visibility;
  std::lock_guard lock(database_.mutex_);
  for (const std::string& handle : handles) {
    if (Entry* message = Find(handle)) message->visible_at = visible_at;
  }
  return {};
}

Result<> MemoryQueue::GiveBack(std::span<const std::string> handles,
                               std::chrono::milliseconds delay) {
  const Timestamp now = clock_.Now();
  std::lock_guard lock(database_.mutex_);
  const int64_t first_turn = FirstTurn(now);
  for (const std::string& handle : handles) {
    Entry* message = Find(handle);
    if (message == nullptr) continue;
    const bool later = delay > std::chrono::milliseconds(0);
    message->turn = later ? kNoTurnYet : NextTurn(message->group, first_turn);
    message->visible_at = now + delay;
  }
  return {};
}

Result<> MemoryQueue::Delete(std::span<const std::string> handles) {
  std::lock_guard lock(database_.mutex_);
  for (const std::string& handle : handles) {
    if (Find(handle) != nullptr) database_.messages_.erase(IdOf(handle));
  }
  return {};
}

int64_t MemoryQueue::FirstTurn(Timestamp now) const {
  std::optional<int64_t> next_to_go;
  int64_t last = 0;
  for (const auto& [id, message] : database_.messages_) {
    if (message.turn == kNoTurnYet) continue;
    if (message.visible_at <= now)
      next_to_go = std::min(next_to_go.value_or(message.turn), message.turn);
    last = std::max(last, message.turn);
  }
  return next_to_go.value_or(last);
}

int64_t MemoryQueue::NextTurn(std::string_view group, int64_t first_turn) const {
  int64_t last_of_group = 0;
  for (const auto& [id, message] : database_.messages_)
    if (message.group == group && message.turn != kNoTurnYet)
      last_of_group = std::max(last_of_group, message.turn);
  return std::max(last_of_group + 1, first_turn);
}

void MemoryQueue::GiveDueTurns(Timestamp now) {
  std::vector<std::pair<Timestamp, int64_t>> due;
  for (const auto& [id, message] : database_.messages_) {
    if (message.turn == kNoTurnYet && message.visible_at <= now)
      due.emplace_back(message.visible_at, id);
  }
  std::ranges::sort(due);
  const int64_t first_turn = FirstTurn(now);
  for (const auto& [visible_at, id] : due) {
    Entry& message = database_.messages_.at(id);
    message.turn = NextTurn(message.group, first_turn);
  }
}

MemoryQueue::Entry* MemoryQueue::Find(const std::string& handle) {
  const auto found = database_.messages_.find(IdOf(handle));
  if (found == database_.messages_.end()) return nullptr;
  return handle == HandleOf(found->first, found->second.receive_count) ? &found->second : nullptr;
}

Result<int64_t> MemoryQueue::Depth() {
  std::lock_guard lock(database_.mutex_);
  return static_cast<int64_t>(database_.messages_.size());
}

}  // namespace spillway::store
