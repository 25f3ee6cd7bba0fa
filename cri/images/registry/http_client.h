// HTTP requests, one at a time per call, on libcurl.
//
// Nothing happens behind the caller's back: no redirect is followed, no body is
// decoded, no credential is remembered, only http and https are spoken. Idle
// connections are kept for the next call.
//
// Ownership: owns a pool of curl handles.
// Threads:   safe; each call has a handle of its own.
// Errors:    Unavailable, marked (see IsUnreachable), when the server cannot be
//            reached, breaks off or sends nothing for too long; Cancelled; the
//            sink's own error. Any HTTP status is a response, not an error.
#ifndef CRISP_CRI_IMAGES_REGISTRY_HTTP_CLIENT_H_
#define CRISP_CRI_IMAGES_REGISTRY_HTTP_CLIENT_H_

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace crisp::cri {

struct TlsOptions {
  std::vector<std::string> ca_files;  // Trusted beside the system's.
  std::string client_cert_file, client_key_file;
  bool skip_verify = false;
};

struct HttpRequest {
  std::string method = "GET";  // GET, HEAD or POST
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  // Of a POST; application/x-www-form-urlencoded.
  TlsOptions tls;
  absl::Duration connect_timeout = absl::Seconds(30);
  absl::Duration no_progress_timeout = absl::Minutes(1);
  size_t max_body_bytes = 8 << 20;  // Of a body that is not handed to a sink.
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::vector<std::string>> headers;  // Names in lower case.
  std::string body;                                         // What no sink took.

  // The first value of `name` (lower case); "" if absent.
  std::string Header(const std::string& name) const;
};

// Takes the body of a response of status 2xx; the response's headers are complete.
using BodySink = std::function<absl::Status(const HttpResponse&, absl::string_view)>;

class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // `sink` may be empty: then the body is in the response. `cancelled` may be
  // empty; it is asked about once a second and with every piece of the body.
  absl::StatusOr<HttpResponse> Do(const HttpRequest& request,
                                  const std::function<bool()>& cancelled,
                                  const BodySink& sink = nullptr);

 private:
  void* Borrow() ABSL_LOCKS_EXCLUDED(mu_);
  void Return(void* handle) ABSL_LOCKS_EXCLUDED(mu_);

  absl::Mutex mu_;
  std::vector<void*> idle_ ABSL_GUARDED_BY(mu_);
};

// Marks an error as "the registry could not be reached or is not well".
absl::Status Unreachable(absl::string_view message);
bool IsUnreachable(const absl::Status& status);

// True if the TLS handshake itself failed: the server may speak plain http.
bool IsTlsMismatch(const absl::Status& status);

// The parts of a URL that say who is asked. InvalidArgument unless http or https.
struct UrlOrigin {
  std::string scheme, host, port;
  bool operator==(const UrlOrigin& other) const {
    return scheme == other.scheme && host == other.host && port == other.port;
  }
};
absl::StatusOr<UrlOrigin> OriginOf(const std::string& url);

// `location` as a redirect from `base` means it.
absl::StatusOr<std::string> ResolveUrl(const std::string& base, const std::string& location);

// Percent-encodes a query value.
std::string UrlEscape(absl::string_view text);

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_REGISTRY_HTTP_CLIENT_H_
