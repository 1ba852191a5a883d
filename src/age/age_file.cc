// Seals and opens standard input, for age_tools_test.py and the bench:
//
//   age_file seal age1… [age1…]             age_file open FILE        age_file ranges FILE SEALED
//
// FILE has identities. `ranges` opens the file SEALED by ranges of 100,000 bytes.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "age/open.h"
#include "age/seal.h"

namespace spillway::age {
namespace {

constexpr size_t kTransferBytes = 1 << 20;

Result<> WriteAll(Buffer& out) {
  for (size_t at = 0; at < out.size();) {
    const ssize_t written = write(STDOUT_FILENO, out.data() + at, out.size() - at);
    if (written < 0) return std::unexpected(FromErrno(errno, "writing"));
    at += static_cast<size_t>(written);
  }
  out.Clear();
  return {};
}

/// Gives standard input to `consume` in pieces, and writes what it appends.
template <class Consume>
Result<> Pipe(Buffer& out, Consume consume) {
  std::vector<std::byte> piece(kTransferBytes);
  while (true) {
    const ssize_t got = read(STDIN_FILENO, piece.data(), piece.size());
    if (got < 0) return std::unexpected(FromErrno(errno, "reading"));
    if (got == 0) return {};
    TRY(consume(Bytes(piece).first(static_cast<size_t>(got))));
    TRY(WriteAll(out));
  }
}

std::string ContentsOf(const char* path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

Result<> Seal(std::span<char*> texts) {
  std::vector<Recipient> recipients;
  for (const char* text : texts) recipients.push_back(TRY(Recipient::Parse(text)));
  Buffer out;
  Sealer sealer = TRY(Sealer::Begin(recipients, out));
  TRY(Pipe(out, [&](Bytes plain) { return sealer.Append(plain, out); }));
  TRY(sealer.Finish(out));
  return WriteAll(out);
}

Result<> Open(const char* identities) {
  Opener opener(TRY(ParseIdentities(ContentsOf(identities))));
  Buffer out;
  TRY(Pipe(out, [&](Bytes sealed) { return opener.Append(sealed, out); }));
  TRY(opener.Finish(out));
  return WriteAll(out);
}

Result<> OpenRanges(const char* identities, const char* path) {
  const std::string sealed = ContentsOf(path);
  const auto read = [&](uint64_t offset, std::span<std::byte> into) -> Result<size_t> {
    return sealed.copy(reinterpret_cast<char*>(into.data()), into.size(), offset);
  };
  const std::vector<Identity> holders = TRY(ParseIdentities(ContentsOf(identities)));
  RangeOpener opener = TRY(RangeOpener::Open(read, sealed.size(), holders));
  Buffer out;
  for (uint64_t at = 0; at < opener.size(); at += 100'000) {
    TRY(opener.Read(at, std::min<uint64_t>(100'000, opener.size() - at), out));
    TRY(WriteAll(out));
  }
  return {};
}

Result<> Run(std::span<char*> words) {
  const std::string_view act = words.empty() ? "" : words[0];
  if (act == "seal") return Seal(words.subspan(1));
  if (act == "open" && words.size() == 2) return Open(words[1]);
  if (act == "ranges" && words.size() == 3) return OpenRanges(words[1], words[2]);
  return Fail(ErrorCode::kInvalidArgument, "which of seal, open, ranges?");
}

}  // namespace
}  // namespace spillway::age

int main(int argc, char** argv) {
  const auto done = spillway::age::Run({argv + 1, argv + argc});
  if (!done) std::fprintf(stderr, "age_file: %s\n", done.error().message.c_str());
  return done ? 0 : 1;
}
