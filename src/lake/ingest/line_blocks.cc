#include "lake/ingest/line_blocks.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace spillway::lake {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::unique_ptr<char[]> Room(size_t bytes) {
  return std::make_unique_for_overwrite<char[]>(bytes + LineBlocks::kPadding);
}

int64_t CountNewlines(std::string_view text) {
  int64_t count = 0;
  for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
    ++count;
  return count;
}

}  // namespace

LineBlocks::LineBlocks(NdjsonText& text, size_t block_bytes, size_t line_bytes_max,
                       size_t overlong_bytes)
    : text_(text),
      line_bytes_max_(line_bytes_max),
      overlong_bytes_(overlong_bytes),
      // A line that ends in CRLF may have two bytes more.
      capacity_(std::max(block_bytes, line_bytes_max + 2)),
      buffer_(Room(capacity_)) {}

Result<> LineBlocks::Fill() {
  while (size_ < capacity_ && !ended_) {
    const size_t read = TRY(
        text_.Read(std::as_writable_bytes(std::span(buffer_.get() + size_, capacity_ - size_))));
    size_ += read;
    ended_ = read == 0;
  }
  if (!started_) {
    started_ = true;
    SkipByteOrderMark();
  }
  return {};
}

void LineBlocks::SkipByteOrderMark() {
  if (!std::string_view(buffer_.get(), size_).starts_with(kByteOrderMark)) return;
  size_ -= kByteOrderMark.size();
  std::memmove(buffer_.get(), buffer_.get() + kByteOrderMark.size(), size_);
  next_.byte = kByteOrderMark.size();
}

std::unique_ptr<char[]> LineBlocks::NewBuffer() {
  {
    const std::lock_guard lock(mutex_);
    if (!spare_.empty()) {
      auto buffer = std::move(spare_.back());
      spare_.pop_back();
      return buffer;
    }
  }
  return Room(capacity_);
}

void LineBlocks::Recycle(LineBlock block) {
  if (block.overlong) return;
  const std::lock_guard lock(mutex_);
  spare_.push_back(std::move(block.bytes));
}

LineBlock LineBlocks::Cut(size_t bytes, int64_t lines) {
  LineBlock block{.number = blocks_++, .first = next_, .size = bytes};
  auto rest = NewBuffer();
  std::memcpy(rest.get(), buffer_.get() + bytes, size_ - bytes);
  block.bytes = std::exchange(buffer_, std::move(rest));
  std::memset(block.bytes.get() + bytes, 0, kPadding);
  size_ -= bytes;
  next_.line += lines;
  next_.byte += bytes;
  return block;
}

Result<LineBlock> LineBlocks::CutOverlong() {
  LineBlock block{.number = blocks_++, .first = next_, .overlong = true};
  block.size = std::min(overlong_bytes_, size_);
  block.bytes = Room(block.size);
  std::memcpy(block.bytes.get(), buffer_.get(), block.size);
  ++next_.line;
  while (true) {
    const char* newline = static_cast<const char*>(std::memchr(buffer_.get(), '\n', size_));
    const size_t passed =
        newline == nullptr ? size_ : static_cast<size_t>(newline - buffer_.get()) + 1;
    next_.byte += passed;
    size_ -= passed;
    std::memmove(buffer_.get(), buffer_.get() + passed, size_);
    if (newline != nullptr || ended_) return block;
    TRY(Fill());
  }
}

Result<std::optional<LineBlock>> LineBlocks::Next() {
  TRY(Fill());
  if (size_ == 0) return std::nullopt;
  const std::string_view text(buffer_.get(), size_);
  const int64_t newlines = CountNewlines(text);
  if (newlines > 0) return Cut(text.rfind('\n') + 1, newlines);
  if (ended_ && size_ <= line_bytes_max_ + 1) return Cut(size_, 1);
  return TRY(CutOverlong());
}

}  // namespace spillway::lake
