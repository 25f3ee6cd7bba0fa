#include "agent/probes/http_get.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <mutex>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"

namespace crisp::agent {
namespace {

constexpr int kMaxRedirects = 10;

struct Body {
  size_t most = 0;
  std::string text;
  bool full = false;
};

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto* body = static_cast<Body*>(user);
  const size_t bytes = size * count;
  const size_t room = body->most - body->text.size();
  body->text.append(data, std::min(bytes, room));
  if (bytes <= room) return bytes;
  body->full = true;  // The rest is not waited for.
  return 0;
}

// Lower-case; empty for what is no URL.
std::string HostOf(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  char* host = nullptr;
  if (parsed == nullptr || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK ||
      curl_url_get(parsed.get(), CURLUPART_HOST, &host, 0) != CURLUE_OK) {
    return "";
  }
  const std::string out = absl::AsciiStrToLower(host);
  curl_free(host);
  return out;
}

bool CanBeSent(const std::string& text) {
  for (const char c : text) {
    if (c == '\r' || c == '\n' || c == '\0') return false;
  }
  return true;
}

using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

absl::StatusOr<Headers> MakeHeaders(const HttpGetRequest& request) {
  Headers list(nullptr, curl_slist_free_all);
  const auto add = [&](const std::string& line) {
    list.reset(curl_slist_append(list.release(), line.c_str()));
  };
  bool agent = false;
  for (const auto& [name, value] : request.headers) {
    if (name.empty() || !CanBeSent(name) || !CanBeSent(value)) {
      return absl::InvalidArgumentError("a header holds what no header can");
    }
    agent = agent || absl::EqualsIgnoreCase(name, "User-Agent");
    // For curl "Name:" takes a header away and "Name;" sends an empty one.
    add(value.empty() ? absl::StrCat(name, ";") : absl::StrCat(name, ": ", value));
  }
  if (!agent) add("User-Agent: kube-probe/crisp");
  return list;
}

void InitCurl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

}  // namespace

std::string MakeUrl(const std::string& scheme, const std::string& host, int port,
                    const std::string& path) {
  const bool v6 = absl::StrContains(host, ':') && !absl::StartsWith(host, "[");
  return absl::StrCat(absl::AsciiStrToLower(scheme), "://", v6 ? "[" : "", host, v6 ? "]" : "", ":",
                      port, absl::StartsWith(path, "/") ? "" : "/", path);
}

absl::StatusOr<HttpGetReply> HttpGet(const HttpGetRequest& request) {
  InitCurl();
  auto headers = MakeHeaders(request);
  if (!headers.ok()) return headers.status();
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  if (curl == nullptr) return absl::ResourceExhaustedError("curl_easy_init");
  const absl::Duration deadline = Clock::Real()->Steady() + request.timeout;
  const std::string first_host = HostOf(request.url);
  std::string url = request.url;
  char error[CURL_ERROR_SIZE] = {};
  CURL* const handle = curl.get();
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, request.check_certificates ? 1L : 0L);
  curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, request.check_certificates ? 2L : 0L);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers->get());
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error);
  for (int i = 0; i <= kMaxRedirects; ++i) {
    const int64_t left = absl::ToInt64Milliseconds(deadline - Clock::Real()->Steady());
    if (left <= 0) return absl::DeadlineExceededError("timed out");
    Body body{request.max_body, "", false};
    error[0] = '\0';
    curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(left));
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &body);
    const CURLcode code = curl_easy_perform(handle);
    if (code == CURLE_OPERATION_TIMEDOUT) {
      return absl::DeadlineExceededError(error[0] != '\0' ? error : "timed out");
    }
    if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && body.full)) {
      return absl::UnavailableError(error[0] != '\0' ? error : curl_easy_strerror(code));
    }
    if (body.full && !request.may_truncate) {
      return absl::OutOfRangeError(absl::StrCat("the answer is over ", body.most, " bytes"));
    }
    HttpGetReply reply;
    reply.body = std::move(body.text);
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &reply.status);
    char* next = nullptr;
    curl_easy_getinfo(handle, CURLINFO_REDIRECT_URL, &next);
    if (next == nullptr) return reply;
    reply.redirects_elsewhere = HostOf(next) != first_host;
    if (reply.redirects_elsewhere) return reply;
    url = next;
  }
  return absl::UnavailableError(absl::StrCat("stopped after ", kMaxRedirects, " redirects"));
}

}  // namespace crisp::agent
