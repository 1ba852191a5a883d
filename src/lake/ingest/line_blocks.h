#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "lake/ingest/ndjson_input.h"

namespace spillway::lake {

/// Where a line stands in the text: counted from line 1 and byte 0.
struct LinePlace {
  int64_t line = 1;
  uint64_t byte = 0;
};

/// Whole lines of the text. The last one of the text may lack its newline.
struct LineBlock {
  int64_t number = 0;  ///< Of the block, from 0.
  LinePlace first;
  std::unique_ptr<char[]> bytes;
  size_t size = 0;
  /// A line that is longer than allowed stands alone in its block, as its first bytes.
  bool overlong = false;

  std::string_view text() const { return {bytes.get(), size}; }
};

/// Cuts a text at newlines into blocks for parallel work. An overlong line is passed over without
/// being held. A UTF-8 byte order mark at the start is passed over. Used by one thread.
class LineBlocks {
 public:
  /// How many bytes after a block can be read.
  static constexpr size_t kPadding = 64;

  /// `text` outlives the blocks. Of an overlong line, `overlong_bytes` are kept.
  LineBlocks(NdjsonText& text, size_t block_bytes, size_t line_bytes_max, size_t overlong_bytes);

  /// The next block; none at the end.
  Result<std::optional<LineBlock>> Next();

  /// Gives a block's memory back for later blocks, since memory that was used before is cheaper.
  /// May be called by any thread.
  void Recycle(LineBlock block);

  /// Lines handed out so far.
  int64_t lines() const { return next_.line - 1; }
  /// Bytes of text handed out so far.
  uint64_t bytes() const { return next_.byte; }

 private:
  Result<> Fill();
  std::unique_ptr<char[]> NewBuffer();
  LineBlock Cut(size_t bytes, int64_t lines);
  Result<LineBlock> CutOverlong();
  void SkipByteOrderMark();

  NdjsonText& text_;
  const size_t line_bytes_max_;
  const size_t overlong_bytes_;
  const size_t capacity_;
  std::unique_ptr<char[]> buffer_;
  size_t size_ = 0;
  bool ended_ = false;
  bool started_ = false;
  int64_t blocks_ = 0;
  LinePlace next_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<char[]>> spare_;  ///< Of capacity_; guarded by mutex_.
};

}  // namespace spillway::lake
