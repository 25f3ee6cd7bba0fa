#include "cri/images/registry/authorizer.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "cri/images/registry/http_status.h"

namespace crisp::cri {
namespace {

constexpr char kClientId[] = "crisp";
constexpr size_t kMaxTokenAnswer = 1 << 20;

std::string Parameter(const AuthChallenge& challenge, const std::string& name) {
  const auto found = challenge.parameters.find(name);
  return found == challenge.parameters.end() ? "" : found->second;
}

absl::StatusOr<std::string> TokenIn(const HttpResponse& response) {
  const nlohmann::json body = nlohmann::json::parse(response.body, nullptr, false);
  if (body.is_object()) {
    for (const char* name : {"token", "access_token"}) {
      const auto found = body.find(name);
      if (found != body.end() && found->is_string() && !found->get<std::string>().empty()) {
        return found->get<std::string>();
      }
    }
  }
  return absl::FailedPreconditionError("the answer holds no token");
}

}  // namespace

Authorizer::Authorizer(HttpClient* http, Credentials credentials, std::string repository,
                       TlsOptions tls)
    : http_(http),
      credentials_(std::move(credentials)),
      repository_(std::move(repository)),
      tls_(std::move(tls)) {
  if (!credentials_.registry_token.empty()) {
    header_ = absl::StrCat("Bearer ", credentials_.registry_token);
  }
}

std::string Authorizer::Header() const {
  absl::MutexLock lock(&mu_);
  return header_;
}

std::string Authorizer::BasicHeader() const {
  return absl::StrCat("Basic ", absl::Base64Escape(absl::StrCat(credentials_.username, ":",
                                                                credentials_.password)));
}

absl::Status Authorizer::Answer(const HttpResponse& response, const UrlOrigin& origin,
                                const std::string& sent, const std::function<bool()>& cancelled) {
  absl::MutexLock fetching(&fetch_mu_);
  // Another thread was here first and has a newer header.
  if (Header() != sent) return absl::OkStatus();
  const auto lines = response.headers.find("www-authenticate");
  const std::vector<AuthChallenge> challenges =
      ParseChallenges(lines == response.headers.end() ? std::vector<std::string>() : lines->second);
  const AuthChallenge* challenge = PreferredChallenge(challenges);
  if (challenge == nullptr) return StatusOfResponse(response);
  if (!credentials_.registry_token.empty()) {
    return absl::PermissionDeniedError("the registry refused the given registry token");
  }
  std::string header;
  if (challenge->scheme == "basic") {
    if (credentials_.username.empty()) {
      return absl::PermissionDeniedError("the registry wants a user name and password");
    }
    header = BasicHeader();
    if (header == sent) return Refused();
  } else {
    CRISP_ASSIGN_OR_RETURN(const std::string token, FetchToken(*challenge, origin, cancelled));
    header = absl::StrCat("Bearer ", token);
  }
  absl::MutexLock lock(&mu_);
  header_ = std::move(header);
  return absl::OkStatus();
}

absl::Status Authorizer::Refused() const {
  return absl::PermissionDeniedError(credentials_.empty()
                                         ? "the repository does not exist or needs credentials"
                                         : "the registry refused the credentials");
}

absl::StatusOr<std::string> Authorizer::FetchToken(const AuthChallenge& challenge,
                                                   const UrlOrigin& endpoint,
                                                   const std::function<bool()>& cancelled) const {
  const std::string realm = Parameter(challenge, "realm");
  CRISP_ASSIGN_OR_RETURN(const UrlOrigin origin,
                         Annotate(OriginOf(realm), "the registry's token realm"));
  if (origin.scheme == "http" && endpoint.scheme == "https") {
    return absl::PermissionDeniedError(
        absl::StrCat("the token realm at ", origin.host, " is not encrypted, the registry is"));
  }
  std::set<std::string> scopes = {absl::StrCat("repository:", repository_, ":pull")};
  for (absl::string_view scope : absl::StrSplit(Parameter(challenge, "scope"), ' ')) {
    if (!scope.empty()) scopes.insert(std::string(scope));
  }
  const std::vector<std::string> wanted(scopes.begin(), scopes.end());
  const std::string service = Parameter(challenge, "service");
  HttpRequest base;
  base.max_body_bytes = kMaxTokenAnswer;
  if (origin == endpoint) base.tls = tls_;
  const bool has_secret = !credentials_.identity_token.empty() || !credentials_.username.empty();
  if (has_secret) {
    absl::StatusOr<std::string> token = PostForToken(realm, service, wanted, base, cancelled);
    if (!absl::IsUnimplemented(token.status())) {
      return Annotate(std::move(token), "token from ", origin.host);
    }
  }
  return Annotate(GetToken(realm, service, wanted, base, cancelled), "token from ", origin.host);
}

absl::StatusOr<std::string> Authorizer::PostForToken(const std::string& realm,
                                                     const std::string& service,
                                                     const std::vector<std::string>& scopes,
                                                     const HttpRequest& base,
                                                     const std::function<bool()>& cancelled) const {
  HttpRequest request = base;
  request.method = "POST";
  request.url = realm;
  request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  request.body = absl::StrCat("client_id=", kClientId, "&service=", UrlEscape(service),
                              "&scope=", UrlEscape(absl::StrJoin(scopes, " ")));
  const bool refresh = !credentials_.identity_token.empty();
  if (refresh) {
    absl::StrAppend(&request.body, "&grant_type=refresh_token&refresh_token=",
                    UrlEscape(credentials_.identity_token));
  } else {
    absl::StrAppend(&request.body,
                    "&grant_type=password&username=", UrlEscape(credentials_.username),
                    "&password=", UrlEscape(credentials_.password));
  }
  CRISP_ASSIGN_OR_RETURN(const HttpResponse response, http_->Do(request, cancelled));
  if (response.status == 200) return TokenIn(response);
  const bool unknown = response.status == 400 || response.status == 401 || response.status == 404 ||
                       response.status == 405;
  if (unknown && !credentials_.username.empty()) {
    return absl::UnimplementedError("the realm has no OAuth2 endpoint");
  }
  return StatusOfResponse(response);
}

absl::StatusOr<std::string> Authorizer::GetToken(const std::string& realm,
                                                 const std::string& service,
                                                 const std::vector<std::string>& scopes,
                                                 HttpRequest request,
                                                 const std::function<bool()>& cancelled) const {
  request.url = absl::StrCat(realm, absl::StrContains(realm, "?") ? "&" : "?",
                             "service=", UrlEscape(service));
  for (const std::string& scope : scopes) {
    absl::StrAppend(&request.url, "&scope=", UrlEscape(scope));
  }
  if (!credentials_.username.empty()) request.headers.emplace_back("Authorization", BasicHeader());
  CRISP_ASSIGN_OR_RETURN(const HttpResponse response, http_->Do(request, cancelled));
  if (response.status != 200) return StatusOfResponse(response);
  return TokenIn(response);
}

}  // namespace crisp::cri
