// UTF-8 (RFC 3629), where bytes from outside become text: protobuf strings, JSON and YAML
// bear nothing else. Surrogates, overlong forms and code points above U+10FFFF are refused.
//
// Threads: free functions.
#ifndef CRISP_BASE_UTF8_H_
#define CRISP_BASE_UTF8_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace crisp {

// Takes the first character off `text`; if that is none, takes one byte and answers nullopt.
// `text` must not be empty.
std::optional<char32_t> TakeCodePoint(absl::string_view* text);

bool IsUtf8(absl::string_view bytes);

// The longest beginning of `text`, which is UTF-8, that has at most `max_bytes` bytes and
// ends with a whole character.
absl::string_view Utf8Prefix(absl::string_view text, size_t max_bytes);

// `bytes` with U+FFFD in place of each byte that belongs to no character.
std::string ToUtf8(absl::string_view bytes);

// Characters of `text`, which is UTF-8.
size_t CountCodePoints(absl::string_view text);

}  // namespace crisp

#endif  // CRISP_BASE_UTF8_H_
