#include "cri/images/registry/http_client.h"

#include <curl/curl.h>

#include <memory>
#include <mutex>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace crisp::cri {
namespace {

constexpr char kUnreachablePayload[] = "crisp/registry-unreachable";
constexpr char kTlsMismatchPayload[] = "crisp/tls-mismatch";
constexpr size_t kMaxHeaderBytes = 256 << 10;
constexpr size_t kMaxErrorBody = 64 << 10;
constexpr size_t kMaxIdle = 16;

// One request under way: what curl's callbacks fill and ask.
struct Transfer {
  const std::function<bool()>* cancelled;
  const BodySink* sink;
  size_t max_body_bytes;
  absl::Duration no_progress_timeout;

  HttpResponse response;
  size_t header_bytes = 0;
  absl::Duration last_progress = Clock::Real()->Steady();
  curl_off_t last_bytes = 0;
  absl::Status error;  // Ours, when a callback ends the transfer.

  bool Fail(absl::Status why) {
    error = std::move(why);
    return false;
  }
  bool succeeded() const { return response.status >= 200 && response.status < 300; }
};

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  const size_t bytes = size * count;
  absl::string_view line(data, bytes);
  transfer->header_bytes += bytes;
  if (transfer->header_bytes > kMaxHeaderBytes) {
    transfer->Fail(Unreachable("the server's headers are over 256 KiB"));
    return 0;
  }
  if (absl::StartsWith(line, "HTTP/")) {
    // A new response: what came before was "100 Continue" or a proxy's answer.
    transfer->response = HttpResponse();
    const size_t space = line.find(' ');
    if (space != absl::string_view::npos) {
      transfer->response.status = std::atoi(std::string(line.substr(space + 1, 3)).c_str());
    }
    return bytes;
  }
  const size_t colon = line.find(':');
  if (colon != absl::string_view::npos) {
    transfer->response.headers[absl::AsciiStrToLower(line.substr(0, colon))].push_back(
        std::string(absl::StripAsciiWhitespace(line.substr(colon + 1))));
  }
  return bytes;
}

bool TakeBody(Transfer* transfer, absl::string_view piece) {
  if (*transfer->cancelled && (*transfer->cancelled)()) {
    return transfer->Fail(absl::CancelledError("cancelled"));
  }
  HttpResponse& response = transfer->response;
  if (transfer->succeeded() && *transfer->sink) {
    absl::Status taken = (*transfer->sink)(response, piece);
    // The time that the sink takes is not the server's.
    transfer->last_progress = Clock::Real()->Steady();
    return taken.ok() || transfer->Fail(std::move(taken));
  }
  const size_t most = transfer->succeeded() ? transfer->max_body_bytes : kMaxErrorBody;
  if (response.body.size() + piece.size() > most) {
    if (transfer->succeeded()) {
      return transfer->Fail(
          absl::InvalidArgumentError(absl::StrCat("the answer is over ", most, " bytes")));
    }
    return true;  // The end of a long error page is not missed.
  }
  response.body.append(piece.data(), piece.size());
  return true;
}

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  const size_t bytes = size * count;
  return TakeBody(static_cast<Transfer*>(user), absl::string_view(data, bytes)) ? bytes : 0;
}

int OnProgress(void* user, curl_off_t, curl_off_t down, curl_off_t, curl_off_t up) {
  auto* transfer = static_cast<Transfer*>(user);
  const absl::Duration now = Clock::Real()->Steady();
  if (down + up != transfer->last_bytes) {
    transfer->last_bytes = down + up;
    transfer->last_progress = now;
  }
  if (*transfer->cancelled && (*transfer->cancelled)()) {
    transfer->Fail(absl::CancelledError("cancelled"));
    return 1;
  }
  if (now - transfer->last_progress > transfer->no_progress_timeout) {
    transfer->Fail(Unreachable(
        absl::StrCat("no byte for ", absl::FormatDuration(transfer->no_progress_timeout))));
    return 1;
  }
  return 0;
}

absl::Status FromCurl(CURLcode code, const char* detail) {
  const char* text = detail[0] != '\0' ? detail : curl_easy_strerror(code);
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return absl::InvalidArgumentError(text);
    case CURLE_OUT_OF_MEMORY:
      return absl::ResourceExhaustedError(text);
    case CURLE_SSL_CONNECT_ERROR: {
      absl::Status status = Unreachable(text);
      status.SetPayload(kTlsMismatchPayload, absl::Cord("1"));
      return status;
    }
    default:
      return Unreachable(text);
  }
}

// Go's rule: what is on this machine is never asked through a proxy.
bool IsLoopback(absl::string_view host) {
  return host == "localhost" || absl::EndsWith(host, ".localhost") ||
         absl::StartsWith(host, "127.") || host == "[::1]" || host == "::1";
}

template <typename T>
absl::Status SetOption(CURL* curl, CURLoption option, T value) {
  const CURLcode code = curl_easy_setopt(curl, option, value);
  if (code == CURLE_OK) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("curl option ", static_cast<int>(option), ": ", curl_easy_strerror(code)));
}

absl::Status SetTls(CURL* curl, const TlsOptions& tls) {
  if (tls.skip_verify) {
    CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_SSL_VERIFYPEER, 0L));
    CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_SSL_VERIFYHOST, 0L));
  }
  if (!tls.client_cert_file.empty()) {
    CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_SSLCERT, tls.client_cert_file.c_str()));
  }
  if (!tls.client_key_file.empty()) {
    CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_SSLKEY, tls.client_key_file.c_str()));
  }
  std::string bundle;
  for (const std::string& path : tls.ca_files) {
    CRISP_ASSIGN_OR_RETURN(const std::string pem, Annotate(ReadFile(path, 4 << 20), "CA file"));
    absl::StrAppend(&bundle, pem, "\n");
  }
  if (bundle.empty()) return absl::OkStatus();
  // This replaces the default bundle file; the system's CA directory stays.
  curl_blob blob{bundle.data(), bundle.size(), CURL_BLOB_COPY};
  return SetOption(curl, CURLOPT_CAINFO_BLOB, &blob);
}

absl::Status SetUp(CURL* curl, const HttpRequest& request, const UrlOrigin& origin,
                   Transfer* transfer, char* detail) {
  CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_URL, request.url.c_str()));
  CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_PROTOCOLS_STR, "http,https"));
  CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_NOSIGNAL, 1L));
  CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_FOLLOWLOCATION, 0L));
  CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_BUFFERSIZE, 512L << 10));
  CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_USERAGENT, "crisp"));
  CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_ERRORBUFFER, detail));
  CRISP_RETURN_IF_ERROR(
      SetOption(curl, CURLOPT_CONNECTTIMEOUT_MS,
                static_cast<long>(absl::ToInt64Milliseconds(request.connect_timeout))));
  if (IsLoopback(origin.host)) {
    CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_PROXY, ""));
  }
  if (request.method == "HEAD") {
    CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_NOBODY, 1L));
  } else if (request.method == "POST") {
    CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_POST, 1L));
    CRISP_RETURN_IF_ERROR(
        SetOption(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size())));
    CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_POSTFIELDS, request.body.c_str()));
  }
  CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_HEADERFUNCTION, &OnHeader));
  CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_HEADERDATA, transfer));
  CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_WRITEFUNCTION, &OnBody));
  CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_WRITEDATA, transfer));
  CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_XFERINFOFUNCTION, &OnProgress));
  CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_XFERINFODATA, transfer));
  CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_NOPROGRESS, 0L));
  return SetTls(curl, request.tls);
}

std::string UrlPart(CURLU* url, CURLUPart part, unsigned flags) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return "";
  std::string out(text);
  curl_free(text);
  return out;
}

}  // namespace

std::string HttpResponse::Header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second.front();
}

HttpClient::HttpClient() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

HttpClient::~HttpClient() {
  for (void* handle : idle_) curl_easy_cleanup(handle);
}

void* HttpClient::Borrow() {
  {
    absl::MutexLock lock(&mu_);
    if (!idle_.empty()) {
      void* handle = idle_.back();
      idle_.pop_back();
      return handle;
    }
  }
  return curl_easy_init();
}

void HttpClient::Return(void* handle) {
  // Options, headers and TLS material go; connections stay.
  curl_easy_reset(handle);
  {
    absl::MutexLock lock(&mu_);
    if (idle_.size() < kMaxIdle) {
      idle_.push_back(handle);
      return;
    }
  }
  curl_easy_cleanup(handle);
}

absl::StatusOr<HttpResponse> HttpClient::Do(const HttpRequest& request,
                                            const std::function<bool()>& cancelled,
                                            const BodySink& sink) {
  CRISP_ASSIGN_OR_RETURN(const UrlOrigin origin, OriginOf(request.url));
  CURL* curl = Borrow();
  if (curl == nullptr) return absl::ResourceExhaustedError("curl_easy_init");
  const auto give_back = absl::MakeCleanup([this, curl] { Return(curl); });
  Transfer transfer{&cancelled, &sink, request.max_body_bytes, request.no_progress_timeout};
  char detail[CURL_ERROR_SIZE] = "";
  CRISP_RETURN_IF_ERROR(SetUp(curl, request, origin, &transfer, detail));
  // Bodies are stored and hashed as they come: no encoding on the way.
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(
      curl_slist_append(nullptr, "Accept-Encoding: identity"), &curl_slist_free_all);
  for (const auto& [name, value] : request.headers) {
    if (name.find_first_of("\r\n") != std::string::npos ||
        value.find_first_of("\r\n") != std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat("line break in request header ", name));
    }
    curl_slist* grown = curl_slist_append(headers.get(), absl::StrCat(name, ": ", value).c_str());
    if (grown == nullptr) return absl::ResourceExhaustedError("curl_slist_append");
    (void)headers.release();
    headers.reset(grown);
  }
  CRISP_RETURN_IF_ERROR(SetOption(curl, CURLOPT_HTTPHEADER, headers.get()));
  const CURLcode code = curl_easy_perform(curl);
  if (!transfer.error.ok()) return transfer.error;
  if (code != CURLE_OK) return FromCurl(code, detail);
  const std::string encoding = transfer.response.Header("content-encoding");
  if (transfer.succeeded() && !encoding.empty() && encoding != "identity") {
    return Unreachable(absl::StrCat("the server encoded the body as ", absl::CHexEscape(encoding)));
  }
  return std::move(transfer.response);
}

absl::Status Unreachable(absl::string_view message) {
  absl::Status status = absl::UnavailableError(message);
  status.SetPayload(kUnreachablePayload, absl::Cord("1"));
  return status;
}

bool IsUnreachable(const absl::Status& status) {
  return status.GetPayload(kUnreachablePayload).has_value();
}

bool IsTlsMismatch(const absl::Status& status) {
  return status.GetPayload(kTlsMismatchPayload).has_value();
}

absl::StatusOr<UrlOrigin> OriginOf(const std::string& url) {
  std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), &curl_url_cleanup);
  UrlOrigin out;
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) == CURLUE_OK) {
    out.scheme = UrlPart(parsed.get(), CURLUPART_SCHEME, 0);
    out.host = absl::AsciiStrToLower(UrlPart(parsed.get(), CURLUPART_HOST, 0));
    out.port = UrlPart(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  }
  if ((out.scheme != "http" && out.scheme != "https") || out.host.empty()) {
    return absl::InvalidArgumentError("not an http or https URL");
  }
  return out;
}

absl::StatusOr<std::string> ResolveUrl(const std::string& base, const std::string& location) {
  std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) != CURLUE_OK ||
      curl_url_set(url.get(), CURLUPART_URL, location.c_str(), 0) != CURLUE_OK) {
    return absl::InvalidArgumentError("the server redirects to something that is no URL");
  }
  // A fragment is for browsers.
  (void)curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
  return UrlPart(url.get(), CURLUPART_URL, 0);
}

std::string UrlEscape(absl::string_view text) {
  char* escaped = curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size()));
  if (escaped == nullptr) return "";
  std::string out(escaped);
  curl_free(escaped);
  return out;
}

}  // namespace crisp::cri
