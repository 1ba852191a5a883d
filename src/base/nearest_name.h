#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace spillway {

/// The known name that `name` most likely was meant to be: fewest insertions, deletions, changes
/// and swaps of neighbours (optimal string alignment), case apart, and at most one for every three
/// characters. The first of several equally near; nullopt where none is near.
std::optional<std::string> NearestName(std::string_view name, std::span<const std::string> known);

}  // namespace spillway
