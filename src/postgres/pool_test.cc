#include "postgres/pool.h"

#include <gtest/gtest.h>

#include "postgres/server_fixture.h"
#include "postgres/transaction.h"

namespace spillway::postgres {
namespace {

class PoolTest : public ServerTest {
 protected:
  static int64_t Pid(Connection& connection) {
    return Must(connection.Execute("SELECT pg_backend_pid()")).Integer(0, 0);
  }
};

TEST_F(PoolTest, LendsWhatCameBack) {
  Pool pool(Url());
  const int64_t first = Pid(*Must(pool.Lend()));
  Pool::Lent one = Must(pool.Lend());
  EXPECT_EQ(Pid(*one), first);
  Pool::Lent two = Must(pool.Lend());
  EXPECT_NE(Pid(*two), first) << "lent twice at the same time";
}

TEST_F(PoolTest, KeepsNoneThatBrokeOrIsInATransaction) {
  Pool pool(Url());
  int64_t broken = 0;
  {
    Pool::Lent one = Must(pool.Lend());
    broken = Pid(*one);
    EXPECT_FALSE(one->Execute("SELECT pg_terminate_backend(pg_backend_pid())").has_value());
  }
  int64_t left_open = 0;
  {
    Pool::Lent one = Must(pool.Lend());
    left_open = Pid(*one);
    EXPECT_NE(left_open, broken);
    Must(one->Execute("BEGIN"));
  }
  EXPECT_NE(Pid(*Must(pool.Lend())), left_open);
}

}  // namespace
}  // namespace spillway::postgres
