#include "lake/compaction/hidden_path.h"

namespace spillway::lake {

bool IsHiddenPath(std::string_view path) {
  while (true) {
    const size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    const bool is_directory = slash != std::string_view::npos;
    if (segment.starts_with('.')) return true;
    if (segment.starts_with('_') && !(is_directory && segment.contains('='))) return true;
    if (!is_directory) return false;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace spillway::lake
