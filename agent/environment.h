// A container's variables: env and envFrom of its manifest, resolved as kubelet
// resolves them.
//
// envFrom comes first, in order, a later entry overriding an earlier one; env
// overrides envFrom. $(NAME) in a literal value, in command and in args becomes
// the variable if it is set by then and stays as written if not; $$(NAME) is
// $(NAME). Only `data` of a ConfigMap counts, never binaryData.
//
// Pure but for Fetch. Errors: NotFound or FailedPrecondition that names field, object and key.
#ifndef CRISP_AGENT_ENVIRONMENT_H_
#define CRISP_AGENT_ENVIRONMENT_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/manifest/pod.h"

namespace crisp::agent {

// What fieldRef can name. podIP is empty until the sandbox runs.
struct PodFacts {
  std::string uid, node_name, host_ip, pod_ip;
  std::vector<std::string> pod_ips;
  // What the node has: a container without a limit may use all of it.
  int64_t node_cpu_milli = 0, node_memory_bytes = 0;
};

// Name and value, in the order in which they were first set.
using Environment = std::vector<std::pair<std::string, std::string>>;

// Where ConfigMaps and Secrets are read. Threads: as the implementation says.
class ObjectSource {
 public:
  // Keys and values of `data`, as bytes.
  using Data = std::map<std::string, std::string>;

  virtual ~ObjectSource() = default;
  // NotFound if there is no such object.
  virtual absl::StatusOr<Data> Read(ObjectKind kind, const std::string& ns,
                                    const std::string& name) = 0;
};

// How names that are no C identifiers are taken.
enum class EnvNames {
  kRelaxed,  // As Kubernetes does since 1.30: printable ASCII without '='.
  kLegacy,   // Keys of envFrom that are no C identifiers are left out.
};

// Keys that EnvNames::kLegacy left out of one envFrom.
struct SkippedKeys {
  ObjectKind kind = ObjectKind::kConfigMap;
  std::string name;
  std::vector<std::string> keys;  // Sorted.
};

// The objects that a pod's variables name, fetched once so that every container
// sees the same version.
class EnvironmentSources {
 public:
  using Data = ObjectSource::Data;

  // Fetches what `pod` names, or only what its container of that name does. An object
  // that does not exist is remembered as absent; Resolve says whether that matters.
  static absl::StatusOr<EnvironmentSources> Fetch(ObjectSource& source, const Pod& pod,
                                                  const std::string& container = "");

  void Add(ObjectKind kind, const std::string& name, Data data) {
    objects_[{kind, name}] = std::move(data);
  }

  // `skipped`, if given, takes what kLegacy leaves out.
  absl::StatusOr<Environment> Resolve(const Pod& pod, const Container& container,
                                      const PodFacts& facts, EnvNames names = EnvNames::kRelaxed,
                                      std::vector<SkippedKeys>* skipped = nullptr) const;

 private:
  const Data* Find(ObjectKind kind, const std::string& name) const;
  absl::StatusOr<std::string> FindKey(const Pod& pod, const EnvVar& var) const;

  std::map<std::pair<ObjectKind, std::string>, Data> objects_;
};

// `text` with its $(NAME) references expanded.
std::string ExpandVariables(absl::string_view text, const Environment& environment);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_ENVIRONMENT_H_
