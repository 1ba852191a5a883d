#include "format/column_names.h"

#include <string>
#include <unordered_set>

#include <arrow/api.h>
#include <simdjson.h>

namespace spillway::format {

Result<> CheckColumnNames(const arrow::Schema& schema, std::string_view format) {
  std::unordered_set<std::string_view> names;
  for (int i = 0; i < schema.num_fields(); ++i) {
    const std::string& name = schema.field(i)->name();
    if (!simdjson::validate_utf8(name)) {
      return Fail(ErrorCode::kInvalidArgument,
                  "column " + std::to_string(i + 1) + ": its name is not valid UTF-8");
    }
    if (!names.insert(name).second) {
      return Fail(ErrorCode::kInvalidArgument, "two columns are named \"" + name + "\"; " +
                                                   std::string(format) + " needs different names");
    }
  }
  return {};
}

}  // namespace spillway::format
