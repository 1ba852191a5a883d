#pragma once

#include <string_view>

namespace spillway::cli {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace spillway::cli
