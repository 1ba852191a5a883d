#include "postgres/connection.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "postgres/failure.h"

namespace spillway::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// How long a cancelled or rolled back statement may take to end before its connection is closed.
constexpr milliseconds kEndPatience{2'000};

struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};

milliseconds Until(steady_clock::time_point deadline) {
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(deadline - steady_clock::now()));
}

std::string FirstLine(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

bool IsSqlstate(std::string_view text) {
  return text.size() == 5 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
         });
}

/// What follows the severity of a verbose message, "…: FATAL:  28P01: password …": the line from
/// its SQLSTATE on. Empty when the message is not a server's.
std::string_view ServerLine(std::string_view text) {
  static constexpr std::string_view kSeverityEnd = ":  ";
  for (size_t at = text.rfind(kSeverityEnd); at != std::string_view::npos && at > 0;
       at = text.rfind(kSeverityEnd, at - 1)) {
    const std::string_view line = text.substr(at + kSeverityEnd.size());
    if (IsSqlstate(line.substr(0, 5)) && line.substr(5).starts_with(": "))
      return line.substr(0, line.find('\n'));
  }
  return {};
}

bool IsError(const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE;
}

bool IsCopy(const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status == PGRES_COPY_OUT || status == PGRES_COPY_IN || status == PGRES_COPY_BOTH;
}

/// Discards incoming COPY data. False while more may come.
bool DropCopyData(PGconn* handle) {
  char* row = nullptr;
  int size = 0;
  while ((size = PQgetCopyData(handle, &row, 1)) > 0) PQfreemem(row);
  return size != 0;
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::Open(const std::string& address,
                                                     const ConnectOptions& options,
                                                     std::stop_token stop) {
  const Address parsed = TRY(ParseAddress(address));
  const auto hosts = static_cast<int64_t>(std::max<size_t>(parsed.hosts.size(), 1));
  const milliseconds patience = parsed.connect_timeout.count() > 0
                                    ? milliseconds(parsed.connect_timeout)
                                    : options.connect_timeout / hosts;
  // libpq would wait for a silent host without end, so we connect again without that host.
  std::vector<Address::Host> left = parsed.hosts;
  while (true) {
    auto connection = TRY(Start(address, left, options.application_name));
    if (TRY(connection->Connect(patience, stop))) {
      if (options.answer_timeout.count() > 0) connection->answer_timeout_ = options.answer_timeout;
      return connection;
    }
    const std::string name = PQhost(connection->handle_.get());
    const std::string port = PQport(connection->handle_.get());
    const auto silent = std::ranges::find_if(left, [&](const Address::Host& host) {
      return (host.name.empty() ? host.ip : host.name) == name &&
             (host.port.empty() || host.port == port);
    });
    if (silent == left.end() || left.size() == 1) {
      return FailTransient(ErrorCode::kUnavailable,
                           fmt::format("PostgreSQL at {}:{} did not answer within {} s", name, port,
                                       std::chrono::duration<double>(patience).count()));
    }
    left.erase(silent);
  }
}

Result<std::unique_ptr<Connection>> Connection::Start(const std::string& address,
                                                      std::span<const Address::Host> hosts,
                                                      const std::string& application_name) {
  const auto list = [&](std::string Address::Host::* member) {
    std::string text;
    for (const Address::Host& host : hosts) text += "," + host.*member;
    return text.find_first_not_of(',') == std::string::npos ? std::string() : text.substr(1);
  };
  const std::string names = list(&Address::Host::name);
  const std::string ips = list(&Address::Host::ip);
  const std::string ports = list(&Address::Host::port);
  // Later entries win unless they are empty, so the address overrides the entries before it.
  static constexpr std::array<const char*, 11> kKeywords = {"keepalives_idle",
                                                            "keepalives_interval",
                                                            "keepalives_count",
                                                            "tcp_user_timeout",
                                                            "client_encoding",
                                                            "fallback_application_name",
                                                            "dbname",
                                                            "host",
                                                            "hostaddr",
                                                            "port",
                                                            nullptr};
  const std::array<const char*, 11> values = {"10",
                                              "10",
                                              "3",
                                              "40000",
                                              "UTF8",
                                              application_name.c_str(),
                                              address.c_str(),
                                              names.c_str(),
                                              ips.c_str(),
                                              ports.c_str(),
                                              nullptr};
  PGconn* handle = PQconnectStartParams(kKeywords.data(), values.data(), 1);
  if (handle == nullptr) throw std::bad_alloc();
  std::unique_ptr<Connection> connection(
      new Connection(handle, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
  if (connection->wake_ < 0) return std::unexpected(FromErrno(errno, "eventfd"));
  return connection;
}

Connection::~Connection() {
  if (wake_ >= 0) close(wake_);
}

Result<bool> Connection::Connect(milliseconds patience, const std::stop_token& stop) {
  PQsetErrorVerbosity(handle_.get(), PQERRORS_VERBOSE);  // the only way to get the SQLSTATE here
  PQsetNoticeReceiver(
      handle_.get(),
      [](void* connection, const PGresult* said) {
        std::vector<Notice>* notices = static_cast<Connection*>(connection)->notices_;
        if (notices == nullptr) return;
        const auto field = [&](int code) -> std::string {
          const char* text = PQresultErrorField(said, code);
          return text == nullptr ? "" : text;
        };
        notices->push_back(
            {.message = field(PG_DIAG_MESSAGE_PRIMARY), .detail = field(PG_DIAG_MESSAGE_DETAIL)});
      },
      this);
  if (PQstatus(handle_.get()) == CONNECTION_BAD) return std::unexpected(ConnectFailure());
  std::string asked;
  steady_clock::time_point deadline;
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK) {
    std::string host = HostAndPort();
    if (host != asked) {
      asked = std::move(host);
      deadline = steady_clock::now() + patience;
    }
    const Woken woken =
        Wait(status == PGRES_POLLING_READING ? POLLIN : POLLOUT, Until(deadline), stop);
    if (woken == Woken::kStopped) return std::unexpected(Stopped());
    if (woken == Woken::kTimedOut) return false;
    status = PQconnectPoll(handle_.get());
    if (status == PGRES_POLLING_FAILED) return std::unexpected(ConnectFailure());
  }
  server_ = fmt::format("PostgreSQL at {}/{}", HostAndPort(), PQdb(handle_.get()));
  PQsetErrorVerbosity(handle_.get(), PQERRORS_DEFAULT);
  PQsetnonblocking(handle_.get(), 1);
  return true;
}

std::string Connection::HostAndPort() const {
  return fmt::format("{}:{}", PQhost(handle_.get()), PQport(handle_.get()));
}

Error Connection::ConnectFailure() const {
  const std::string_view text = PQerrorMessage(handle_.get());
  const std::string server = "PostgreSQL at " + HostAndPort();
  if (const std::string_view line = ServerLine(text); !line.empty()) {
    return ClassifyRefusal({.sqlstate = line.substr(0, 5),
                            .message = line.substr(7),
                            .server = server,
                            .user = user(),
                            .sql = {},
                            .function = {}});
  }
  if (PQconnectionNeedsPassword(handle_.get()) != 0) {
    return Error{.code = ErrorCode::kPermissionDenied,
                 .message = fmt::format("{}: asks for the password of role {}: write it in the "
                                        "configuration, or set PGPASSWORD or PGPASSFILE",
                                        server, user())};
  }
  // libpq found a wrong value in the address. It checks some of them only once it has a socket.
  const size_t wrong = text.starts_with("invalid ") ? 0 : text.find("invalid integer value ");
  if (wrong != std::string_view::npos) {
    return Error{.code = ErrorCode::kInvalidArgument,
                 .message = "the PostgreSQL address has an " + FirstLine(text.substr(wrong))};
  }
  return Error{.code = ErrorCode::kUnavailable, .message = FirstLine(text), .retryable = true};
}

Connection::Woken Connection::Wait(short events, milliseconds timeout,
                                   const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] { eventfd_write(wake_, 1); });
  if (PQsocket(handle_.get()) < 0) return Woken::kReady;  // libpq will say why
  const bool endless = timeout.count() < 0;
  const steady_clock::time_point deadline = steady_clock::now() + timeout;
  while (!stop.stop_requested()) {
    std::array<pollfd, 2> wanted = {pollfd{PQsocket(handle_.get()), events, 0},
                                    pollfd{wake_, POLLIN, 0}};
    const milliseconds left = endless ? timeout : Until(deadline);
    const int ready = poll(wanted.data(), wanted.size(), static_cast<int>(left.count()));
    if (ready == 0) return Woken::kTimedOut;
    if (wanted[0].revents != 0) return Woken::kReady;
    eventfd_t drained = 0;
    if (ready > 0) eventfd_read(wake_, &drained);  // of an earlier stop, perhaps
  }
  return Woken::kStopped;
}

Result<> Connection::AwaitReadiness(short events, const std::stop_token& stop) {
  const Woken woken = Wait(events, answer_timeout_, stop);
  if (woken == Woken::kStopped) return std::unexpected(Stopped());
  if (woken == Woken::kTimedOut) {
    return std::unexpected(Lost(fmt::format(
        "no answer within {} s", std::chrono::duration<double>(answer_timeout_).count())));
  }
  if (PQconsumeInput(handle_.get()) == 0) return std::unexpected(Lost());
  return {};
}

Result<> Connection::AwaitInput(const std::stop_token& stop) {
  while (true) {
    const int unsent = PQflush(handle_.get());
    if (unsent < 0) return std::unexpected(Lost());
    TRY(AwaitReadiness(unsent > 0 ? POLLIN | POLLOUT : POLLIN, stop));
    if (unsent == 0) return {};
  }
}

Result<> Connection::Flush(const std::stop_token& stop) {
  while (true) {
    const int unsent = PQflush(handle_.get());
    if (unsent < 0) return std::unexpected(Lost());
    if (unsent == 0) return {};
    TRY(AwaitReadiness(POLLIN | POLLOUT, stop));
  }
}

Result<std::optional<Rows>> Connection::Finished(const std::string& sql,
                                                 const std::stop_token& stop) {
  std::optional<Rows> last;
  std::optional<Error> failure;
  while (true) {
    while (PQisBusy(handle_.get()) != 0) {
      if (Result<> input = AwaitInput(stop); !input.has_value()) {
        if (stop.stop_requested()) Abandon();
        return std::unexpected(failure ? std::move(*failure) : std::move(input).error());
      }
    }
    std::unique_ptr<PGresult, Clear> result(PQgetResult(handle_.get()));
    if (result == nullptr) break;
    if (IsError(result.get())) {
      if (!failure) failure = Refused(result.get(), sql);
    } else if (IsCopy(result.get())) {
      Abandon();
      return Fail(ErrorCode::kInternal, server_ + ": COPY needs CopyOut or CopyIn");
    } else {
      last.emplace(result.release());
    }
    if (PQstatus(handle_.get()) == CONNECTION_BAD) break;
  }
  if (failure) return std::unexpected(std::move(*failure));
  sqlstate_.clear();
  return last;
}

Result<> Connection::Sent(int sent, const std::string& sql) {
  if (sent == 1) return {};
  if (PQstatus(handle_.get()) == CONNECTION_BAD) return std::unexpected(Lost());
  return Fail(ErrorCode::kInternal, fmt::format("{}: {} ({:.40})", server_,
                                                FirstLine(PQerrorMessage(handle_.get())), sql));
}

Result<Rows> Connection::Execute(const std::string& sql, std::span<const Parameter> parameters,
                                 std::stop_token stop, Format format) {
  std::vector<Oid> types;
  std::vector<const char*> values;
  std::vector<int> lengths;
  std::vector<int> formats;
  for (const Parameter& parameter : parameters) {
    if (parameter.HasNul()) {
      return Fail(ErrorCode::kInvalidArgument,
                  server_ + ": a text holds a NUL character, which PostgreSQL does not take");
    }
    types.push_back(parameter.type());
    values.push_back(parameter.data());
    lengths.push_back(parameter.size());
    formats.push_back(parameter.binary() ? 1 : 0);
  }
  TRY(Sent(PQsendQueryParams(handle_.get(), sql.c_str(), static_cast<int>(values.size()),
                             types.data(), values.data(), lengths.data(), formats.data(),
                             format == Format::kBinary ? 1 : 0),
           sql));
  std::optional<Rows> rows = TRY(Finished(sql, stop));
  if (!rows) return std::unexpected(Lost());
  return std::move(*rows);
}

Result<> Connection::ExecuteScript(const std::string& sql, std::stop_token stop) {
  TRY(Sent(PQsendQuery(handle_.get(), sql.c_str()), sql));
  TRY(Finished(sql, stop));
  return {};
}

Result<std::vector<Notice>> Connection::Read(const std::string& sql, std::stop_token stop) {
  std::vector<Notice> notices;
  notices_ = &notices;
  const auto prepare = [&]() -> Result<> {
    TRY(Sent(PQsendPrepare(handle_.get(), "", sql.c_str(), 0, nullptr), sql));
    TRY(Finished(sql, stop));
    return {};
  };
  Result<> prepared = prepare();
  notices_ = nullptr;
  if (!prepared.has_value()) return std::unexpected(std::move(prepared).error());
  return notices;
}

bool Connection::Cancel(steady_clock::time_point deadline) {
  const std::shared_ptr<PGcancel> cancel(PQgetCancel(handle_.get()), PQfreeCancel);
  if (cancel == nullptr) return false;
  std::promise<void> sent;
  const std::future<void> done = sent.get_future();
  std::thread sender([cancel, sent = std::move(sent)]() mutable {
    std::array<char, 256> ignored;
    PQcancel(cancel.get(), ignored.data(), ignored.size());
    sent.set_value();
  });
  if (done.wait_until(deadline) == std::future_status::ready) {
    sender.join();
    return true;
  }
  sender.detach();  // nothing ends its wait for a server that is silent; it has all it needs
  return false;
}

void Connection::Abandon() {
  const steady_clock::time_point deadline = steady_clock::now() + kEndPatience;
  if (!Cancel(deadline)) handle_.reset();  // a late cancellation could hit the next statement
  while (PQstatus(handle_.get()) == CONNECTION_OK) {
    if (PQisBusy(handle_.get()) == 0) {
      const std::unique_ptr<PGresult, Clear> result(PQgetResult(handle_.get()));
      if (result == nullptr) return;
      if (PQresultStatus(result.get()) == PGRES_COPY_IN) {
        PQputCopyEnd(handle_.get(), "cancelled");
      }
      if (PQresultStatus(result.get()) != PGRES_COPY_OUT || DropCopyData(handle_.get())) continue;
    }
    PQflush(handle_.get());
    if (Wait(POLLIN, Until(deadline), {}) != Woken::kReady) break;
    if (PQconsumeInput(handle_.get()) == 0) break;
  }
  handle_.reset();  // it may still be sending, so nothing more can be sent over it
}

void Connection::Rollback() {
  const milliseconds usual = std::exchange(answer_timeout_, kEndPatience);
  // A failure leaves the connection in its transaction, and so not usable().
  static_cast<void>(Execute("ROLLBACK").has_value());
  answer_timeout_ = usual;
}

Result<std::optional<Notification>> Connection::WaitForNotification(milliseconds timeout,
                                                                    std::stop_token stop) {
  struct FreeNotify {
    void operator()(PGnotify* notify) const { PQfreemem(notify); }
  };
  const steady_clock::time_point deadline = steady_clock::now() + timeout;
  while (true) {
    const std::unique_ptr<PGnotify, FreeNotify> notify(PQnotifies(handle_.get()));
    if (notify != nullptr) return Notification{notify->relname, notify->extra};
    if (Wait(POLLIN, Until(deadline), stop) != Woken::kReady) return std::nullopt;
    if (PQconsumeInput(handle_.get()) == 0) return std::unexpected(Lost());
  }
}

bool Connection::usable() const {
  return PQstatus(handle_.get()) == CONNECTION_OK &&
         PQtransactionStatus(handle_.get()) == PQTRANS_IDLE;
}

bool Connection::InTransaction() const {
  const PGTransactionStatusType status = PQtransactionStatus(handle_.get());
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

Result<bool> Connection::IsDirect(std::stop_token stop) {
  // A pooler makes up the process id that it sends at the start.
  const Rows rows = TRY(Execute("SELECT pg_backend_pid()", {}, std::move(stop)));
  return rows.Integer(0, 0) == PQbackendPID(handle_.get());
}

std::string Connection::user() const {
  const char* name = PQuser(handle_.get());
  return name == nullptr ? std::string() : name;
}

Result<std::string> Connection::QuoteIdentifier(std::string_view name) const {
  char* quoted = PQescapeIdentifier(handle_.get(), name.data(), name.size());
  if (quoted == nullptr) return Fail(ErrorCode::kInvalidArgument, "a name that is not UTF-8");
  std::string copy(quoted);
  PQfreemem(quoted);
  return copy;
}

Result<std::string> Connection::QuoteLiteral(std::string_view text) const {
  char* quoted = PQescapeLiteral(handle_.get(), text.data(), text.size());
  if (quoted == nullptr) return Fail(ErrorCode::kInvalidArgument, "a text that is not UTF-8");
  std::string copy(quoted);
  PQfreemem(quoted);
  return copy;
}

Error Connection::Refused(const PGresult* result, const std::string& sql) {
  const char* sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  const char* function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
  if (sqlstate == nullptr) return Lost(FirstLine(PQresultErrorMessage(result)));
  sqlstate_ = sqlstate;
  return ClassifyRefusal({.sqlstate = sqlstate_,
                          .message = message == nullptr ? "" : message,
                          .server = server_,
                          .user = user(),
                          .sql = sql,
                          .function = function == nullptr ? "" : function});
}

Error Connection::Lost(std::string_view what) {
  sqlstate_.clear();
  const std::string reason = !what.empty()        ? std::string(what)
                             : handle_ == nullptr ? "the connection was given up"
                                                  : FirstLine(PQerrorMessage(handle_.get()));
  handle_.reset();
  return Error{.code = ErrorCode::kUnavailable,
               .message = fmt::format("{}: connection lost: {}", server_, reason),
               .retryable = true};
}

Error Connection::Stopped() const {
  return Error{.code = ErrorCode::kCancelled, .message = server_ + ": stopped on request"};
}

}  // namespace spillway::postgres
