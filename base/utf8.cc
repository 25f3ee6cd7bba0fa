#include "base/utf8.h"

#include <algorithm>

namespace crisp {
namespace {

bool Continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

std::optional<char32_t> TakeCodePoint(absl::string_view* text) {
  const auto lead = static_cast<unsigned char>(text->front());
  size_t more = 0;
  char32_t point = lead;
  char32_t least = 0;  // Below it the form is overlong.
  if ((lead & 0xE0) == 0xC0) {
    more = 1, point = lead & 0x1F, least = 0x80;
  } else if ((lead & 0xF0) == 0xE0) {
    more = 2, point = lead & 0x0F, least = 0x800;
  } else if ((lead & 0xF8) == 0xF0) {
    more = 3, point = lead & 0x07, least = 0x10000;
  }
  bool whole = (lead < 0x80 || more > 0) && text->size() > more;
  for (size_t i = 1; whole && i <= more; ++i) {
    const char next = (*text)[i];
    whole = Continues(next);
    point = point << 6 | (static_cast<unsigned char>(next) & 0x3F);
  }
  const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
  if (!whole || point < least || point > 0x10FFFF || surrogate) {
    text->remove_prefix(1);
    return std::nullopt;
  }
  text->remove_prefix(more + 1);
  return point;
}

bool IsUtf8(absl::string_view bytes) {
  while (!bytes.empty()) {
    if (!TakeCodePoint(&bytes).has_value()) return false;
  }
  return true;
}

absl::string_view Utf8Prefix(absl::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  size_t end = max_bytes;
  while (end > 0 && Continues(text[end])) --end;
  return text.substr(0, end);
}

std::string ToUtf8(absl::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const absl::string_view rest = bytes;
    if (TakeCodePoint(&bytes).has_value()) {
      text.append(rest.data(), rest.size() - bytes.size());
    } else {
      text.append("\xEF\xBF\xBD");
    }
  }
  return text;
}

size_t CountCodePoints(absl::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !Continues(c); }));
}

}  // namespace crisp
