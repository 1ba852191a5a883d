#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/scratch_directory.h"

namespace spillway::postgres {

/// A PostgreSQL server for tests: the newest that Debian has, on a free port of loopback and a Unix
/// socket, over a scratch directory. As root it runs as the user postgres. It ends with the object,
/// and with the thread that started it.
class TestServer {
 public:
  struct Options {
    /// Only for tests of a crash of the machine: a killed server loses nothing without it.
    bool fsync = false;
    std::string encoding = "UTF8";
    /// Of pg_hba.conf: "trust" or "scram-sha-256". The superuser's password is kPassword.
    std::string authentication = "trust";
    /// Lines of postgresql.conf: "max_connections = 20".
    std::vector<std::string> settings = {};
  };
  static constexpr char kUser[] = "postgres";
  static constexpr char kPassword[] = "a secret/of:the@server";

  TestServer() : TestServer(Options{}) {}
  explicit TestServer(const Options& options);
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  /// postgres://user@127.0.0.1:port/database
  std::string Url(const std::string& database = "postgres", const std::string& user = kUser) const;
  /// The same over the Unix socket, as "host=… port=… user=… dbname=…".
  std::string SocketAddress(const std::string& database = "postgres") const;
  int port() const { return port_; }

  /// Makes an empty database and returns its name.
  std::string NewDatabase();

  /// Starts a server that was stopped or killed, and waits until it answers.
  void Start();
  /// Ends all sessions in mid-statement, as `pg_ctl stop -m immediate`.
  void Stop();
  void Restart() {
    Stop();
    Start();
  }
  /// SIGKILL, to the server and its sessions.
  void Kill();

 private:
  void Signal(int signal);

  ScratchDirectory folder_;
  int port_ = 0;
  int databases_ = 0;
  pid_t child_ = -1;
};

/// PgBouncer in transaction mode before a TestServer, which outlives it.
class TestPooler {
 public:
  explicit TestPooler(const TestServer& server);
  ~TestPooler();
  TestPooler(const TestPooler&) = delete;
  TestPooler& operator=(const TestPooler&) = delete;

  std::string Url(const std::string& database = "postgres") const;

 private:
  ScratchDirectory folder_;
  int port_ = 0;
  pid_t child_ = -1;
};

}  // namespace spillway::postgres
