// One repository of one registry, through its mirrors: which manifest a name
// means, and the bytes of manifests and blobs.
//
// Endpoints are tried in the order of hosts.h. Redirects are followed here, and
// only a request to the endpoint itself carries its authorisation and headers.
//
// Ownership: borrows the HttpClient; it outlives this.
// Threads:   safe.
// Errors:    NotFound, PermissionDenied, Unreachable (http_client.h), DataLoss for
//            bytes that are not what their digest says, Cancelled; the message
//            names the host. With several endpoints the last one's code counts
//            and the message tells of all.
#ifndef CRISP_CRI_IMAGES_REGISTRY_REGISTRY_CLIENT_H_
#define CRISP_CRI_IMAGES_REGISTRY_REGISTRY_CLIENT_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cri/images/manifest.h"
#include "cri/images/reference.h"
#include "cri/images/registry/authorizer.h"
#include "cri/images/registry/credentials.h"
#include "cri/images/registry/hosts.h"
#include "cri/images/registry/http_client.h"

namespace crisp::cri {

class RegistryClient {
 public:
  struct Options {
    std::vector<RegistryEndpoint> endpoints;
    Credentials credentials;
    absl::Duration no_progress_timeout = absl::Minutes(5);
    std::function<bool()> cancelled;
  };

  RegistryClient(HttpClient* http, Reference reference, Options options);
  ~RegistryClient();

  // The manifest or index that the reference means.
  absl::StatusOr<Descriptor> Resolve();

  // A manifest, index or config as a whole, checked against digest and size.
  absl::StatusOr<std::string> FetchDocument(const Descriptor& descriptor);

  // Hands the blob's bytes from `offset` on to `sink`. The caller checks the
  // digest; more bytes than the descriptor's size are refused here. After a
  // failure that has delivered bytes, call again with the new offset.
  absl::Status FetchBlob(const Descriptor& descriptor, int64_t offset,
                         const std::function<absl::Status(absl::string_view)>& sink);

 private:
  struct Endpoint;
  struct Ask;  // One request, before it is bound to an endpoint.

  absl::StatusOr<HttpResponse> Send(Endpoint& endpoint, const Ask& ask);
  absl::StatusOr<HttpResponse> SendOnce(Endpoint& endpoint, const Ask& ask);
  absl::StatusOr<HttpResponse> SendToUrl(std::string url, const Ask& ask, Endpoint* endpoint);
  absl::StatusOr<Descriptor> ResolveAt(Endpoint& endpoint);
  absl::StatusOr<Descriptor> ResolveByGet(Endpoint& endpoint);
  // Runs `step` at one endpoint after the other until it succeeds. `stop` ends
  // the series early, after bytes have been delivered.
  absl::Status AtEach(bool Endpoint::*capability, absl::string_view what,
                      const std::function<absl::Status(Endpoint&)>& step,
                      const std::function<bool()>& stop = nullptr);
  bool Cancelled() const { return options_.cancelled && options_.cancelled(); }
  bool SleepUnlessCancelled(absl::Duration wait) const;

  HttpClient* const http_;
  const Reference reference_;
  const Options options_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;

  absl::Mutex mu_;
  // The root manifest's bytes, if resolving had to fetch them.
  std::string resolved_digest_ ABSL_GUARDED_BY(mu_);
  std::string resolved_body_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_REGISTRY_REGISTRY_CLIENT_H_
