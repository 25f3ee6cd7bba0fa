// Answers one registry endpoint's demands for authorisation, for one repository.
//
// Basic credentials, or bearer tokens fetched from the realm that the endpoint
// names: by POST (OAuth2) when there is a secret, by GET otherwise or when the
// realm does not know the POST. A token is kept until the endpoint refuses it.
//
// Ownership: borrows the HttpClient.
// Threads:   safe; one caller fetches a token, the others wait for it.
// Errors:    PermissionDenied when credentials are missing or refused; else the
//            realm's own. No message contains a secret.
#ifndef CRISP_CRI_IMAGES_REGISTRY_AUTHORIZER_H_
#define CRISP_CRI_IMAGES_REGISTRY_AUTHORIZER_H_

#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "cri/images/registry/challenge.h"
#include "cri/images/registry/credentials.h"
#include "cri/images/registry/http_client.h"

namespace crisp::cri {

class Authorizer {
 public:
  // `tls` is how to speak with the endpoint, and with a realm at the same origin.
  Authorizer(HttpClient* http, Credentials credentials, std::string repository, TlsOptions tls);

  // The Authorization header for the next request; "" if none is known to be needed.
  std::string Header() const;

  // The endpoint at `origin` answered 401 to a request that carried `sent`. On OK,
  // Header() is worth another try.
  absl::Status Answer(const HttpResponse& response, const UrlOrigin& origin,
                      const std::string& sent, const std::function<bool()>& cancelled);

  // What it means when that try is answered 401 too.
  absl::Status Refused() const;

 private:
  absl::StatusOr<std::string> FetchToken(const AuthChallenge& challenge, const UrlOrigin& endpoint,
                                         const std::function<bool()>& cancelled) const;
  absl::StatusOr<std::string> PostForToken(const std::string& realm, const std::string& service,
                                           const std::vector<std::string>& scopes,
                                           const HttpRequest& base,
                                           const std::function<bool()>& cancelled) const;
  absl::StatusOr<std::string> GetToken(const std::string& realm, const std::string& service,
                                       const std::vector<std::string>& scopes, HttpRequest request,
                                       const std::function<bool()>& cancelled) const;
  std::string BasicHeader() const;

  HttpClient* const http_;
  const Credentials credentials_;
  const std::string repository_;
  const TlsOptions tls_;

  absl::Mutex fetch_mu_;  // Held while a token is fetched; before mu_.
  mutable absl::Mutex mu_;
  std::string header_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_REGISTRY_AUTHORIZER_H_
