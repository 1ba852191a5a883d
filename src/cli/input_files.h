#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace spillway::cli {

/// Ends the names of files that hold the lines which an ingest refused.
inline constexpr std::string_view kRejectsSuffix = ".rejects.ndjson";

/// The name of standard input among inputs.
inline constexpr std::string_view kStandardInput = "-";

/// What the inputs of an ingest stand for.
struct InputFiles {
  std::vector<std::string> files;

  /// What was found in directories but is not among `files`.
  struct PassedOver {
    int64_t count = 0;
    std::string first;
  };
  PassedOver hidden;   ///< Files and directories; see lake::IsHiddenPath.
  PassedOver special;  ///< Pipes, sockets and devices.
};

/// The inputs, with every directory replaced by the files in it and below, by path. Symbolic links
/// are followed, but no directory is read twice, so that loops end. Left out are hidden ones,
/// special files, and lists of refused lines. Whether what stands in a directory can be read is
/// asked before anything is ingested: kPermissionDenied names what cannot, kNotFound a link that
/// leads nowhere, or a directory without a file.
Result<InputFiles> FindInputFiles(const std::vector<std::string>& inputs);

}  // namespace spillway::cli
