#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "store/sqlite/connection.h"

namespace spillway::store {

using sql::Durability;

/// One SQLite file (WAL), shared by any number of threads and processes. Concurrent writes are
/// committed together: a thread that finds nobody committing runs all waiting writes in one
/// transaction, each in its own savepoint, so that they share one fsync. Once a newer program has
/// migrated the file, everything is kUnsupported; once it was removed or another one stands in its
/// place, kUnavailable. Thread-safe.
class Database {
 public:
  /// How long a call waits for other processes' transactions before it is kUnavailable.
  static constexpr std::chrono::milliseconds kBusyTimeout{10'000};

  /// Opens or creates the file and brings its schema up to date. ":memory:" lives as long as the
  /// object.
  static Result<std::unique_ptr<Database>> Open(
      const std::filesystem::path& path, std::chrono::milliseconds busy_timeout = kBusyTimeout);

  /// Runs `act` (Connection& → Result<T>) in a write transaction and returns what it returned, once
  /// that is committed; when it returns an error, its changes are undone. May run on another
  /// thread.
  template <class Act>
  auto Write(Durability durability, Act act) -> decltype(act(std::declval<Connection&>())) {
    std::optional<decltype(act(std::declval<Connection&>()))> answer;
    TRY(Commit(durability, [&](Connection& connection) -> Result<> {
      answer.emplace(act(connection));
      if (!*answer) return std::unexpected(answer->error());
      return {};
    }));
    return *std::move(answer);
  }

  /// Runs `act` (Connection& → Result<T>) on a connection that only reads, in one transaction: all
  /// that it reads is of one committed state.
  template <class Act>
  auto Read(Act act) -> decltype(act(std::declval<Connection&>())) {
    if (in_memory_) return Write(Durability::kProcess, std::move(act));
    std::unique_ptr<Connection> reader = TRY(TakeReader());
    auto answer = act(*reader);
    GiveReader(std::move(reader));
    return answer;
  }

 private:
  using Act = std::function<Result<>(Connection&)>;
  struct Waiting {
    Durability durability;
    const Act* act;
    Result<> answer;
    bool done = false;
    std::condition_variable turn;
  };

  Database(std::filesystem::path path, std::chrono::milliseconds busy_timeout,
           std::unique_ptr<Connection> writer)
      : path_(std::move(path)),
        busy_timeout_(busy_timeout),
        in_memory_(path_ == ":memory:"),
        file_(IdOf(path_).value_or(std::nullopt)),
        writer_(std::move(writer)) {}

  /// Of the file system, and of the file in it.
  using FileId = std::pair<uint64_t, uint64_t>;
  /// nullopt where there is no file.
  static Result<std::optional<FileId>> IdOf(const std::filesystem::path& path);
  Result<> CheckInPlace() const;

  Result<> Commit(Durability durability, const Act& act);
  void CommitTogether(std::span<Waiting* const> batch);
  Result<> RunBatch(std::span<Waiting* const> batch);
  Result<> RunInSavepoint(Waiting& waiting);
  Result<> SetSynchronous(Durability durability);
  /// A connection in a transaction that sees the file's state as of now.
  Result<std::unique_ptr<Connection>> TakeReader();
  void GiveReader(std::unique_ptr<Connection> reader);

  const std::filesystem::path path_;
  const std::chrono::milliseconds busy_timeout_;
  const bool in_memory_;
  const std::optional<FileId> file_;

  std::mutex mutex_;  ///< Guards the waiting writes, and the right to use the writer.
  std::deque<Waiting*> line_;
  bool committing_ = false;
  std::unique_ptr<Connection> writer_;
  std::optional<Durability> synchronous_;

  std::mutex readers_mutex_;
  std::vector<std::unique_ptr<Connection>> readers_;
};

}  // namespace spillway::store
