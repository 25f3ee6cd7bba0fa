// One element of spec.containers or spec.initContainers.
#ifndef CRISP_AGENT_MANIFEST_CONTAINER_READER_H_
#define CRISP_AGENT_MANIFEST_CONTAINER_READER_H_

#include "absl/strings/string_view.h"
#include "agent/manifest/object_reader.h"
#include "agent/manifest/pod.h"

namespace crisp::agent {

// Reads every field; failures go to the reader's Status.
void ReadContainer(ObjectReader& reader, Container* out);

// True for the pod facts that a variable or a downwardAPI file may name:
// metadata.name, metadata.labels['key'], status.podIP, ...
bool IsFieldPath(absl::string_view path);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_CONTAINER_READER_H_
