#include "cri/images/registry/registry_client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "cri/containerd/digest.h"
#include "cri/images/json_fields.h"
#include "cri/images/media_types.h"
#include "cri/images/registry/http_status.h"

namespace crisp::cri {
namespace {

constexpr int kMaxRedirects = 10;
constexpr int kMaxBusyTries = 3;  // Of answers 408 and 429; 5xx is tried twice.
constexpr absl::Duration kBusyWait = absl::Seconds(1);
constexpr absl::Duration kMaxBusyWait = absl::Seconds(10);
constexpr int kFailuresBeforeLast = 2;

std::string ManifestTypes() {
  return absl::StrJoin({kOciIndex, kOciManifest, kDockerIndex, kDockerManifest, "*/*"}, ", ");
}

std::string MediaTypeOf(const HttpResponse& response) {
  const std::string header = response.Header("content-type");
  return std::string(
      absl::StripAsciiWhitespace(absl::string_view(header).substr(0, header.find(';'))));
}

bool IsManifestDocument(const Descriptor& descriptor) {
  return IsIndexType(descriptor.media_type) || IsManifestType(descriptor.media_type);
}

// Where the bytes of a partial response begin; -1 if it does not say.
int64_t RangeStart(const HttpResponse& response) {
  absl::string_view range = response.headers.count("content-range") == 0
                                ? absl::string_view()
                                : absl::string_view(response.headers.at("content-range").front());
  int64_t start = -1;
  if (!absl::ConsumePrefix(&range, "bytes ") ||
      !absl::SimpleAtoi(range.substr(0, range.find('-')), &start)) {
    return -1;
  }
  return start;
}

}  // namespace

struct RegistryClient::Endpoint {
  Endpoint(RegistryEndpoint from, HttpClient* http, const Credentials& credentials,
           const std::string& repository, UrlOrigin at)
      : config(std::move(from)),
        origin(std::move(at)),
        authorizer(http, credentials, repository, config.tls),
        can_pull(config.can_pull),
        can_resolve(config.can_pull && config.can_resolve) {}

  const RegistryEndpoint config;
  const UrlOrigin origin;
  Authorizer authorizer;
  bool can_pull, can_resolve;
  std::atomic<bool> plain_http{false};
  std::atomic<int> failures{0};

  // The configured URL, with http where that turned out to be spoken.
  std::string Base() const {
    if (!plain_http) return config.url;
    return absl::StrCat("http://", absl::StripPrefix(config.url, "https://"));
  }
  UrlOrigin CurrentOrigin() const {
    UrlOrigin out = origin;
    if (plain_http) out.scheme = "http";
    return out;
  }
};

struct RegistryClient::Ask {
  std::string method = "GET";
  std::string path;  // Below the endpoint's URL: "/library/busybox/manifests/latest".
  std::vector<std::pair<std::string, std::string>> headers;
  BodySink sink;
};

RegistryClient::RegistryClient(HttpClient* http, Reference reference, Options options)
    : http_(http), reference_(std::move(reference)), options_(std::move(options)) {
  for (const RegistryEndpoint& endpoint : options_.endpoints) {
    absl::StatusOr<UrlOrigin> origin = OriginOf(endpoint.url);
    // hosts.h lets only URLs through; one that is none is asked for and says so.
    endpoints_.push_back(std::make_unique<Endpoint>(endpoint, http_, options_.credentials,
                                                    reference_.path,
                                                    origin.ok() ? *origin : UrlOrigin()));
  }
}

RegistryClient::~RegistryClient() = default;

bool RegistryClient::SleepUnlessCancelled(absl::Duration wait) const {
  const absl::Time until = absl::Now() + wait;
  while (absl::Now() < until) {
    if (Cancelled()) return false;
    absl::SleepFor(std::min(absl::Milliseconds(50), until - absl::Now()));
  }
  return !Cancelled();
}

absl::StatusOr<HttpResponse> RegistryClient::SendToUrl(std::string url, const Ask& ask,
                                                       Endpoint* endpoint) {
  bool answered = false;
  for (int hop = 0; hop <= kMaxRedirects;) {
    HttpRequest request;
    request.method = ask.method;
    request.url = url;
    request.headers = ask.headers;
    request.no_progress_timeout = options_.no_progress_timeout;
    request.max_body_bytes = kMaxJsonBytes;
    CRISP_ASSIGN_OR_RETURN(const UrlOrigin origin, OriginOf(url));
    // A storage server that a registry redirects to gets neither token nor headers.
    const bool at_endpoint = endpoint != nullptr && origin == endpoint->CurrentOrigin();
    std::string authorization;
    if (at_endpoint) {
      request.tls = endpoint->config.tls;
      request.connect_timeout = endpoint->config.connect_timeout;
      request.headers.insert(request.headers.end(), endpoint->config.headers.begin(),
                             endpoint->config.headers.end());
      authorization = endpoint->authorizer.Header();
      if (!authorization.empty()) request.headers.emplace_back("Authorization", authorization);
    }
    CRISP_ASSIGN_OR_RETURN(HttpResponse response,
                           Annotate(http_->Do(request, options_.cancelled, ask.sink), origin.host));
    if (response.status == 401 && at_endpoint) {
      if (answered) return endpoint->authorizer.Refused();
      answered = true;
      CRISP_RETURN_IF_ERROR(
          endpoint->authorizer.Answer(response, origin, authorization, options_.cancelled));
      continue;
    }
    const std::string location = response.Header("location");
    if (response.status < 301 || response.status > 308 || location.empty()) return response;
    CRISP_ASSIGN_OR_RETURN(url, ResolveUrl(url, location));
    CRISP_ASSIGN_OR_RETURN(const UrlOrigin next, OriginOf(url));
    if (origin.scheme == "https" && next.scheme == "http") {
      return absl::PermissionDeniedError(
          absl::StrCat(origin.host, " redirects from https to plain http at ", next.host));
    }
    ++hop;
  }
  return absl::FailedPreconditionError(absl::StrCat("more than ", kMaxRedirects, " redirects"));
}

absl::StatusOr<HttpResponse> RegistryClient::SendOnce(Endpoint& endpoint, const Ask& ask) {
  const auto url = [&] {
    return absl::StrCat(endpoint.Base(), ask.path,
                        endpoint.config.namespace_query.empty() ? "" : "?ns=",
                        UrlEscape(endpoint.config.namespace_query));
  };
  absl::StatusOr<HttpResponse> response = SendToUrl(url(), ask, &endpoint);
  if (response.ok() || !endpoint.config.plain_http_fallback || endpoint.plain_http ||
      !IsTlsMismatch(response.status())) {
    return response;
  }
  endpoint.plain_http = true;
  return SendToUrl(url(), ask, &endpoint);
}

absl::StatusOr<HttpResponse> RegistryClient::Send(Endpoint& endpoint, const Ask& ask) {
  for (int tries = 1;; ++tries) {
    CRISP_ASSIGN_OR_RETURN(HttpResponse response, SendOnce(endpoint, ask));
    if (response.status >= 200 && response.status < 300) return response;
    const bool busy = response.status == 408 || response.status == 429;
    const bool again = busy ? tries < kMaxBusyTries : response.status >= 500 && tries < 2;
    if (!again) return StatusOfResponse(response);
    int64_t seconds = 0;
    absl::Duration wait = kBusyWait;
    if (absl::SimpleAtoi(response.Header("retry-after"), &seconds) && seconds >= 0) {
      wait = std::min(absl::Seconds(seconds), kMaxBusyWait);
    }
    if (!SleepUnlessCancelled(wait)) return absl::CancelledError("cancelled");
  }
}

absl::Status RegistryClient::AtEach(bool Endpoint::*capability, absl::string_view what,
                                    const std::function<absl::Status(Endpoint&)>& step,
                                    const std::function<bool()>& stop) {
  std::vector<Endpoint*> order;
  for (const auto& endpoint : endpoints_) {
    if (endpoint.get()->*capability) order.push_back(endpoint.get());
  }
  // A mirror that keeps breaking off is asked last.
  std::stable_partition(order.begin(), order.end(), [](const Endpoint* endpoint) {
    return endpoint->failures < kFailuresBeforeLast;
  });
  absl::Status last = absl::FailedPreconditionError(
      absl::StrCat(what, ": no endpoint of ", reference_.domain, " is allowed to serve it"));
  std::vector<std::string> earlier;
  for (Endpoint* endpoint : order) {
    if (Cancelled()) return absl::CancelledError(absl::StrCat(what, ": cancelled"));
    const absl::Status status = step(*endpoint);
    if (status.ok()) return status;
    if (IsUnreachable(status)) ++endpoint->failures;
    last = Annotate(status, what, " from ", endpoint->Base());
    if (absl::IsCancelled(status) || (stop && stop())) return last;
    if (endpoint != order.back()) earlier.push_back(std::string(last.message()));
  }
  if (earlier.empty()) return last;
  return Annotate(last, absl::StrJoin(earlier, "; "), "; then");
}

absl::StatusOr<Descriptor> RegistryClient::Resolve() {
  Descriptor out;
  CRISP_RETURN_IF_ERROR(AtEach(&Endpoint::can_resolve, "resolve", [&](Endpoint& endpoint) {
    CRISP_ASSIGN_OR_RETURN(out, ResolveAt(endpoint));
    return absl::OkStatus();
  }));
  return out;
}

absl::StatusOr<Descriptor> RegistryClient::ResolveAt(Endpoint& endpoint) {
  Ask ask;
  ask.method = "HEAD";
  ask.path = absl::StrCat("/", reference_.path, "/manifests/", reference_.Object());
  ask.headers.emplace_back("Accept", ManifestTypes());
  absl::StatusOr<HttpResponse> response = Send(endpoint, ask);
  if (!response.ok()) {
    // 405: a server that knows no HEAD.
    if (absl::IsFailedPrecondition(response.status())) return ResolveByGet(endpoint);
    return response.status();
  }
  Descriptor out;
  out.media_type = MediaTypeOf(*response);
  out.digest = response->Header("docker-content-digest");
  const bool sized =
      absl::SimpleAtoi(response->Header("content-length"), &out.size) && out.size > 0;
  if (out.digest.empty()) out.digest = reference_.digest;
  if (out.digest.empty() || !sized || !IsManifestDocument(out)) return ResolveByGet(endpoint);
  CRISP_RETURN_IF_ERROR(Annotate(ValidateDigest(out.digest), "Docker-Content-Digest"));
  if (!reference_.digest.empty() && out.digest != reference_.digest) {
    return absl::DataLossError(
        absl::StrCat("asked for ", reference_.digest, ", the registry offers ", out.digest));
  }
  if (out.size > static_cast<int64_t>(kMaxJsonBytes)) {
    return absl::InvalidArgumentError(absl::StrCat("manifest of ", out.size, " bytes"));
  }
  return out;
}

absl::StatusOr<Descriptor> RegistryClient::ResolveByGet(Endpoint& endpoint) {
  Ask ask;
  ask.path = absl::StrCat("/", reference_.path, "/manifests/", reference_.Object());
  ask.headers.emplace_back("Accept", ManifestTypes());
  CRISP_ASSIGN_OR_RETURN(HttpResponse response, Send(endpoint, ask));
  Descriptor out;
  out.media_type = MediaTypeOf(response);
  out.digest = Sha256Digest(response.body);
  out.size = static_cast<int64_t>(response.body.size());
  if (!reference_.digest.empty() && out.digest != reference_.digest) {
    return absl::DataLossError(
        absl::StrCat("asked for ", reference_.digest, ", the bytes are ", out.digest));
  }
  CRISP_ASSIGN_OR_RETURN(const ImageDocument document,
                         ParseImageDocument(response.body, out.media_type));
  out.media_type = std::visit([](const auto& one) { return one.media_type; }, document);
  absl::MutexLock lock(&mu_);
  resolved_digest_ = out.digest;
  resolved_body_ = std::move(response.body);
  return out;
}

absl::StatusOr<std::string> RegistryClient::FetchDocument(const Descriptor& descriptor) {
  {
    absl::MutexLock lock(&mu_);
    if (descriptor.digest == resolved_digest_) return resolved_body_;
  }
  if (descriptor.size > static_cast<int64_t>(kMaxJsonBytes)) {
    return absl::InvalidArgumentError(absl::StrCat(descriptor.media_type, " of ", descriptor.size,
                                                   " bytes; at most ", kMaxJsonBytes, " are read"));
  }
  std::string body;
  Ask ask;
  ask.path =
      absl::StrCat("/", reference_.path, IsManifestDocument(descriptor) ? "/manifests/" : "/blobs/",
                   descriptor.digest);
  ask.headers.emplace_back("Accept", absl::StrCat(descriptor.media_type, ", */*"));
  const std::string what = absl::StrCat("fetch ", descriptor.digest);
  CRISP_RETURN_IF_ERROR(AtEach(&Endpoint::can_pull, what, [&](Endpoint& endpoint) {
    CRISP_ASSIGN_OR_RETURN(HttpResponse response, Send(endpoint, ask));
    if (Sha256Digest(response.body) != descriptor.digest ||
        static_cast<int64_t>(response.body.size()) != descriptor.size) {
      return absl::DataLossError(
          absl::StrCat("got ", response.body.size(), " bytes of ", Sha256Digest(response.body),
                       " where ", descriptor.size, " of ", descriptor.digest, " were promised"));
    }
    body = std::move(response.body);
    return absl::OkStatus();
  }));
  return body;
}

absl::Status RegistryClient::FetchBlob(const Descriptor& descriptor, int64_t offset,
                                       const std::function<absl::Status(absl::string_view)>& sink) {
  int64_t delivered = offset;  // Position of the next byte that `sink` wants.
  Ask ask;
  ask.path = absl::StrCat("/", reference_.path, "/blobs/", descriptor.digest);
  const auto receive = [&](const auto& send) -> absl::Status {
    int64_t position = -1;  // Position of the next byte that comes.
    const int64_t asked_from = delivered;
    ask.headers = {{"Accept", absl::StrCat(descriptor.media_type, ", */*")}};
    if (asked_from > 0) ask.headers.emplace_back("Range", absl::StrCat("bytes=", asked_from, "-"));
    ask.sink = [&](const HttpResponse& response, absl::string_view piece) -> absl::Status {
      if (position < 0) {
        position = response.status == 206 ? RangeStart(response) : 0;
        if (position < 0 || position > asked_from) {
          return absl::FailedPreconditionError("the server sends another range than was asked for");
        }
      }
      // A server that ignores Range sends again what is here already.
      const int64_t known =
          std::min<int64_t>(delivered - position, static_cast<int64_t>(piece.size()));
      position += static_cast<int64_t>(piece.size());
      if (known > 0) piece.remove_prefix(static_cast<size_t>(known));
      if (delivered + static_cast<int64_t>(piece.size()) > descriptor.size) {
        return absl::DataLossError(
            absl::StrCat("more than the ", descriptor.size, " bytes that the manifest promises"));
      }
      delivered += static_cast<int64_t>(piece.size());
      return piece.empty() ? absl::OkStatus() : sink(piece);
    };
    CRISP_RETURN_IF_ERROR(send());
    if (delivered < descriptor.size) {
      return Unreachable(
          absl::StrCat("the server ended at byte ", delivered, " of ", descriptor.size));
    }
    return absl::OkStatus();
  };
  const std::string what = absl::StrCat("fetch ", descriptor.digest);
  const auto stop = [&] { return delivered > offset; };
  absl::Status foreign;
  if (IsForeignLayerType(descriptor.media_type)) {
    for (const std::string& url : descriptor.urls) {
      foreign = receive([&]() -> absl::Status {
        CRISP_ASSIGN_OR_RETURN(const HttpResponse response, SendToUrl(url, ask, nullptr));
        return response.status == 200 || response.status == 206 ? absl::OkStatus()
                                                                : StatusOfResponse(response);
      });
      if (foreign.ok()) return foreign;
      if (stop() || Cancelled()) return Annotate(foreign, what);
    }
  }
  return AtEach(
      &Endpoint::can_pull, what,
      [&](Endpoint& endpoint) { return receive([&] { return Send(endpoint, ask).status(); }); },
      stop);
}

}  // namespace crisp::cri
