#pragma once

#include <string>
#include <string_view>

namespace spillway::store::postgres_state {

/// PostgreSQL's text is UTF-8 without NUL, but records keep every text: an error may quote bytes of
/// no encoding, and must be recorded all the same. Such bytes, and U+0001, are stored as U+0001 and
/// two hexadecimal digits; all other text as it is.
std::string Storable(std::string_view text);

/// The inverse of Storable.
std::string Restored(std::string_view stored);

/// Whether Restored changes anything.
bool IsEscaped(std::string_view stored);

}  // namespace spillway::store::postgres_state
