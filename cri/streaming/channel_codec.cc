#include "cri/streaming/channel_codec.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace crisp::cri {
namespace {

constexpr uint8_t kCloseChannel = 255;

bool InBase64(char c) { return absl::ascii_isalnum(c) || c == '+' || c == '/' || c == '='; }

}  // namespace

absl::Status ChannelDecoder::Feed(absl::string_view bytes, bool last) {
  if (!begun_) {
    if (bytes.empty()) return absl::OkStatus();
    begun_ = true;
    channel_ = static_cast<uint8_t>(bytes[0]);
    bytes.remove_prefix(1);
    if (base64_) {
      if (channel_ < '0' || channel_ > '9') {
        return absl::InvalidArgumentError("a message does not begin with a channel's digit");
      }
      channel_ = static_cast<uint8_t>(channel_ - '0');
    }
  }
  if (last) begun_ = false;
  if (base64_) return Text(bytes, last);
  if (half_close_ && channel_ == kCloseChannel) {
    for (const char closed : bytes) handler_.on_close(static_cast<uint8_t>(closed));
    return absl::OkStatus();
  }
  if (!bytes.empty()) handler_.on_data(channel_, bytes);
  return absl::OkStatus();
}

absl::Status ChannelDecoder::Text(absl::string_view bytes, bool last) {
  // More than the library asks for: it passes over white space, and would take an end in
  // the middle for the end of a piece.
  const size_t end = bytes.find_first_not_of('=', std::min(bytes.find('='), bytes.size()));
  if (end != bytes.npos || (padded_ && bytes.find_first_not_of('=') != bytes.npos) ||
      !absl::c_all_of(bytes, InBase64)) {
    return absl::InvalidArgumentError("a message is not base64");
  }
  padded_ = !last && (padded_ || absl::StrContains(bytes, '='));
  std::string text = std::exchange(quad_, "");
  absl::StrAppend(&text, bytes);
  const size_t left = last ? 0 : text.size() % 4;
  quad_ = text.substr(text.size() - left);
  text.resize(text.size() - left);
  std::string data;
  if (!absl::Base64Unescape(text, &data)) {
    return absl::InvalidArgumentError("a message is not base64");
  }
  if (!data.empty()) handler_.on_data(channel_, data);
  return absl::OkStatus();
}

std::string ChannelMessage(const WebSocketProtocol& protocol, uint8_t channel,
                           absl::string_view data) {
  std::string message;
  if (protocol.base64) {
    message.push_back(static_cast<char>('0' + channel));
    absl::StrAppend(&message, absl::Base64Escape(data));
  } else {
    message.reserve(data.size() + 1);
    message.push_back(static_cast<char>(channel));
    absl::StrAppend(&message, data);
  }
  return message;
}

std::string CloseMessage(uint8_t channel) {
  return {static_cast<char>(kCloseChannel), static_cast<char>(channel)};
}

}  // namespace crisp::cri
