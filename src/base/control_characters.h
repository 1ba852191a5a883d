#pragma once

#include <string>
#include <string_view>

namespace spillway {

/// Whether `text` has a control character of ASCII: NUL, a line break, a tab, DEL.
bool HasControlCharacter(std::string_view text);

/// The text with the control characters, on which a terminal would act, as JSON's escapes: those
/// below U+0020, DEL, and U+0080 to U+009F; and with bytes that are not UTF-8 as \x9b. Characters
/// of `kept` stay as they are.
std::string EscapeControlCharacters(std::string_view text, std::string_view kept = {});

}  // namespace spillway
