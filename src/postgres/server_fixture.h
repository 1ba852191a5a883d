#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "postgres/connection.h"
#include "postgres/test_server.h"

namespace spillway::postgres {

/// The value of a Result in a test that is about something else.
template <class T>
T Must(Result<T> result) {
  if (!result.has_value()) throw std::runtime_error(result.error().message);
  return std::move(result).value();
}
inline void Must(Result<> result) {
  if (!result.has_value()) throw std::runtime_error(result.error().message);
}

/// Tests that share one server; each has a database of its own.
class ServerTest : public testing::Test {
 protected:
  static TestServer& Server() {
    static TestServer server;
    return server;
  }

  std::string Url(const std::string& user = TestServer::kUser) const {
    return Server().Url(database_, user);
  }
  std::unique_ptr<Connection> Open(const std::string& user = TestServer::kUser) const {
    return Must(Connection::Open(Url(user)));
  }

 private:
  const std::string database_ = Server().NewDatabase();
};

}  // namespace spillway::postgres
