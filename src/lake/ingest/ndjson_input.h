#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/error.h"

namespace spillway::lake {

/// Bytes to ingest, as they are stored: perhaps compressed. Used by one thread.
class NdjsonInput {
 public:
  virtual ~NdjsonInput() = default;

  /// Fills some of `into`; 0 only at the end.
  virtual Result<size_t> Read(std::span<std::byte> into) = 0;

  /// For messages: a path, or "standard input".
  virtual const std::string& name() const = 0;

  /// How many bytes Read will hand out, where that is known.
  virtual std::optional<uint64_t> bytes() const = 0;

  /// The same bytes from their start, where they can be read twice; else nullptr.
  virtual Result<std::unique_ptr<NdjsonInput>> Reopen() const = 0;
};

/// Opens a file, or whatever the path names. kNotFound, kPermissionDenied; kInvalidArgument for a
/// directory.
Result<std::unique_ptr<NdjsonInput>> OpenNdjsonFile(const std::string& path);

/// The standard input of the process. A Read that waits ends with kCancelled within a tenth of a
/// second after `stop`.
std::unique_ptr<NdjsonInput> NdjsonFromStandardInput(std::stop_token stop);

/// Bytes in memory. `bytes` outlives the input.
std::unique_ptr<NdjsonInput> NdjsonFromMemory(std::string_view bytes, std::string name);

/// The text of an input. gzip (RFC 1952, also several members one after the other) and Zstandard
/// (RFC 8878, also several frames, skippable ones anywhere, windows up to 2 GiB) are recognised by
/// their first bytes, not by the name, and expanded. Everything else is text. Expanding gzip takes
/// little memory; Zstandard takes the window that the file asks for, usually 8 MiB, and 2^N bytes
/// after `zstd --long=N`. Zero bytes after and between members and frames are padding.
class NdjsonText {
 public:
  virtual ~NdjsonText() = default;

  /// Fills some of `into`; 0 only at the end. kCorrupt when compressed bytes are damaged, cut
  /// short, or followed by other bytes, or when they need a larger window or a dictionary.
  virtual Result<size_t> Read(std::span<std::byte> into) = 0;

  /// What was read of the input so far.
  virtual uint64_t input_bytes() const = 0;

  /// SHA-256 of the whole input, in hexadecimal, once Read has returned 0.
  virtual std::string Digest() = 0;
};

/// `input` outlives what is returned. The digest is computed only if asked for. kInvalidArgument
/// for files that can be no NDJSON (Parquet, other compressions, UTF-16).
Result<std::unique_ptr<NdjsonText>> ReadNdjsonText(NdjsonInput& input, bool with_digest);

/// SHA-256 of the whole input, in hexadecimal.
Result<std::string> DigestOf(NdjsonInput& input);

}  // namespace spillway::lake
