#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "lake/ingest/line_blocks.h"

namespace spillway::lake {

/// Where refused lines go. Called by one thread at a time, in the order of the input.
class RejectSink {
 public:
  virtual ~RejectSink() = default;

  /// Lines of NDJSON, `{"input":"a.ndjson","line":17,"byte":4711,"reason":"…","text":"…"}`: the
  /// input's name, the line's number from 1, where it starts in the (expanded) text, why it was
  /// refused, and its first kilobyte, in which what is not UTF-8 is shown as U+FFFD.
  virtual Result<> Write(std::string_view ndjson) = 0;

  /// Makes what was written durable. It is called before the batch is committed: once it is, the
  /// batch cannot be repeated to get these lines again.
  virtual Result<> Finish() = 0;
};

/// How many bytes of a refused line are kept.
inline constexpr size_t kRejectedTextBytes = 1024;

std::string FormatReject(std::string_view input, LinePlace place, std::string_view reason,
                         std::string_view line);

/// Brings what the blocks refused back into the order of the blocks. Thread-safe.
class RejectOrder {
 public:
  RejectOrder(RejectSink& sink, std::string input) : sink_(sink), input_(std::move(input)) {}

  const std::string& input() const { return input_; }

  /// Every block reports once, with what it refused or nothing.
  Result<> Report(int64_t block, std::string ndjson);

  /// After the last block.
  Result<> Finish() { return sink_.Finish(); }

 private:
  RejectSink& sink_;
  const std::string input_;
  std::mutex mutex_;
  int64_t next_ = 0;
  std::map<int64_t, std::string> waiting_;
};

}  // namespace spillway::lake
