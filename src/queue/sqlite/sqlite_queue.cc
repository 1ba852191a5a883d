#include "queue/sqlite/sqlite_queue.h"

#include "queue/receipt.h"

namespace spillway::store {

using sql::Receipt;

Result<> SqliteQueue::Send(std::span<const Message> messages) {
  TRY(sql::CheckMessages(messages));
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
        std::vector<sql::Taken> taken;
        Query rows(
            connection,
            "UPDATE messages SET visible_at = ?1, receive_count = receive_count + 1 WHERE id IN "
            "(SELECT id FROM messages WHERE visible_at <= ?2 ORDER BY visible_at, id LIMIT ?3) "
            "RETURNING id, receive_count, body",
            now + visibility, now, static_cast<int64_t>(limit));
        while (TRY(rows.Next())) {
          sql::Taken& one = taken.emplace_back();
          one.receipt.id = rows.Integer();
          one.receipt.receive_count = rows.Integer();
          one.body = rows.Text();
        }
        return sql::InOrder(std::move(taken));
      });
}

Result<> SqliteQueue::SetVisibility(std::span<const std::string> handles,
                                    std::chrono::milliseconds visibility) {
  const std::vector<Receipt> receipts = sql::ReadHandles(handles);
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
  const std::vector<Receipt> receipts = sql::ReadHandles(handles);
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
