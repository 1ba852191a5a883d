#include <string>

#include "store/sql/sql_store.h"

namespace spillway::store::sql {
namespace {

Result<std::string> ReadKeyId(Session& session) {
  Query row(session, "SELECT id FROM signing_key");
  if (!TRY(row.Next())) return "";
  return std::string(row.Text());
}

}  // namespace

Result<std::string> SqlStore::SigningKeyId() {
  return Read([](Session& session) -> Result<std::string> { return ReadKeyId(session); });
}

Result<std::string> SqlStore::RecordSigningKey(std::string_view known, std::string_view key_id) {
  if (key_id.empty()) return Fail(ErrorCode::kInvalidArgument, "a signing key needs an id");
  return Write(Durability::kDisk, [&](Session& session) -> Result<std::string> {
    if (known.empty()) {
      TRY(Query(session,
                "INSERT INTO signing_key (only_row, id) VALUES (1, ?) ON CONFLICT DO NOTHING",
                key_id)
              .Run());
    } else {
      TRY(Query(session, "UPDATE signing_key SET id = ? WHERE id = ?", key_id, known).Run());
    }
    return ReadKeyId(session);
  });
}

}  // namespace spillway::store::sql
