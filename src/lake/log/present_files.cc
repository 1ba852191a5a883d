#include "lake/log/present_files.h"

#include <fmt/format.h>

namespace spillway::lake {

Result<> CheckPresent(storage::ObjectStore& lake, std::span<const DataFile> files) {
  for (const DataFile& file : files) {
    const auto found = TRY(lake.Head(file.key));
    if (found && found->bytes == file.bytes) continue;
    return Fail(
        ErrorCode::kConflict,
        fmt::format("{} was removed before it was committed, so nothing was added: try again, "
                    "and vacuum only what is older than the longest ingest",
                    file.key));
  }
  return {};
}

}  // namespace spillway::lake
