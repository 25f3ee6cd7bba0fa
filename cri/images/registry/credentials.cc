#include "cri/images/registry/credentials.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/strip.h"
#include "cri/images/reference.h"

namespace crisp::cri {
namespace {

// "https://Registry.example:5000/v1/" -> "registry.example:5000".
std::string HostPart(absl::string_view address) {
  if (const size_t scheme = address.find("://"); scheme != absl::string_view::npos) {
    address.remove_prefix(scheme + 3);
  }
  return absl::AsciiStrToLower(address.substr(0, address.find('/')));
}

bool SameRegistry(absl::string_view address, const std::string& domain) {
  const std::string host = HostPart(address);
  if (domain == "docker.io") {
    return host == "docker.io" || host == "index.docker.io" || host == "registry-1.docker.io";
  }
  return host == absl::AsciiStrToLower(domain);
}

}  // namespace

absl::StatusOr<Credentials> CredentialsFor(const AuthFields& fields, const std::string& domain) {
  if (!fields.server_address.empty() && !SameRegistry(fields.server_address, domain)) {
    return Credentials();
  }
  Credentials out;
  out.identity_token = fields.identity_token;
  out.registry_token = fields.registry_token;
  if (!fields.username.empty()) {
    out.username = fields.username;
    out.password = fields.password;
  } else if (!fields.auth.empty()) {
    std::string decoded;
    const bool valid = absl::Base64Unescape(fields.auth, &decoded);
    const size_t colon = decoded.find(':');
    if (!valid || colon == std::string::npos) {
      return absl::InvalidArgumentError("field \"auth\" is not the base64 of user:password");
    }
    out.username = decoded.substr(0, colon);
    out.password = decoded.substr(colon + 1);
    // Docker pads the encoded text with NULs.
    out.password.resize(out.password.find_last_not_of('\0') + 1);
  }
  return out;
}

}  // namespace crisp::cri
