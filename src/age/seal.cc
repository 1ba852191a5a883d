#include "age/seal.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "age/header.h"

namespace spillway::age {

Result<Sealer> Sealer::Begin(std::span<const Recipient> recipients, Buffer& out) {
  if (recipients.empty())
    return Fail(ErrorCode::kInvalidArgument, "nobody could open the file; give a recipient");
  if (recipients.size() > kStanzasMax)
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("a file can be sealed for at most {} recipients, and these are {}",
                            kStanzasMax, recipients.size()));
  FileKey file_key;
  TRY(FillRandom(file_key.bytes));
  std::array<uint8_t, kNonceBytes> nonce;
  TRY(FillRandom(nonce));
  const std::string header = TRY(WriteHeader(file_key, recipients));
  const Bytes nonce_bytes = std::as_bytes(std::span(nonce));
  Cipher cipher = TRY(PayloadCipher(file_key, nonce_bytes, Cipher::Direction::kSeal));
  out.Append(header);
  out.Append(nonce_bytes);
  return Sealer(std::move(cipher));
}

Result<> Sealer::Append(Bytes plain, Buffer& out) {
  // A segment is sealed once a byte comes after it: then it is not the last one.
  while (waiting_.size() + plain.size() > kSegmentBytes) {
    Bytes segment = plain.first(kSegmentBytes - waiting_.size());
    plain = plain.subspan(segment.size());
    if (!waiting_.empty()) {
      waiting_.Append(segment);
      segment = waiting_.bytes();
    }
    TRY(Seal(segment, false, out));
    waiting_.Clear();
  }
  waiting_.Append(plain);
  return {};
}

Result<> Sealer::Finish(Buffer& out) { return Seal(waiting_.bytes(), true, out); }

Result<> Sealer::Seal(Bytes plain, bool last, Buffer& out) {
  const size_t sealed = plain.size() + kTagBytes;
  // The number is used up even if this fails.
  TRY(cipher_.Seal(number_++, last, plain, reinterpret_cast<uint8_t*>(out.Reserve(sealed))));
  out.Advance(sealed);
  return {};
}

}  // namespace spillway::age
