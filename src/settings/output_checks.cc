#include "settings/output_checks.h"

#include <fmt/format.h>

#include "recipe/output/output_options.h"

namespace spillway {

void CheckOutputSettings(const ExportSettings& settings, config::Complaints& complaints) {
  const int level = settings.compression_level;
  const int level_max = recipe::LevelMax(settings.format, settings.compression);
  if (!recipe::HasLevel(settings.format, settings.compression) && level != recipe::kDefaultLevel) {
    complaints.About(
        "compression_level",
        fmt::format("is {}, and nothing is compressed; set compression, or leave it out", level),
        {"compression"});
  } else if (level > level_max) {
    complaints.About("compression_level",
                     fmt::format("is {}, which only zstd has; use 1 to {}", level, level_max),
                     {"compression"});
  }
  const LimitSettings& limits = settings.limits;
  if (limits.on_limit != recipe::OnLimit::kSplit && limits.rows_per_file == 0 &&
      limits.bytes_per_file.bytes == 0) {
    complaints.About("limits",
                     "has an on_limit but no limit to act at; give rows_per_file or bytes_per_file",
                     {});
  }
}

}  // namespace spillway
