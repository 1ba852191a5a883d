#include "age/open.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "age/header.h"

namespace spillway::age {
namespace {

std::unexpected<Error> Cut() {
  return Fail(ErrorCode::kCorrupt, "the age file was cut: it has no end");
}

std::unexpected<Error> CutInHeader() {
  return Fail(ErrorCode::kCorrupt, "the age file's header is broken: the file ends within it");
}

std::unexpected<Error> Changed(uint64_t number) {
  return Fail(ErrorCode::kCorrupt,
              fmt::format("the age file was changed or cut: segment {} is not authentic", number));
}

/// Of most headers; a longer one is read by a second call.
constexpr uint64_t kShortHeaderBytes = 4096;

Result<> ReadWhole(const RangeOpener::ReadAt& read, uint64_t offset, uint64_t bytes, Buffer& out) {
  const std::span<char> room(out.Reserve(bytes), bytes);
  const size_t got = TRY(read(offset, std::as_writable_bytes(room)));
  if (got < bytes) return Cut();
  out.Advance(bytes);
  return {};
}

}  // namespace

Result<> Opener::Append(Bytes sealed, Buffer& out) {
  if (error_) return std::unexpected(*error_);
  return Kept(Take(sealed, out));
}

Result<> Opener::Finish(Buffer& out) {
  if (error_) return std::unexpected(*error_);
  return Kept(End(out));
}

Result<> Opener::Kept(Result<> result) {
  if (!result) error_ = result.error();
  return result;
}

Result<> Opener::Take(Bytes sealed, Buffer& out) {
  if (cipher_) return TakeSegments(sealed, out);
  const Bytes taken =
      sealed.first(std::min(sealed.size(), kHeaderBytesMax + kNonceBytes - waiting_.size()));
  waiting_.Append(taken);
  const std::optional<size_t> header = TRY(FindHeaderEnd(waiting_.view()));
  if (!header || waiting_.size() < *header + kNonceBytes) return {};
  const FileKey file_key = TRY(OpenHeader(waiting_.view().substr(0, *header), identities_));
  const Buffer begin = std::exchange(waiting_, {});
  cipher_ = TRY(PayloadCipher(file_key, begin.bytes().subspan(*header, kNonceBytes),
                              Cipher::Direction::kOpen));
  TRY(TakeSegments(begin.bytes().subspan(*header + kNonceBytes), out));
  return TakeSegments(sealed.subspan(taken.size()), out);
}

Result<> Opener::TakeSegments(Bytes sealed, Buffer& out) {
  while (!sealed.empty()) {
    if (ended_)
      return Fail(ErrorCode::kCorrupt,
                  "there are bytes after the end of the age file; each file "
                  "has to be opened by itself");
    Bytes segment = sealed.first(std::min(sealed.size(), kSealedSegmentBytes - waiting_.size()));
    sealed = sealed.subspan(segment.size());
    if (waiting_.size() + segment.size() < kSealedSegmentBytes) {
      waiting_.Append(segment);
      return {};
    }
    if (!waiting_.empty()) {
      waiting_.Append(segment);
      segment = waiting_.bytes();
    }
    // A full segment may be the last one as well.
    if (!TRY(Open(segment, false, out)) && !TRY(Open(segment, true, out))) return Changed(number_);
    waiting_.Clear();
  }
  return {};
}

Result<> Opener::End(Buffer& out) {
  if (!cipher_) return CutInHeader();
  if (ended_) return {};
  const Bytes segment = waiting_.bytes();
  if (segment.size() < kTagBytes) return Cut();
  if (segment.size() == kTagBytes && number_ > 0)
    return Fail(ErrorCode::kCorrupt, "the age file is broken: its last segment is empty");
  if (!TRY(Open(segment, true, out))) return Changed(number_);
  return {};
}

Result<bool> Opener::Open(Bytes segment, bool last, Buffer& out) {
  const size_t plain = segment.size() - kTagBytes;
  auto* const room = reinterpret_cast<uint8_t*>(out.Reserve(plain));
  if (!TRY(cipher_->Open(number_, last, segment, room))) return false;
  out.Advance(plain);
  ++number_;
  ended_ = last;
  return true;
}

Result<RangeOpener> RangeOpener::Open(ReadAt read, uint64_t sealed,
                                      std::span<const Identity> identities) {
  Buffer begin;
  std::optional<size_t> header;
  for (const uint64_t wanted : {kShortHeaderBytes, uint64_t{kHeaderBytesMax + kNonceBytes}}) {
    begin.Clear();
    TRY(ReadWhole(read, 0, std::min(wanted, sealed), begin));
    header = TRY(FindHeaderEnd(begin.view()));
    if (begin.size() == sealed || (header && begin.size() >= *header + kNonceBytes)) break;
  }
  if (!header || begin.size() < *header + kNonceBytes) return CutInHeader();
  const FileKey file_key = TRY(OpenHeader(begin.view().substr(0, *header), identities));
  const uint64_t size = TRY(PlainBytes(sealed, *header));
  Cipher cipher = TRY(PayloadCipher(file_key, begin.bytes().subspan(*header, kNonceBytes),
                                    Cipher::Direction::kOpen));
  RangeOpener opener(std::move(read), std::move(cipher), *header + kNonceBytes, size);
  const uint64_t last = Segments(size) - 1;
  TRY(opener.OpenSegments(last, last, begin));
  return opener;
}

Result<> RangeOpener::Read(uint64_t offset, uint64_t bytes, Buffer& out) {
  if (bytes > size_ || offset > size_ - bytes)
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("there are no {} bytes at {} of a file of {}", bytes, offset, size_));
  if (bytes == 0) return {};
  const uint64_t first = offset / kSegmentBytes;
  const uint64_t last = (offset + bytes - 1) / kSegmentBytes;
  char* const plain = TRY(OpenSegments(first, last, out));
  std::memmove(plain, plain + offset % kSegmentBytes, bytes);
  out.Advance(bytes);
  return {};
}

Result<char*> RangeOpener::OpenSegments(uint64_t first, uint64_t last, Buffer& out) {
  const uint64_t begin = first * kSealedSegmentBytes;
  const uint64_t end =
      std::min((last + 1) * kSealedSegmentBytes, size_ + Segments(size_) * kTagBytes);
  Buffer sealed;
  TRY(ReadWhole(read_, begin_ + begin, end - begin, sealed));
  char* const plain = out.Reserve(end - begin - (last + 1 - first) * kTagBytes);
  for (uint64_t number = first; number <= last; ++number) {
    const Bytes rest = sealed.bytes().subspan((number - first) * kSealedSegmentBytes);
    auto* const into = reinterpret_cast<uint8_t*>(plain + (number - first) * kSegmentBytes);
    if (!TRY(cipher_.Open(number, number + 1 == Segments(size_),
                          rest.first(std::min(rest.size(), kSealedSegmentBytes)), into)))
      return Changed(number);
  }
  return plain;
}

}  // namespace spillway::age
