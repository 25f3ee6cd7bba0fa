// The registry credentials of a pod's imagePullSecrets, and which of them an image is pulled
// with, by the rules of kubelet's keyring:
//
//   A key of a docker configuration is a host and, if it goes on, the beginning of a path:
//   "registry.example.com", "https://registry.example.com:5000/team", "*.example.com". The scheme
//   and a leading /v1/ or /v2/ say nothing. Each part of a host between dots is a glob
//   (* ? [a-z]); the port is the image's own. All keys that match give credentials, longer ones
//   before those that they begin with. Docker Hub's come from "https://index.docker.io/v1/"
//   for images that name no host.
//
// Ownership: plain data, passwords among it: never for a log or a message.
// Threads:   free functions and values.
// Errors:    what is no docker configuration is InvalidArgument, without its text.
#ifndef CRISP_AGENT_PODS_KEYRING_H_
#define CRISP_AGENT_PODS_KEYRING_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/runtime/registry_credentials.h"
#include "agent/store/object_store.h"

namespace crisp::agent {

class Keyring {
 public:
  // `config`: the "auths" of a .dockerconfigjson, or a whole .dockercfg. An entry that cannot be
  // read is left out, as kubelet leaves it out.
  void Add(const Json& config);

  // In the order in which they are to be tried; empty if none fits.
  std::vector<RegistryCredentials> Lookup(absl::string_view image) const;

 private:
  std::map<std::string, std::vector<RegistryCredentials>, std::greater<>> by_location_;
};

// The keyring of the secrets `names` in `ns`. Those that are not there are `missing`; those of
// another type are passed over.
absl::StatusOr<Keyring> ReadPullSecrets(const ObjectStore& store, const std::string& ns,
                                        const std::vector<std::string>& names,
                                        std::vector<std::string>* missing);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_KEYRING_H_
