#include "queue/postgres/postgres_queue.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "queue/receipt.h"

namespace spillway::store::postgres_state {
namespace {

using postgres::Connection;
using postgres::Parameter;
using sql::Receipt;

constexpr char kChannel[] = "spillway_messages";

/// Hints need not survive a crash of the server.
#define SPILLWAY_NO_SYNC "WITH no_sync AS (SELECT set_config('synchronous_commit', 'off', true)) "

/// The turn of a message whose delay has not passed: it has none yet.
#define SPILLWAY_NO_TURN_YET "9223372036854775807"

/// Gives messages that join at the time $1 (rows of `joining`, in the order of their `n`) their
/// turns. Senders that race may give two messages of a group the same one.
#define SPILLWAY_TURNS                                                                    \
  ", first AS (SELECT coalesce((SELECT turn FROM spillway.messages WHERE visible_at <= "  \
  "$1::bigint AND turn < " SPILLWAY_NO_TURN_YET                                           \
  " ORDER BY turn, id LIMIT 1), "                                                         \
  "(SELECT max(turn) FROM spillway.messages WHERE turn < " SPILLWAY_NO_TURN_YET           \
  "), 0) "                                                                                \
  "AS turn), "                                                                            \
  "joined AS (SELECT joining.*, greatest(first.turn, 1 + coalesce((SELECT max(turn) "     \
  "FROM spillway.messages others WHERE others.message_group = joining.message_group "     \
  "AND others.turn < " SPILLWAY_NO_TURN_YET                                               \
  "), 0)) "                                                                               \
  "- 1 + row_number() OVER (PARTITION BY joining.message_group ORDER BY n) AS next_turn " \
  "FROM joining, first)"

/// Notifies waiting receivers if messages can be received at the time $1.
#define SPILLWAY_NOTIFY(changed)                            \
  "SELECT pg_notify('spillway_messages', '') WHERE EXISTS " \
  "(SELECT FROM " changed " WHERE visible_at <= $1::bigint)"

/// Gives those messages their turns whose time has come, and takes the next of the others. A row
/// with the id 0 says that some were given turns.
constexpr char kReceive[] = SPILLWAY_NO_SYNC
    ", joining AS (SELECT id, message_group, row_number() OVER (ORDER BY visible_at, id) AS n FROM "
    "(SELECT id, message_group, visible_at FROM spillway.messages "
    "WHERE turn = " SPILLWAY_NO_TURN_YET
    " AND visible_at <= $1::bigint "
    "FOR UPDATE SKIP LOCKED) due)" SPILLWAY_TURNS
    ", due_turns AS (UPDATE spillway.messages m SET turn = j.next_turn FROM joined j "
    "WHERE m.id = j.id RETURNING m.id), "
    "next AS (SELECT id FROM spillway.messages, no_sync WHERE visible_at <= $1::bigint "
    "AND turn < " SPILLWAY_NO_TURN_YET
    " ORDER BY turn, id LIMIT $2::bigint "
    "FOR UPDATE OF messages SKIP LOCKED), "
    "received AS (UPDATE spillway.messages m SET visible_at = $3::bigint, "
    "receive_count = m.receive_count + 1 FROM next WHERE m.id = next.id "
    "RETURNING m.turn, m.id, m.receive_count, m.body) "
    "SELECT turn, id, receive_count, body FROM received UNION ALL "
    "SELECT 0::bigint, 0::bigint, 0, ''::bytea WHERE EXISTS (SELECT FROM due_turns)";

/// An array of bytea, written as text.
Parameter Bytes(std::span<const Message> messages, std::string Message::* field) {
  std::string array = "{";
  for (const Message& message : messages) {
    if (array.size() > 1) array += ',';
    array += "\"\\\\x";
    for (const char byte : message.*field)
      fmt::format_to(std::back_inserter(array), "{:02x}", static_cast<uint8_t>(byte));
    array += '"';
  }
  return array + "}";
}

/// The arrays `id` and `receive_count`.
std::vector<Parameter> Columns(const std::vector<Receipt>& receipts) {
  std::vector<int64_t> ids;
  std::vector<int64_t> counts;
  for (const Receipt& receipt : receipts) {
    ids.push_back(receipt.id);
    counts.push_back(receipt.receive_count);
  }
  return {std::span<const int64_t>(ids), std::span<const int64_t>(counts)};
}

}  // namespace

Result<> PostgresQueue::Send(std::span<const Message> messages) {
  TRY(sql::CheckMessages(messages));
  if (messages.empty()) return {};
  const Timestamp now = clock_.Now();
  std::vector<int64_t> visible_at;
  for (const Message& message : messages) visible_at.push_back(Micros(now + message.delay));
  TRY(database_.Run(
      SPILLWAY_NO_SYNC
      ", joining AS (SELECT * FROM unnest($2::bytea[], $3::bytea[], $4::bigint[]) "
      "WITH ORDINALITY AS m (message_group, body, visible_at, n))" SPILLWAY_TURNS
      ", sent AS (INSERT INTO spillway.messages (message_group, body, visible_at, turn) "
      "SELECT message_group, body, visible_at, CASE WHEN visible_at > $1::bigint "
      "THEN " SPILLWAY_NO_TURN_YET
      " ELSE next_turn END FROM joined, no_sync ORDER BY n "
      "RETURNING visible_at) " SPILLWAY_NOTIFY("sent"),
      std::vector<Parameter>{Micros(now), Bytes(messages, &Message::group),
                             Bytes(messages, &Message::body),
                             std::span<const int64_t>(visible_at)}));
  return {};
}

Result<std::vector<Delivery>> PostgresQueue::Receive(size_t limit,
                                                     std::chrono::milliseconds visibility) {
  {
    std::lock_guard lock(mutex_);
    received_at_ = notifications_;
  }
  // What was given its turn by this statement is seen by the next one.
  while (true) {
    const Timestamp now = clock_.Now();
    const postgres::Rows rows = TRY(database_.Run(
        kReceive, std::vector<Parameter>{Micros(now), limit, Micros(now + visibility)},
        postgres::Format::kBinary));
    std::vector<sql::Taken> taken;
    bool gave_turns = false;
    for (int row = 0; row < rows.size(); ++row) {
      if (rows.Integer(row, 1) == 0) {
        gave_turns = true;
        continue;
      }
      taken.push_back(
          {.turn = rows.Integer(row, 0),
           .receipt = {.id = rows.Integer(row, 1), .receive_count = rows.Integer(row, 2)},
           .body = std::string(rows.Text(row, 3))});
    }
    if (!taken.empty() || !gave_turns) return sql::InOrder(std::move(taken));
  }
}

Result<> PostgresQueue::Extend(std::span<const std::string> handles,
                               std::chrono::milliseconds visibility) {
  const std::vector<Receipt> receipts = sql::ReadHandles(handles);
  if (receipts.empty()) return {};
  std::vector<Parameter> parameters = Columns(receipts);
  parameters.emplace_back(Micros(clock_.Now() + visibility));
  TRY(database_.Run(SPILLWAY_NO_SYNC
                    "UPDATE spillway.messages m SET visible_at = $3::bigint FROM no_sync, "
                    "unnest($1::bigint[], $2::bigint[]) AS h (id, receive_count) "
                    "WHERE m.id = h.id AND m.receive_count = h.receive_count",
                    parameters));
  return {};
}

Result<> PostgresQueue::GiveBack(std::span<const std::string> handles,
                                 std::chrono::milliseconds delay) {
  const std::vector<Receipt> receipts = sql::ReadHandles(handles);
  if (receipts.empty()) return {};
  const Timestamp now = clock_.Now();
  std::vector<Parameter> parameters = {Micros(now), Micros(now + delay)};
  std::ranges::move(Columns(receipts), std::back_inserter(parameters));
  TRY(database_.Run(
      SPILLWAY_NO_SYNC
      ", joining AS (SELECT m.id, m.receive_count, m.message_group, h.n FROM spillway.messages m "
      "JOIN unnest($3::bigint[], $4::bigint[]) WITH ORDINALITY AS h (id, receive_count, n) "
      "ON m.id = h.id AND m.receive_count = h.receive_count)" SPILLWAY_TURNS
      ", returned AS (UPDATE spillway.messages m SET visible_at = $2::bigint, turn = "
      "CASE WHEN $2::bigint > $1::bigint THEN " SPILLWAY_NO_TURN_YET
      " ELSE j.next_turn END "
      "FROM joined j, no_sync WHERE m.id = j.id AND m.receive_count = j.receive_count "
      "RETURNING m.visible_at) " SPILLWAY_NOTIFY("returned"),
      parameters));
  return {};
}

Result<> PostgresQueue::Delete(std::span<const std::string> handles) {
  const std::vector<Receipt> receipts = sql::ReadHandles(handles);
  if (receipts.empty()) return {};
  TRY(database_.Run(SPILLWAY_NO_SYNC "DELETE FROM spillway.messages m USING no_sync, "
                                     "unnest($1::bigint[], $2::bigint[]) AS h (id, receive_count) "
                                     "WHERE m.id = h.id AND m.receive_count = h.receive_count",
                    Columns(receipts)));
  return {};
}

Result<int64_t> PostgresQueue::Depth() {
  return TRY(database_.Run("SELECT count(*) FROM spillway.messages", {})).Integer(0, 0);
}

void PostgresQueue::Wait(Clock& clock, std::chrono::milliseconds pause, std::stop_token stop) {
  std::unique_lock lock(mutex_);
  if (!listener_.joinable()) {
    listener_ = std::jthread([this](std::stop_token ended) { Listen(std::move(ended)); });
  }
  if (!listening_) {
    lock.unlock();
    clock.SleepFor(pause, std::move(stop));
    return;
  }
  const uint64_t seen = received_at_;
  sent_.wait_for(lock, stop, pause, [&] { return notifications_ != seen; });
}

void PostgresQueue::Listen(std::stop_token stop) {
  constexpr std::chrono::seconds kRetry{1};
  while (!stop.stop_requested()) {
    const Result<> ended = ListenOnce(stop);
    {
      std::lock_guard lock(mutex_);
      listening_ = false;
      ++notifications_;  // a waiting thread looks now, and sleeps from now on
    }
    sent_.notify_all();
    if (ended.has_value()) return;  // this server cannot notify us
    SystemClock().SleepFor(kRetry, stop);
  }
}

Result<> PostgresQueue::ListenOnce(const std::stop_token& stop) {
  constexpr std::chrono::minutes kUntilNextLook{1};
  const auto connection = TRY(Connection::Open(database_.address(), {}, stop));
  // A pooler between shows a process id of its own.
  if (!TRY(connection->IsDirect(stop))) return {};
  TRY(connection->Execute(std::string("LISTEN ") + kChannel, {}, stop));
  {
    std::lock_guard lock(mutex_);
    listening_ = true;
  }
  while (!stop.stop_requested()) {
    const auto heard = TRY(connection->WaitForNotification(kUntilNextLook, stop));
    if (!heard) {
      TRY(connection->Execute("SELECT 1", {}, stop));  // a server that is gone says nothing
      continue;
    }
    {
      std::lock_guard lock(mutex_);
      ++notifications_;
    }
    sent_.notify_all();
  }
  return {};
}

}  // namespace spillway::store::postgres_state
