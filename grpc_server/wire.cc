#include "grpc_server/wire.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace crisp::grpcserver {
namespace {

size_t LengthIn(const Prefix& prefix) {
  size_t length = 0;
  for (size_t i = 1; i < kPrefixBytes; ++i) {
    length = length << 8 | static_cast<unsigned char>(prefix[i]);
  }
  return length;
}

bool ContinuesCharacter(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

}  // namespace

Prefix PrefixFor(size_t size) {
  return {0, static_cast<char>(size >> 24), static_cast<char>(size >> 16),
          static_cast<char>(size >> 8), static_cast<char>(size)};
}

absl::StatusOr<std::optional<std::string>> MessageReader::Next(absl::string_view* data) {
  if (prefix_bytes_ < kPrefixBytes) {
    const size_t n = std::min(kPrefixBytes - prefix_bytes_, data->size());
    std::copy_n(data->begin(), n, prefix_.begin() + static_cast<std::ptrdiff_t>(prefix_bytes_));
    data->remove_prefix(n);
    prefix_bytes_ += n;
    if (prefix_bytes_ < kPrefixBytes) return std::nullopt;
    if (prefix_[0] == 1) {
      return absl::UnimplementedError("a compressed request: this server takes identity only");
    }
    if (prefix_[0] != 0) return absl::InternalError("a message does not begin as gRPC's do");
    wanted_ = LengthIn(prefix_);
    if (wanted_ > max_message_bytes_) {
      return absl::ResourceExhaustedError(absl::StrCat("the request has ", wanted_,
                                                       " bytes, more than the ", max_message_bytes_,
                                                       " that are taken"));
    }
  }
  const size_t n = std::min(wanted_ - message_.size(), data->size());
  message_.append(data->data(), n);
  data->remove_prefix(n);
  if (message_.size() < wanted_) return std::nullopt;
  prefix_bytes_ = 0;
  return std::exchange(message_, std::string());
}

std::optional<absl::Duration> ParseTimeout(absl::string_view value) {
  constexpr size_t kMaxDigits = 8;
  if (value.size() < 2 || value.size() > kMaxDigits + 1) return std::nullopt;
  const absl::string_view digits = value.substr(0, value.size() - 1);
  int64_t amount = 0;
  if (!std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }) ||
      !absl::SimpleAtoi(digits, &amount)) {
    return std::nullopt;
  }
  switch (value.back()) {
    case 'H':
      return absl::Hours(amount);
    case 'M':
      return absl::Minutes(amount);
    case 'S':
      return absl::Seconds(amount);
    case 'm':
      return absl::Milliseconds(amount);
    case 'u':
      return absl::Microseconds(amount);
    case 'n':
      return absl::Nanoseconds(amount);
    default:
      return std::nullopt;
  }
}

std::string EncodeStatusMessage(absl::string_view message, size_t max_bytes) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (size_t at = 0; at < message.size();) {
    size_t end = at + 1;
    while (end < message.size() && ContinuesCharacter(message[end])) ++end;
    std::string character;
    for (const char c : message.substr(at, end - at)) {
      if (c >= ' ' && c <= '~' && c != '%') {
        character.push_back(c);
      } else {
        const auto byte = static_cast<unsigned char>(c);
        character.append({'%', kHex[byte >> 4], kHex[byte & 15]});
      }
    }
    if (out.size() + character.size() > max_bytes) break;
    out += character;
    at = end;
  }
  return out;
}

}  // namespace crisp::grpcserver
