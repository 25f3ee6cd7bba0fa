// A field of a message whose own message is there as bytes (protobuf's wire format: the number
// and the type, then the length, then the bytes).
#ifndef CRISP_CRI_MESSAGES_MESSAGE_FIELD_H_
#define CRISP_CRI_MESSAGES_MESSAGE_FIELD_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace crisp::cri {

template <int number>
void AppendField(absl::string_view message, std::string* out) {
  static_assert(number < 16, "the tag has more than one byte");
  constexpr int kLengthDelimited = 2;
  out->push_back(static_cast<char>(number << 3 | kLengthDelimited));
  size_t length = message.size();
  for (; length >= 0x80; length >>= 7) out->push_back(static_cast<char>(length | 0x80));
  out->push_back(static_cast<char>(length));
  out->append(message.data(), message.size());
}

}  // namespace crisp::cri

#endif  // CRISP_CRI_MESSAGES_MESSAGE_FIELD_H_
