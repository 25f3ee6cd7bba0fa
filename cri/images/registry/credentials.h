// What a caller offers a registry to prove who it is. Values of these fields
// never reach a log line or an error message.
#ifndef CRISP_CRI_IMAGES_REGISTRY_CREDENTIALS_H_
#define CRISP_CRI_IMAGES_REGISTRY_CREDENTIALS_H_

#include <string>

#include "absl/status/statusor.h"

namespace crisp::cri {

struct Credentials {
  std::string username;
  std::string password;        // Or, with an empty username, see identity_token.
  std::string identity_token;  // An OAuth2 refresh token.
  std::string registry_token;  // A bearer token to send as it is.

  bool empty() const {
    return username.empty() && password.empty() && identity_token.empty() && registry_token.empty();
  }
};

// The fields of CRI's AuthConfig.
struct AuthFields {
  std::string username, password;
  std::string auth;            // base64 of "user:password"
  std::string server_address;  // If set, the only registry that gets the credentials.
  std::string identity_token, registry_token;
};

// Credentials for the registry named `domain` in a reference; empty ones if
// server_address names another. InvalidArgument if `auth` does not decode.
absl::StatusOr<Credentials> CredentialsFor(const AuthFields& fields, const std::string& domain);

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_REGISTRY_CREDENTIALS_H_
