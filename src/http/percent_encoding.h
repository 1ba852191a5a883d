#pragma once

#include <string>
#include <string_view>

namespace spillway::http {

/// Whether `/` stays as it is.
enum class Slash { kEncode, kKeep };

/// Everything but RFC 3986's unreserved characters becomes `%XX`, in upper case.
std::string PercentEncode(std::string_view text, Slash slash = Slash::kEncode);

/// Every `%XX` becomes its byte and `+` a space, as in form-encoded text. All else stays as it is.
std::string FormDecode(std::string_view text);

}  // namespace spillway::http
