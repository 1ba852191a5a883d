#pragma once

#include <stop_token>
#include <string>

#include "postgres/connection.h"

namespace spillway::postgres {

/// A statement sees what others committed while it waited for its locks.
inline constexpr char kReadCommitted[] = "ISOLATION LEVEL READ COMMITTED";

/// A transaction of a connection, which must outlive it. Rolls back unless committed.
class Transaction {
 public:
  /// `modes` as after BEGIN: "ISOLATION LEVEL REPEATABLE READ READ ONLY". `settings` are
  /// statements that go with it in one message: "SET LOCAL lock_timeout = 1000".
  static Result<Transaction> Begin(Connection& connection,
                                   const std::string& modes = kReadCommitted,
                                   const std::string& settings = "", std::stop_token stop = {});

  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  /// kUnavailable when the connection went before the answer: then it may be committed or not.
  Result<> Commit();

 private:
  explicit Transaction(Connection& connection) : connection_(&connection) {}

  Connection* connection_;  // null once it has ended
};

}  // namespace spillway::postgres
