#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time_zone.h"
#include "base/zone_rule.h"

namespace spillway {

/// What a TZif file (RFC 9636) of version 2 or later says.
struct ZoneFile {
  struct Run {
    date::sys_seconds begin;
    std::chrono::seconds offset{0};
    std::string abbreviation;
  };

  /// In order of time; the first is at kBeginning. At the last one's begin `rule` takes over, if
  /// there is one.
  std::vector<Run> runs;
  std::optional<ZoneRule> rule;

  OffsetSpan SpanAt(date::sys_seconds at) const;
};

/// kCorrupt for bytes that are no such file, kUnsupported for one that counts leap seconds.
Result<ZoneFile> ParseZoneFile(std::string_view bytes);

}  // namespace spillway
