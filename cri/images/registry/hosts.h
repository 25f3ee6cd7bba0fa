// Where to ask for a registry's images: mirrors and TLS material from
// containerd's certs.d directories (hosts.toml), or the registry itself.
//
// Threads: free functions; files are read anew for each pull, so edits count at once.
// Errors:  FailedPrecondition names the file and what is wrong in it.
#ifndef CRISP_CRI_IMAGES_REGISTRY_HOSTS_H_
#define CRISP_CRI_IMAGES_REGISTRY_HOSTS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cri/images/registry/http_client.h"

namespace crisp::cri {

struct RegistryEndpoint {
  std::string url;                   // "https://mirror.example/v2"
  std::string namespace_query;       // The registry that a mirror stands for; "" for itself.
  bool plain_http_fallback = false;  // Localhost: http if TLS is not spoken there.
  bool can_pull = true;
  bool can_resolve = true;
  TlsOptions tls;
  std::vector<std::pair<std::string, std::string>> headers;
  absl::Duration connect_timeout = absl::Seconds(30);
};

// Endpoints in the order in which to try them, for the registry named `domain`.
absl::StatusOr<std::vector<RegistryEndpoint>> EndpointsFor(
    const std::string& domain, const std::vector<std::string>& certs_dirs);

// The text of a hosts.toml that lies in `dir`.
absl::StatusOr<std::vector<RegistryEndpoint>> ParseHostsToml(absl::string_view text,
                                                             const std::string& dir,
                                                             const std::string& domain);

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_REGISTRY_HOSTS_H_
