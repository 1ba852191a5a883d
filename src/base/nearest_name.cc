#include "base/nearest_name.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <vector>

namespace spillway {
namespace {

constexpr size_t kNameBytesMax = 128;

char Lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

size_t Distance(std::string_view a, std::string_view b) {
  // Three rows of the table suffice: a swap reaches two rows back.
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = Lower(a[i - 1]) == Lower(b[j - 1]) ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + change});
      if (i > 1 && j > 1 && Lower(a[i - 1]) == Lower(b[j - 2]) &&
          Lower(a[i - 2]) == Lower(b[j - 1])) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::optional<std::string> NearestName(std::string_view name, std::span<const std::string> known) {
  if (name.size() > kNameBytesMax) return std::nullopt;
  const std::string* nearest = nullptr;
  size_t fewest = 0;
  for (const std::string& candidate : known) {
    if (candidate.size() > kNameBytesMax) continue;
    const size_t limit = std::max<size_t>(1, std::max(name.size(), candidate.size()) / 3);
    const size_t gap = name.size() > candidate.size() ? name.size() - candidate.size()
                                                      : candidate.size() - name.size();
    if (gap > limit) continue;
    const size_t distance = Distance(name, candidate);
    if (distance > limit || (nearest != nullptr && distance >= fewest)) continue;
    nearest = &candidate;
    fewest = distance;
  }
  if (nearest == nullptr) return std::nullopt;
  return *nearest;
}

}  // namespace spillway
