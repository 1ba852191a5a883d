#pragma once

#include <chrono>
#include <cstdint>
#include <string>

/// Numbers as people read them.
namespace spillway {

/// 1234567 as "1,234,567".
std::string Grouped(int64_t number);

/// "1.2 M", "340 k", "17".
std::string ShortCount(double count);

/// "1.1 GB", "340 kB", "17 B".
std::string ShortBytes(uint64_t bytes);

/// "1 h 05 min", "2 min 03 s", "0.8 s".
std::string ShortDuration(std::chrono::milliseconds duration);

}  // namespace spillway
