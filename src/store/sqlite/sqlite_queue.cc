#include "store/sqlite/sqlite_queue.h"

#include <algorithm>
#include <charconv>
#include <tuple>

#include <fmt/format.h>

namespace spillway::store {
namespace {

constexpr size_t kBodyBytesMax = 1024;

/// What a handle says: `<message id>.<receive count>`, so that one of an earlier delivery fits
/// nothing.
struct Receipt {
  int64_t id = 0;
  int64_t receive_count = 0;
};

std::vector<Receipt> ReadHandles(std::span<const std::string> handles) {
  std::vector<Receipt> receipts;
  receipts.reserve(handles.size());
  for (const std::string& handle : handles) {
    Receipt receipt;
    const char* end = handle.data() + handle.size();
    const auto [dot, id_error] = std::from_chars(handle.data(), end, receipt.id);
    if (id_error != std::errc() || dot == end || *dot != '.') continue;
    const auto [rest, count_error] = std::from_chars(dot + 1, end, receipt.receive_count);
    if (count_error == std::errc() && rest == end) receipts.push_back(receipt);
  }
  return receipts;
}

}  // namespace

Result<> SqliteQueue::Send(std::span<const Message> messages) {
  for (const Message& message : messages) {
    if (message.body.size() > kBodyBytesMax) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("a message of {} bytes; at most {} are allowed", message.body.size(),
                              kBodyBytesMax));
    }
  }
  if (messages.empty()) return {};
  return database_.Write(Durability::kProcess, [&](Connection& connection) -> Result<> {
    const Timestamp now = clock_.Now();
    for (const Message& message : messages) {
      TRY(Query(connection,
                "INSERT INTO messages (message_group, body, visible_at) VALUES (?, ?, ?)",
                message.group, message.body, now + message.delay)
              .Run());
    }
    return {};
  });
}

Result<std::vector<Delivery>> SqliteQueue::Receive(size_t limit,
                                                   std::chrono::milliseconds visibility) {
  // An idle worker polls: it looks before it takes the lock.
  const bool waiting = TRY(database_.Read([&](Connection& connection) -> Result<bool> {
    return Query(connection, "SELECT 1 FROM messages WHERE visible_at <= ? LIMIT 1", clock_.Now())
        .Next();
  }));
  if (!waiting) return std::vector<Delivery>();
  return database_.Write(
      Durability::kProcess, [&](Connection& connection) -> Result<std::vector<Delivery>> {
        const Timestamp now = clock_.Now();
        std::vector<std::tuple<int64_t, int64_t, std::string>> taken;
        Query rows(
            connection,
            "UPDATE messages SET visible_at = ?1, receive_count = receive_count + 1 WHERE id IN "
            "(SELECT id FROM messages WHERE visible_at <= ?2 ORDER BY visible_at, id LIMIT ?3) "
            "RETURNING id, receive_count, body",
            now + visibility, now, static_cast<int64_t>(limit));
        while (TRY(rows.Next())) {
          const int64_t id = rows.Integer();
          const int64_t receive_count = rows.Integer();
          taken.emplace_back(id, receive_count, rows.Text());
        }
        std::ranges::sort(taken);  // RETURNING keeps no order.
        std::vector<Delivery> deliveries;
        deliveries.reserve(taken.size());
        for (auto& [id, receive_count, body] : taken) {
          deliveries.push_back({.handle = fmt::format("{}.{}", id, receive_count),
                                .body = std::move(body),
                                .receive_count = receive_count});
        }
        return deliveries;
      });
}

Result<> SqliteQueue::SetVisibility(std::span<const std::string> handles,
                                    std::chrono::milliseconds visibility) {
  const std::vector<Receipt> receipts = ReadHandles(handles);
  if (receipts.empty()) return {};
  return database_.Write(Durability::kProcess, [&](Connection& connection) -> Result<> {
    const Timestamp visible_at = clock_.Now() + visibility;
    for (const Receipt& receipt : receipts) {
      TRY(Query(connection, "UPDATE messages SET visible_at = ? WHERE id = ? AND receive_count = ?",
                visible_at, receipt.id, receipt.receive_count)
              .Run());
    }
    return {};
  });
}

Result<> SqliteQueue::Delete(std::span<const std::string> handles) {
  const std::vector<Receipt> receipts = ReadHandles(handles);
  if (receipts.empty()) return {};
  return database_.Write(Durability::kProcess, [&](Connection& connection) -> Result<> {
    for (const Receipt& receipt : receipts) {
      TRY(Query(connection, "DELETE FROM messages WHERE id = ? AND receive_count = ?", receipt.id,
                receipt.receive_count)
              .Run());
    }
    return {};
  });
}

Result<int64_t> SqliteQueue::Depth() {
  return database_.Read([](Connection& connection) -> Result<int64_t> {
    Query row(connection, "SELECT count(*) FROM messages");
    TRY(row.Next());
    return row.Integer();
  });
}

}  // namespace spillway::store
