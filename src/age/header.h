#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "age/keys.h"
#include "age/primitives.h"
#include "base/error.h"

/// The header of an age v1 file: its file key, wrapped for each recipient, and a MAC.
namespace spillway::age {

/// Of one file alone: two that are sealed with the same one give both away.
using FileKey = Secret<16>;

/// A header that wraps the file key for each recipient, of HeaderBytes.
Result<std::string> WriteHeader(const FileKey& file_key, std::span<const Recipient> recipients);

/// The bytes of the header that `bytes` begin with; nothing while its end has not come. kUnsupported
/// for armor and other versions, kCorrupt for what is no age file or has no end within
/// kHeaderBytesMax.
Result<std::optional<size_t>> FindHeaderEnd(std::string_view bytes);

/// The file key of a whole header, once the MAC over exactly these bytes is right. kPermissionDenied
/// when none of the identities can open it, kUnsupported when only means that are not supported
/// can, or a passphrase, kCorrupt for anything else.
Result<FileKey> OpenHeader(std::string_view header, std::span<const Identity> identities);

/// For the segments after the header and the nonce.
Result<Cipher> PayloadCipher(const FileKey& file_key, Bytes nonce, Cipher::Direction direction);

}  // namespace spillway::age
