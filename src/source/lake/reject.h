#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/error.h"
#include "source/lake/line_blocks.h"

namespace spillway::lake {

/// Where refused lines go. Called by one thread at a time, in the order of the input.
class RejectSink {
 public:
  virtual ~RejectSink() = default;

  /// Lines of NDJSON, `{"line":17,"byte":4711,"reason":"…","text":"…"}`: line number from 1, where
  /// it starts in the (expanded) text, why it is none, and its first kilobyte, in which what is not
  /// UTF-8 is shown as U+FFFD.
  virtual Result<> Write(std::string_view ndjson) = 0;
};

/// Of a refused line, so many bytes are kept.
inline constexpr size_t kRejectedTextBytes = 1024;

std::string FormatReject(LinePlace place, std::string_view reason, std::string_view line);

/// Brings what the blocks refused back into the order of the blocks. Thread-safe.
class RejectOrder {
 public:
  explicit RejectOrder(RejectSink& sink) : sink_(sink) {}

  /// Every block reports once, with what it refused or nothing.
  Result<> Report(int64_t block, std::string ndjson);

 private:
  RejectSink& sink_;
  std::mutex mutex_;
  int64_t next_ = 0;
  std::map<int64_t, std::string> waiting_;
};

}  // namespace spillway::lake
