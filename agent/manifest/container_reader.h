// One element of spec.containers or spec.initContainers.
#ifndef CRISP_AGENT_MANIFEST_CONTAINER_READER_H_
#define CRISP_AGENT_MANIFEST_CONTAINER_READER_H_

#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "agent/manifest/object_reader.h"
#include "agent/manifest/pod.h"

namespace crisp::agent {

// What the fields of a pod's containers are checked against.
struct ContainerChecks {
  std::set<std::string> volumes;     // The pod's, by name.
  std::set<std::string> containers;  // Those that were read before, by name.
  bool host_network = false;
};

// Reads every field; failures go to the reader's errors.
void ReadContainer(ObjectReader& reader, bool init, ContainerChecks* checks, Container* out);

// True for the pod facts that a variable or a downwardAPI file may name:
// metadata.name, metadata.labels['key'], status.podIP, ...
bool IsFieldPath(absl::string_view path);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_CONTAINER_READER_H_
