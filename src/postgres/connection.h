#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include <libpq-fe.h>

#include "base/error.h"
#include "postgres/address.h"
#include "postgres/parameter.h"
#include "postgres/rows.h"

namespace spillway::postgres {

struct ConnectOptions {
  /// The name in pg_stat_activity, unless the address gives another.
  std::string application_name = "spillway";
  /// For all hosts, in equal shares, unless the address has a connect_timeout, which is for each.
  std::chrono::milliseconds connect_timeout{10'000};
  /// How long a server may be silent within a statement before the connection counts as lost. Zero:
  /// no limit while TCP's keepalives are answered (40 s after the last answer otherwise).
  std::chrono::milliseconds answer_timeout{0};
};

/// The form of the values that a statement returns.
enum class Format { kText, kBinary };

/// A message beside the answers: a NOTICE, or a LOG where client_min_messages asks for it.
struct Notice {
  std::string message;
  std::string detail;
};

struct Notification {
  std::string channel;
  std::string payload;
};

/// One session with a PostgreSQL server, over libpq. Used by one thread at a time. Statements are
/// unnamed and keep nothing in the session, so it may go through PgBouncer in transaction mode.
///
/// A stop ends whatever is under way within a tenth of a second: the statement is cancelled at the
/// server, the call returns kCancelled, and the session can go on. When the server does not take
/// the cancellation within two seconds, the connection is closed and the session is no longer
/// usable(). Errors: see failure.cc; kUnavailable (retryable) when the server cannot be reached or
/// goes away, after which usable() is false. No error contains a password.
class Connection {
 public:
  /// `address` is what libpq takes: "postgres://user@host:5432/database?sslmode=require" or
  /// "host=… dbname=…"; what it leaves open comes from the environment, PGPASSFILE and service
  /// files.
  static Result<std::unique_ptr<Connection>> Open(const std::string& address,
                                                  const ConnectOptions& options = {},
                                                  std::stop_token stop = {});
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Runs one statement.
  Result<Rows> Execute(const std::string& sql, std::span<const Parameter> parameters,
                       std::stop_token stop = {}, Format format = Format::kText);
  Result<Rows> Execute(const std::string& sql, std::initializer_list<Parameter> parameters = {},
                       std::stop_token stop = {}, Format format = Format::kText) {
    return Execute(sql, std::span(parameters.begin(), parameters.size()), std::move(stop), format);
  }

  /// Runs statements, separated by semicolons, as one transaction unless they say otherwise.
  Result<> ExecuteScript(const std::string& sql, std::stop_token stop = {});

  /// Has the server parse a statement without running it, and returns the notices that it sent. The
  /// statement is the session's unnamed one, so nothing is kept.
  Result<std::vector<Notice>> Read(const std::string& sql, std::stop_token stop = {});

  /// Ends the transaction under way. A server that does not answer within two seconds counts as
  /// lost.
  void Rollback();

  /// Takes the bytes of one CopyData message: a row of CSV or text; in binary form a row too, the
  /// first with the header before it. Valid during the call.
  using CopySink = std::function<Result<>(std::span<const std::byte>)>;

  /// Runs `COPY … TO STDOUT`. Returns how many rows there were. An error of `sink` cancels the
  /// statement and is returned.
  Result<int64_t> CopyOut(const std::string& sql, const CopySink& sink, std::stop_token stop = {});

  /// Hands out the next bytes, cut anywhere; empty after the last. Valid until the next call.
  using CopySource = std::function<Result<std::span<const std::byte>>()>;

  /// Runs `COPY … FROM STDIN`. Returns how many rows were loaded. An error of `source` undoes all
  /// and is returned.
  Result<int64_t> CopyIn(const std::string& sql, const CopySource& source,
                         std::stop_token stop = {});

  /// The next notification of what was LISTENed to; none when `timeout` passes first, or on a stop.
  Result<std::optional<Notification>> WaitForNotification(std::chrono::milliseconds timeout,
                                                          std::stop_token stop = {});

  /// Whether a next statement may be tried: connected, and in no transaction.
  bool usable() const;
  bool InTransaction() const;
  /// False when a pooler is in between. It may give every transaction another session, so that
  /// LISTEN does not work.
  Result<bool> IsDirect(std::stop_token stop = {});

  /// "PostgreSQL at host:port/database".
  const std::string& server() const { return server_; }
  /// The role that the session runs as.
  std::string user() const;
  /// As a number: 150018 is 15.18.
  int server_version() const { return PQserverVersion(handle_.get()); }
  /// Of the last error; empty when the last statement succeeded or the connection was lost.
  const std::string& sqlstate() const { return sqlstate_; }

  /// `name` as an identifier, `text` as a literal of SQL.
  Result<std::string> QuoteIdentifier(std::string_view name) const;
  Result<std::string> QuoteLiteral(std::string_view text) const;

 private:
  enum class Woken { kReady, kStopped, kTimedOut };

  struct Finish {
    void operator()(PGconn* handle) const { PQfinish(handle); }
  };

  Connection(PGconn* handle, int wake) : handle_(handle), wake_(wake) {}

  /// Begins to connect to these hosts, or to those of the address when there are none.
  static Result<std::unique_ptr<Connection>> Start(const std::string& address,
                                                   std::span<const Address::Host> hosts,
                                                   const std::string& application_name);
  /// False when the current host did not answer for `patience`.
  Result<bool> Connect(std::chrono::milliseconds patience, const std::stop_token& stop);
  std::string HostAndPort() const;
  Error ConnectFailure() const;

  /// Waits for the socket. A negative `timeout` means for ever.
  Woken Wait(short events, std::chrono::milliseconds timeout, const std::stop_token& stop);

  Result<> AwaitReadiness(short events, const std::stop_token& stop);
  /// Sends what libpq has buffered and waits until there is input from the server.
  Result<> AwaitInput(const std::stop_token& stop);
  /// Waits until everything that libpq has buffered is sent.
  Result<> Flush(const std::stop_token& stop);
  Result<> BeginCopy(const std::string& sql, ExecStatusType wanted, const std::stop_token& stop);
  /// The results of the statement under way, to the last. The first error is returned.
  Result<std::optional<Rows>> Finished(const std::string& sql, const std::stop_token& stop);
  /// Asks the server to end the statement under way; false when the server has not taken the
  /// request by the deadline. Runs on a thread of its own, as libpq could wait without end.
  bool Cancel(std::chrono::steady_clock::time_point deadline);
  /// After a stop or a caller's error: cancels at the server and reads what still comes.
  void Abandon();
  Result<> OrAbandon(Result<> step);

  Result<> Sent(int sent, const std::string& sql);
  Error Refused(const PGresult* result, const std::string& sql);
  Error Lost(std::string_view what = "");
  Error Stopped() const;

  std::unique_ptr<PGconn, Finish> handle_;
  const int wake_;  // an eventfd: a stop ends the wait for the socket
  std::string server_ = "PostgreSQL";
  std::string sqlstate_;
  std::vector<Notice>* notices_ = nullptr;  ///< Receives notices; null: they are dropped.
  std::chrono::milliseconds answer_timeout_{-1};
};

}  // namespace spillway::postgres
