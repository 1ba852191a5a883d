#pragma once

#include <filesystem>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "lake/ingest/reject.h"
#include "storage/local/file_descriptor.h"

namespace spillway::cli {

/// Refused lines in a file, which is made for the first of them. What it held before stays: lines
/// are added after it.
class RejectFile final : public lake::RejectSink {
 public:
  explicit RejectFile(std::filesystem::path path) : path_(std::move(path)) {}

  Result<> Write(std::string_view ndjson) override;
  Result<> Finish() override;

 private:
  Result<> Open();
  std::unexpected<Error> Failed() const;

  const std::filesystem::path path_;
  storage::FileDescriptor file_;
};

}  // namespace spillway::cli
