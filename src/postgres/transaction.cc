#include "postgres/transaction.h"

#include <utility>

namespace spillway::postgres {

Result<Transaction> Transaction::Begin(Connection& connection, const std::string& modes,
                                       const std::string& settings, std::stop_token stop) {
  TRY(connection.ExecuteScript("BEGIN " + modes + "; " + settings, std::move(stop)));
  return Transaction(connection);
}

Transaction::Transaction(Transaction&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)) {}

Transaction::~Transaction() {
  if (connection_ != nullptr && connection_->InTransaction()) connection_->Rollback();
}

Result<> Transaction::Commit() {
  Connection& connection = *std::exchange(connection_, nullptr);
  const Rows committed = TRY(connection.Execute("COMMIT"));
  if (committed.command() != "COMMIT") {
    return Fail(ErrorCode::kInternal,
                connection.server() + ": committed a transaction in which a statement had failed");
  }
  return {};
}

}  // namespace spillway::postgres
