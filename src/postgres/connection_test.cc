#include "postgres/connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <netinet/in.h>

#include "postgres/server_fixture.h"
#include "postgres/transaction.h"

namespace spillway::postgres {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using ConnectionTest = ServerTest;

/// Requests a stop once the server works on a statement of `connection`.
class StopWhenBusy {
 public:
  explicit StopWhenBusy(std::unique_ptr<Connection> watcher, const std::string& of)
      : watcher_(std::move(watcher)), thread_([this, of] {
          while (Must(watcher_->Execute("SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND "
                                        "wait_event IS NOT NULL AND query LIKE $1 AND "
                                        "pid <> pg_backend_pid()",
                                        {of}))
                     .empty())
            std::this_thread::sleep_for(milliseconds(1));
          stop_.request_stop();
        }) {}

  std::stop_token token() { return stop_.get_token(); }

 private:
  std::unique_ptr<Connection> watcher_;
  std::stop_source stop_;
  std::jthread thread_;
};

TEST_F(ConnectionTest, ValuesGoThereAndComeBackInBothForms) {
  const auto connection = Open();
  const std::array<std::byte, 3> bytes = {std::byte{0}, std::byte{255}, std::byte{'\\'}};
  for (const Format format : {Format::kText, Format::kBinary}) {
    const Rows rows = Must(connection->Execute(
        "SELECT $1::bigint, $2::int, $3::smallint, $4::text, $5::boolean, $6::text, $7::bytea",
        {int64_t{-9'000'000'000}, -7, 12, "a\n'\"ö", true, std::optional<std::string>(),
         std::span<const std::byte>(bytes)},
        {}, format));
    ASSERT_EQ(rows.size(), 1);
    EXPECT_EQ(rows.columns(), 7);
    EXPECT_EQ(rows.Integer(0, 0), -9'000'000'000);
    EXPECT_EQ(rows.Integer(0, 1), -7);
    EXPECT_EQ(rows.IntegerOrNull(0, 2), 12);
    EXPECT_EQ(rows.Text(0, 3), "a\n'\"ö");
    EXPECT_TRUE(rows.Boolean(0, 4));
    EXPECT_EQ(rows.TextOrNull(0, 5), std::nullopt);
    EXPECT_EQ(rows.Text(0, 6), format == Format::kText ? "\\x00ff5c" : std::string("\0\xff\\", 3));
    EXPECT_EQ(rows.ColumnName(0), "int8");
    EXPECT_EQ(rows.ColumnType(0), 20U);
  }
}

TEST_F(ConnectionTest, ArraysAreQuoted) {
  const auto connection = Open();
  const std::vector<int64_t> numbers = {1, -2};
  const std::vector<std::string> texts = {"", "a,b", "\"\\{}", "NULL"};
  const Rows rows = Must(connection->Execute(
      "SELECT number, text FROM unnest($1::bigint[], $2::text[]) AS t(number, text)",
      {std::span<const int64_t>(numbers), std::span<const std::string>(texts)}));
  ASSERT_EQ(rows.size(), 4);
  EXPECT_EQ(rows.Integer(1, 0), -2);
  EXPECT_TRUE(rows.IsNull(2, 0));
  for (int row = 0; row < 4; ++row) EXPECT_EQ(rows.TextOrNull(row, 1), texts[row]);
}

TEST_F(ConnectionTest, ATextWithANulIsRefusedAndNotCut) {
  const auto connection = Open();
  const auto cut = connection->Execute("SELECT $1::text", {std::string("a\0b", 3)});
  ASSERT_FALSE(cut.has_value());
  EXPECT_EQ(cut.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(Must(connection->Execute("SELECT $1 IS NULL", {Parameter(std::nullopt).As(20)}))
                  .Boolean(0, 0));
}

TEST_F(ConnectionTest, ARefusalLeavesTheConnectionUsable) {
  const auto connection = Open();
  const auto refused = connection->Execute("SELECT * FROM missing");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(connection->sqlstate(), "42P01");
  EXPECT_THAT(refused.error().message, HasSubstr(connection->server()));
  EXPECT_TRUE(connection->usable());
  EXPECT_EQ(Must(connection->Execute("SELECT 1")).Integer(0, 0), 1);
  EXPECT_EQ(connection->sqlstate(), "");
}

TEST_F(ConnectionTest, ATransactionRollsBackUnlessItIsCommitted) {
  const auto connection = Open();
  Must(connection->ExecuteScript("CREATE TABLE t (v int); INSERT INTO t VALUES (1);"));
  {
    const Transaction dropped = Must(Transaction::Begin(*connection));
    Must(connection->Execute("DELETE FROM t"));
    EXPECT_FALSE(connection->usable());
  }
  EXPECT_TRUE(connection->usable());
  Transaction kept = Must(Transaction::Begin(*connection));
  EXPECT_EQ(Must(connection->Execute("INSERT INTO t VALUES (2), (3)")).affected(), 2);
  Must(kept.Commit());
  EXPECT_EQ(Must(Open()->Execute("SELECT count(*) FROM t")).Integer(0, 0), 3);
}

TEST_F(ConnectionTest, ACommitOfAFailedTransactionIsAnError) {
  const auto connection = Open();
  Transaction transaction = Must(Transaction::Begin(*connection));
  EXPECT_FALSE(connection->Execute("SELECT 1 / 0").has_value());
  EXPECT_FALSE(transaction.Commit().has_value());
  EXPECT_TRUE(connection->usable());
}

TEST_F(ConnectionTest, AStopCancelsTheStatementAtTheServer) {
  const auto connection = Open();
  StopWhenBusy stop(Open(), "SELECT pg_sleep(600)%");
  const auto slept = connection->Execute("SELECT pg_sleep(600)", {}, stop.token());
  ASSERT_FALSE(slept.has_value());
  EXPECT_EQ(slept.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(Must(connection->Execute("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' "
                                     "AND query LIKE 'SELECT pg_sleep%'"))
                .Integer(0, 0),
            0);
}

/// C18: a thread that goes on may outlive main.
TEST_F(ConnectionTest, ACancellationLeavesNoThread) {
  const auto threads = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                         std::filesystem::directory_iterator());
  };
  const auto connection = Open();
  std::stop_source stop;
  stop.request_stop();
  const auto before = threads();
  for (int i = 0; i < 50; ++i) {
    ASSERT_FALSE(connection->Execute("SELECT pg_sleep(600)", {}, stop.get_token()).has_value());
    ASSERT_EQ(threads(), before) << i;
  }
}

TEST_F(ConnectionTest, AServerThatDoesNotTakeACancellationIsLeft) {
  const auto connection = Open();
  StopWhenBusy stop(Open(), "SELECT pg_sleep(600)%");
  const int64_t postmaster =
      Must(connection->Execute(
               "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::bigint"))
          .Integer(0, 0);
  ASSERT_EQ(kill(static_cast<pid_t>(postmaster), SIGSTOP), 0);
  const auto slept = connection->Execute("SELECT pg_sleep(600)", {}, stop.token());
  kill(static_cast<pid_t>(postmaster), SIGCONT);
  ASSERT_FALSE(slept.has_value());
  EXPECT_EQ(slept.error().code, ErrorCode::kCancelled);
  EXPECT_FALSE(connection->usable());
}

TEST_F(ConnectionTest, ATransactionEndsWhereTheServerIsSilent) {
  const auto connection = Open();
  const auto session =
      static_cast<pid_t>(Must(connection->Execute("SELECT pg_backend_pid()")).Integer(0, 0));
  {
    const Transaction dropped = Must(Transaction::Begin(*connection));
    ASSERT_EQ(kill(session, SIGSTOP), 0);
  }
  kill(session, SIGCONT);
  EXPECT_FALSE(connection->usable());
}

TEST_F(ConnectionTest, AStopEndsTheBeginningOfATransaction) {
  const auto connection = Open();
  StopWhenBusy stop(Open(), "BEGIN%pg_sleep(600)%");
  EXPECT_EQ(Transaction::Begin(*connection, kReadCommitted, "SELECT pg_sleep(600)", stop.token())
                .error()
                .code,
            ErrorCode::kCancelled);
}

TEST_F(ConnectionTest, ATimeLimitOfTheServerIsNotAStop) {
  const auto connection = Open();
  Must(connection->Execute("SET statement_timeout = '10ms'"));
  const auto slept = connection->Execute("SELECT pg_sleep(600)");
  ASSERT_FALSE(slept.has_value());
  EXPECT_EQ(slept.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(slept.error().retryable);
}

TEST_F(ConnectionTest, ASilentServerCountsAsLost) {
  const auto connection = Must(Connection::Open(Url(), {.answer_timeout = milliseconds(50)}));
  const auto slept = connection->Execute("SELECT pg_sleep(600)");
  ASSERT_FALSE(slept.has_value());
  EXPECT_EQ(slept.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(slept.error().message, HasSubstr("no answer within 0.05 s"));
  EXPECT_FALSE(connection->usable());
  EXPECT_EQ(connection->Execute("SELECT 1").error().code, ErrorCode::kUnavailable);
}

TEST_F(ConnectionTest, AnEndedSessionIsUnavailable) {
  const auto connection = Open();
  const int64_t pid = Must(connection->Execute("SELECT pg_backend_pid()")).Integer(0, 0);
  Must(Open()->Execute("SELECT pg_terminate_backend($1::int, 10000)", {pid}));
  const auto next = connection->Execute("SELECT 1");
  ASSERT_FALSE(next.has_value());
  EXPECT_EQ(next.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(next.error().retryable);
  EXPECT_FALSE(connection->usable());
}

TEST_F(ConnectionTest, NotificationsArriveOrTheTimePasses) {
  const auto connection = Open();
  EXPECT_EQ(Must(connection->WaitForNotification(milliseconds(1))), std::nullopt);
  Must(connection->Execute("LISTEN news"));
  std::jthread sender(
      [other = Open()] { Must(other->Execute("SELECT pg_notify('news', 'rain')")); });
  const auto heard = Must(connection->WaitForNotification(std::chrono::minutes(1)));
  ASSERT_TRUE(heard.has_value());
  EXPECT_EQ(heard->channel, "news");
  EXPECT_EQ(heard->payload, "rain");
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(Must(connection->WaitForNotification(std::chrono::minutes(1), stop.get_token())),
            std::nullopt);
}

TEST_F(ConnectionTest, NamesAndTextsAreQuoted) {
  const auto connection = Open();
  const std::string name = Must(connection->QuoteIdentifier("a \"b\""));
  const std::string text = Must(connection->QuoteLiteral("it's \\ so"));
  const Rows rows = Must(connection->Execute("SELECT " + text + " AS " + name));
  EXPECT_EQ(rows.ColumnName(0), "a \"b\"");
  EXPECT_EQ(rows.Text(0, 0), "it's \\ so");
}

TEST_F(ConnectionTest, TheUnixSocketWorks) {
  const auto connection = Must(Connection::Open(Server().SocketAddress()));
  EXPECT_EQ(Must(connection->Execute("SELECT inet_server_addr() IS NULL")).Boolean(0, 0), true);
}

TEST_F(ConnectionTest, WhyThereIsNoConnectionIsTold) {
  const auto missing = Connection::Open(Server().Url("missing"));
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message,
              AllOf(HasSubstr("database \"missing\" does not exist"), HasSubstr("3D000")));

  const auto nobody = Connection::Open(Server().Url("postgres", "nobody"));
  ASSERT_FALSE(nobody.has_value());
  EXPECT_EQ(nobody.error().code, ErrorCode::kPermissionDenied);

  const auto refused = Connection::Open("postgres://someone:hush@127.0.0.1:1/db");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(refused.error().retryable);
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr("port 1"), Not(HasSubstr("hush")), Not(HasSubstr("\n"))));

  for (const std::string address :
       {"postgres://someone:hush@host:port/db", "password=hush and more",
        "postgres://a:hush@[::1/x", "postgres://a:x/hush@127.0.0.1:1/db",
        "postgres://a:12/hush@127.0.0.1:1/db", "postgres://a:x@hush@127.0.0.1:1/db",
        "postgres://a:x?@hush@127.0.0.1:1/db", "postgres://a:x@y/hush@127.0.0.1:1/db",
        "postgresql://a:hush"}) {
    const auto unread = Connection::Open(address);
    ASSERT_FALSE(unread.has_value()) << address;
    EXPECT_EQ(unread.error().code, ErrorCode::kInvalidArgument) << unread.error().message;
    EXPECT_THAT(unread.error().message, Not(HasSubstr("hush")));
  }
}

TEST_F(ConnectionTest, WrongValuesInAnAddressAreNoSilentServer) {
  for (const std::string values :
       {"sslmode=bogus", "port=99999", "port=0", "target_session_attrs=best", "gssencmode=x",
        "channel_binding=x", "ssl_min_protocol_version=x", "keepalives_idle=x"}) {
    const std::string address = Server().Url("postgres");
    const auto wrong = Connection::Open(address + (address.contains('?') ? "&" : "?") + values);
    ASSERT_FALSE(wrong.has_value()) << values;
    EXPECT_EQ(wrong.error().code, ErrorCode::kInvalidArgument) << wrong.error().message;
    EXPECT_FALSE(wrong.error().retryable);
    EXPECT_THAT(wrong.error().message, HasSubstr("the PostgreSQL address has an invalid"));
  }
  EXPECT_EQ(Connection::Open("postgres://127.0.0.1:99999/x").error().code,
            ErrorCode::kInvalidArgument);
}

/// A port that takes connections, as the kernel does, of a server that says nothing.
class SilentPort {
 public:
  SilentPort() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(socket_, 8) != 0 ||
        getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no port");
    number_ = std::to_string(ntohs(address.sin_port));
  }
  SilentPort(const SilentPort&) = delete;
  SilentPort& operator=(const SilentPort&) = delete;
  ~SilentPort() { close(socket_); }

  const std::string& number() const { return number_; }

 private:
  const int socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string number_;
};

TEST_F(ConnectionTest, ASilentHostLeavesTimeForTheOthers) {
  const SilentPort silent;
  const std::string port = std::to_string(Server().port());
  const ConnectOptions options{.connect_timeout = milliseconds(3'000)};
  for (const std::string& address :
       {"host=127.0.0.1,127.0.0.1 port=" + silent.number() + "," + port +
            " user=postgres dbname=postgres",
        "host=localhost,localhost,localhost hostaddr=127.0.0.1,127.0.0.1,127.0.0.1 port=" +
            silent.number() + ",1," + port + " user=postgres dbname=postgres",
        "postgres://postgres@127.0.0.1:" + silent.number() + ",127.0.0.1:" + port +
            "/postgres?target_session_attrs=read-write"}) {
    const auto connection = Must(Connection::Open(address, options));
    EXPECT_THAT(connection->server(), HasSubstr(port)) << address;
  }
  const auto nobody = Connection::Open("postgres://postgres@127.0.0.1:" + silent.number() +
                                       ",127.0.0.1:" + silent.number() + "/x?connect_timeout=1");
  ASSERT_FALSE(nobody.has_value());
  EXPECT_THAT(nobody.error().message, HasSubstr("did not answer within 1 s"));
  EXPECT_TRUE(nobody.error().retryable);
}

TEST_F(ConnectionTest, AStopEndsConnecting) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(Connection::Open(Url(), {}, stop.get_token()).error().code, ErrorCode::kCancelled);
}

TEST_F(ConnectionTest, ACopyIsRefusedWhereAStatementIsExpected) {
  const auto connection = Open();
  EXPECT_FALSE(connection->Execute("COPY (SELECT 1) TO STDOUT").has_value());
  EXPECT_FALSE(connection->Execute("COPY pg_class FROM STDIN").has_value());
  EXPECT_TRUE(connection->usable());
}

/// A server that asks for passwords, and is restarted.
TEST(TestServerTest, PasswordsRestartsAndKills) {
  TestServer server({.authentication = "scram-sha-256"});
  const auto without = Connection::Open(server.Url());
  ASSERT_FALSE(without.has_value());
  EXPECT_EQ(without.error().code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(without.error().message, HasSubstr("PGPASSWORD"));

  const std::string wrong = "postgres://postgres:hush@127.0.0.1:" + std::to_string(server.port());
  const auto refused = Connection::Open(wrong);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr("28P01"), Not(HasSubstr("hush"))));

  setenv("PGPASSWORD", TestServer::kPassword, 1);
  auto connection = Must(Connection::Open(server.Url()));
  unsetenv("PGPASSWORD");
  Must(connection->Execute("CREATE TABLE kept AS SELECT 1 AS v"));
  server.Restart();
  EXPECT_EQ(connection->Execute("SELECT 1").error().code, ErrorCode::kUnavailable);
  server.Kill();
  EXPECT_EQ(Connection::Open(server.SocketAddress()).error().code, ErrorCode::kUnavailable);
  server.Start();
  connection = Must(Connection::Open(server.SocketAddress()));
  EXPECT_EQ(Must(connection->Execute("SELECT v FROM kept")).Integer(0, 0), 1);
}

}  // namespace
}  // namespace spillway::postgres
