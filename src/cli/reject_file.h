#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string_view>

#include "base/error.h"
#include "source/lake/reject.h"

namespace spillway::cli {

/// Refused lines in a file, which is there only once there is one.
class RejectFile final : public lake::RejectSink {
 public:
  explicit RejectFile(std::filesystem::path path) : path_(std::move(path)) {}

  Result<> Write(std::string_view ndjson) override;
  Result<> Finish();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  const std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace spillway::cli
