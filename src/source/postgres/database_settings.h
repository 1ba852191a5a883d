#pragma once

#include <chrono>
#include <string>

#include "config/section.h"

namespace spillway::postgres_source {

/// A PostgreSQL database that exports read.
struct DatabaseSettings {
  std::string url;
  std::chrono::milliseconds statement_timeout{0};
  bool operator==(const DatabaseSettings&) const = default;
};

config::Section<DatabaseSettings> DeclareDatabase();

}  // namespace spillway::postgres_source
