#include "queue/sqlite/sqlite_queue.h"

#include "queue/receipt.h"

namespace spillway::store {

using sql::Receipt;

namespace {

/// The turn of a message whose delay has not passed: it has none yet.
#define SPILLWAY_NO_TURN_YET "9223372036854775807"

// Every turn is above 0. The condition says so for the planner, which then walks along their index.

/// The first turn that a group which has nothing here can get: that of the next message to go.
Result<int64_t> FirstTurn(Connection& connection, Timestamp now) {
  {
    Query next(connection,
               "SELECT turn FROM messages WHERE turn > 0 AND turn < " SPILLWAY_NO_TURN_YET
               " AND visible_at <= ? ORDER BY turn, id LIMIT 1",
               now);
    if (TRY(next.Next())) return next.Integer();
  }
  Query last(connection,
             "SELECT coalesce(max(turn), 0) FROM messages WHERE turn < " SPILLWAY_NO_TURN_YET);
  TRY(last.Next());
  return last.Integer();
}

/// The turn of a message that joins its group's now.
#define SPILLWAY_NEXT_TURN(group, first_turn)                                                     \
  "max(1 + coalesce((SELECT max(turn) FROM messages AS others WHERE "                             \
  "others.message_group = " group " AND others.turn < " SPILLWAY_NO_TURN_YET "), 0), " first_turn \
  ")"

/// Gives those messages their turns whose time has come.
Result<> GiveDueTurns(Connection& connection, Timestamp now) {
  std::vector<int64_t> due;
  {
    Query rows(connection,
               "SELECT id FROM messages WHERE turn = " SPILLWAY_NO_TURN_YET
               " AND visible_at <= ? ORDER BY visible_at, id",
               now);
    while (TRY(rows.Next())) due.push_back(rows.Integer());
  }
  if (due.empty()) return {};
  const int64_t first_turn = TRY(FirstTurn(connection, now));
  for (const int64_t id : due) {
    TRY(Query(connection,
              "UPDATE messages SET turn = " SPILLWAY_NEXT_TURN("messages.message_group",
                                                               "?1") " WHERE id = ?2",
              first_turn, id)
            .Run());
  }
  return {};
}

}  // namespace

Result<> SqliteQueue::Send(std::span<const Message> messages) {
  TRY(sql::CheckMessages(messages));
  if (messages.empty()) return {};
  return database_.Write(Durability::kProcess, [&](Connection& connection) -> Result<> {
    const Timestamp now = clock_.Now();
    const int64_t first_turn = TRY(FirstTurn(connection, now));
    for (const Message& message : messages) {
      TRY(Query(connection,
                "INSERT INTO messages (message_group, body, visible_at, turn) VALUES "
                "(?1, ?2, ?3, CASE WHEN ?3 > ?5 THEN " SPILLWAY_NO_TURN_YET
                " ELSE " SPILLWAY_NEXT_TURN("?1", "?4") " END)",
                message.group, message.body, now + message.delay, first_turn, now)
              .Run());
    }
    return {};
  });
}

Result<std::vector<Delivery>> SqliteQueue::Receive(size_t limit,
                                                   std::chrono::milliseconds visibility) {
  // An idle worker polls: it looks before it takes the lock.
  const bool waiting = TRY(database_.Read([&](Connection& connection) -> Result<bool> {
    return Query(connection,
                 "SELECT 1 FROM messages WHERE turn > 0 AND visible_at <= ? ORDER BY turn LIMIT 1",
                 clock_.Now())
        .Next();
  }));
  if (!waiting) return std::vector<Delivery>();
  return database_.Write(
      Durability::kProcess, [&](Connection& connection) -> Result<std::vector<Delivery>> {
        const Timestamp now = clock_.Now();
        TRY(GiveDueTurns(connection, now));
        std::vector<sql::Taken> taken;
        Query rows(
            connection,
            "UPDATE messages SET visible_at = ?1, receive_count = receive_count + 1 WHERE id IN "
            "(SELECT id FROM messages WHERE turn > 0 AND visible_at <= ?2 "
            "ORDER BY turn, id LIMIT ?3) RETURNING turn, id, receive_count, body",
            now + visibility, now, static_cast<int64_t>(limit));
        while (TRY(rows.Next())) {
          sql::Taken& one = taken.emplace_back();
          one.turn = rows.Integer();
          one.receipt.id = rows.Integer();
          one.receipt.receive_count = rows.Integer();
          one.body = rows.Text();
        }
        return sql::InOrder(std::move(taken));
      });
}

Result<> SqliteQueue::Extend(std::span<const std::string> handles,
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

Result<> SqliteQueue::GiveBack(std::span<const std::string> handles,
                               std::chrono::milliseconds delay) {
  const std::vector<Receipt> receipts = sql::ReadHandles(handles);
  if (receipts.empty()) return {};
  return database_.Write(Durability::kProcess, [&](Connection& connection) -> Result<> {
    const Timestamp now = clock_.Now();
    const int64_t first_turn = TRY(FirstTurn(connection, now));
    for (const Receipt& receipt : receipts) {
      TRY(Query(connection,
                "UPDATE messages SET visible_at = ?1, turn = CASE WHEN ?1 > ?5 "
                "THEN " SPILLWAY_NO_TURN_YET " ELSE " SPILLWAY_NEXT_TURN(
                    "messages.message_group", "?2") " END WHERE id = ?3 AND receive_count = ?4",
                now + delay, first_turn, receipt.id, receipt.receive_count, now)
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
