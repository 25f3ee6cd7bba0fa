#include "cri/streaming/protocol.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace crisp::cri {
namespace {

constexpr char kV1[] = "channel.k8s.io";
constexpr char kV2[] = "v2.channel.k8s.io";
constexpr char kV3[] = "v3.channel.k8s.io";
constexpr char kV4[] = "v4.channel.k8s.io";
constexpr char kV5[] = "v5.channel.k8s.io";
constexpr char kV1Base64[] = "base64.channel.k8s.io";
constexpr char kV4Base64[] = "v4.base64.channel.k8s.io";
constexpr char kForward[] = "portforward.k8s.io";
constexpr char kForwardTunnel[] = "SPDY/3.1+portforward.k8s.io";

}  // namespace

std::vector<std::string> HeaderItems(const std::vector<std::string>& values) {
  std::vector<std::string> items;
  for (const std::string& value : values) {
    for (const absl::string_view item : absl::StrSplit(value, ',')) {
      const absl::string_view clean = absl::StripAsciiWhitespace(item);
      if (!clean.empty()) items.emplace_back(clean);
    }
  }
  return items;
}

const std::vector<std::string>& ServedSpdyProtocols(StreamKind kind) {
  static const auto* const commands = new std::vector<std::string>{kV5, kV4, kV3, kV2, kV1};
  static const auto* const forwards = new std::vector<std::string>{kForward};
  return kind == StreamKind::kPortForward ? *forwards : *commands;
}

std::optional<SpdyProtocol> ChooseSpdyProtocol(StreamKind kind,
                                               const std::vector<std::string>& wanted) {
  const std::vector<std::string>& served = ServedSpdyProtocols(kind);
  for (const std::string& name : wanted) {
    if (std::find(served.begin(), served.end(), name) == served.end()) continue;
    SpdyProtocol chosen;
    chosen.name = name;
    chosen.status_json = name == kV4 || name == kV5;
    chosen.resize = chosen.status_json || name == kV3;
    return chosen;
  }
  return std::nullopt;
}

std::optional<WebSocketProtocol> ChooseWebSocketProtocol(StreamKind kind,
                                                         const std::vector<std::string>& wanted) {
  if (wanted.empty()) return WebSocketProtocol();
  for (const std::string& name : wanted) {
    WebSocketProtocol chosen;
    chosen.name = name;
    if (kind == StreamKind::kPortForward && name == kForwardTunnel) {
      chosen.spdy_tunnel = true;
      return chosen;
    }
    // Kubernetes has v5 for commands alone; a port-forward gets from it what it needs most.
    if (name == kV5) {
      chosen.status_json = chosen.half_close = true;
      chosen.tells_close = kind == StreamKind::kPortForward;
      return chosen;
    }
    if (name == kV1 || name == kV4 || name == kV1Base64 || name == kV4Base64) {
      chosen.status_json = absl::StartsWith(name, "v4.");
      chosen.base64 = absl::StrContains(name, "base64");
      return chosen;
    }
  }
  return std::nullopt;
}

}  // namespace crisp::cri
