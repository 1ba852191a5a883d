#pragma once

#include <memory>
#include <string>
#include <vector>

#include "postgres/connection.h"
#include "postgres/test_server.h"
#include "queue/postgres/postgres_queue.h"
#include "store/postgres/database.h"
#include "store/postgres/postgres_store.h"

namespace spillway::store::postgres_state {

/// The one server of a test program.
inline postgres::TestServer& Server() {
  static postgres::TestServer server;
  return server;
}

/// A database without a schema, for one test. It is used again: making one takes longer than most
/// tests.
class TemporaryState {
 public:
  TemporaryState() : name_(Free().empty() ? Server().NewDatabase() : Free().back()) {
    if (!Free().empty()) Free().pop_back();
  }
  TemporaryState(const TemporaryState&) = delete;
  TemporaryState& operator=(const TemporaryState&) = delete;
  ~TemporaryState() {
    const auto connection = postgres::Connection::Open(Server().SocketAddress(name_));
    if (connection.has_value() &&
        (*connection)->ExecuteScript("DROP SCHEMA IF EXISTS spillway CASCADE").has_value())
      Free().push_back(name_);
  }

  const std::string& name() const { return name_; }
  std::string address() const { return Server().Url(name_); }

 private:
  static std::vector<std::string>& Free() {
    static std::vector<std::string> names;
    return names;
  }

  const std::string name_;
};

/// A state as a process has it open.
struct OpenState {
  OpenState(const std::string& address, Clock& clock)
      : database(Database::Open(address).value()),
        store(*database, clock),
        queue(*database, clock) {}

  std::unique_ptr<Database> database;
  PostgresStore store;
  PostgresQueue queue;
};

}  // namespace spillway::store::postgres_state
