#include "queue/postgres/postgres_queue.h"

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
#define SPILLWAY_UNHURRIED \
  "WITH unhurried AS (SELECT set_config('synchronous_commit', 'off', true)) "

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
      SPILLWAY_UNHURRIED
      ", sent AS (INSERT INTO spillway.messages (message_group, body, visible_at) "
      "SELECT message_group, body, visible_at FROM unhurried, "
      "unnest($1::bytea[], $2::bytea[], $3::bigint[]) WITH ORDINALITY "
      "AS m (message_group, body, visible_at, n) ORDER BY n RETURNING visible_at) "
      "SELECT pg_notify('spillway_messages', '') WHERE EXISTS "
      "(SELECT FROM sent WHERE visible_at <= $4::bigint)",
      std::vector<Parameter>{Bytes(messages, &Message::group), Bytes(messages, &Message::body),
                             std::span<const int64_t>(visible_at), Micros(now)}));
  return {};
}

Result<std::vector<Delivery>> PostgresQueue::Receive(size_t limit,
                                                     std::chrono::milliseconds visibility) {
  {
    std::lock_guard lock(mutex_);
    received_at_ = notifications_;
  }
  const Timestamp now = clock_.Now();
  const postgres::Rows rows = TRY(database_.Run(
      SPILLWAY_UNHURRIED
      ", next AS (SELECT id FROM spillway.messages, unhurried WHERE visible_at <= $1::bigint "
      "ORDER BY visible_at, id LIMIT $2::bigint FOR UPDATE OF messages SKIP LOCKED) "
      "UPDATE spillway.messages m SET visible_at = $3::bigint, receive_count = m.receive_count + 1 "
      "FROM next WHERE m.id = next.id RETURNING m.id, m.receive_count, m.body",
      std::vector<Parameter>{Micros(now), limit, Micros(now + visibility)},
      postgres::Format::kBinary));
  std::vector<sql::Taken> taken;
  for (int row = 0; row < rows.size(); ++row) {
    taken.push_back({.receipt = {.id = rows.Integer(row, 0), .receive_count = rows.Integer(row, 1)},
                     .body = std::string(rows.Text(row, 2))});
  }
  return sql::InOrder(std::move(taken));
}

Result<> PostgresQueue::SetVisibility(std::span<const std::string> handles,
                                      std::chrono::milliseconds visibility) {
  const std::vector<Receipt> receipts = sql::ReadHandles(handles);
  if (receipts.empty()) return {};
  std::vector<Parameter> parameters = Columns(receipts);
  parameters.emplace_back(Micros(clock_.Now() + visibility));
  TRY(database_.Run(SPILLWAY_UNHURRIED
                    "UPDATE spillway.messages m SET visible_at = $3::bigint FROM unhurried, "
                    "unnest($1::bigint[], $2::bigint[]) AS h (id, receive_count) "
                    "WHERE m.id = h.id AND m.receive_count = h.receive_count",
                    parameters));
  return {};
}

Result<> PostgresQueue::Delete(std::span<const std::string> handles) {
  const std::vector<Receipt> receipts = sql::ReadHandles(handles);
  if (receipts.empty()) return {};
  TRY(database_.Run(SPILLWAY_UNHURRIED
                    "DELETE FROM spillway.messages m USING unhurried, "
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
      ++notifications_;  // whoever waits looks, and sleeps from now on
    }
    sent_.notify_all();
    if (ended.has_value()) return;  // nobody can listen here
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
