#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace spillway {

/// Random numbers for backoff, simulation, and names of jobs and files. Not for secrets. Not
/// thread-safe: each thread has its own.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  /// Seeded from the system's entropy.
  static Random FromEntropy();

  uint64_t Next() { return engine_(); }

  /// Uniform in [0, bound); bound must be positive.
  uint64_t Below(uint64_t bound) {
    return std::uniform_int_distribution<uint64_t>(0, bound - 1)(engine_);
  }

  /// Uniform in [0, 1).
  double Fraction() { return std::uniform_real_distribution<double>(0.0, 1.0)(engine_); }

  /// `digits` lower-case hexadecimal digits.
  std::string Hex(int digits);

 private:
  std::mt19937_64 engine_;
};

}  // namespace spillway
