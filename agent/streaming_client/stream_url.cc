#include "agent/streaming_client/stream_url.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace crisp::cli {

absl::StatusOr<StreamUrl> StreamUrl::Parse(absl::string_view url) {
  const absl::string_view whole = url;
  if (absl::StartsWith(url, "https://")) {
    return absl::UnimplementedError(
        "the runtime streams over TLS, which this client does not speak; crictl can");
  }
  if (!absl::ConsumePrefix(&url, "http://")) {
    return absl::InternalError(absl::StrCat("the runtime answered with no stream URL: ", whole));
  }
  StreamUrl out;
  const size_t slash = std::min(url.find('/'), url.size());
  absl::string_view authority = url.substr(0, slash);
  out.path = slash == url.size() ? "/" : std::string(url.substr(slash));
  const size_t colon = authority.rfind(':');
  const bool has_port =
      colon != absl::string_view::npos && authority.find(']', colon) == absl::string_view::npos;
  out.port = has_port ? std::string(authority.substr(colon + 1)) : "80";
  authority = has_port ? authority.substr(0, colon) : authority;
  if (absl::ConsumePrefix(&authority, "[")) absl::ConsumeSuffix(&authority, "]");
  out.host = std::string(authority);
  if (out.host.empty() || out.port.empty()) {
    return absl::InternalError(absl::StrCat("the runtime's stream URL has no address: ", whole));
  }
  return out;
}

}  // namespace crisp::cli
