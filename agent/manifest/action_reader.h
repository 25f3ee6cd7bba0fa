// Probes and lifecycle hooks of a container.
#ifndef CRISP_AGENT_MANIFEST_ACTION_READER_H_
#define CRISP_AGENT_MANIFEST_ACTION_READER_H_

#include <optional>

#include "agent/manifest/object_reader.h"
#include "agent/manifest/pod.h"

namespace crisp::agent {

enum class ProbeKind { kLiveness, kReadiness, kStartup };

// Reads the field `name` of a container, if it is there.
void ReadProbe(ObjectReader& container, const char* name, ProbeKind kind,
               std::optional<Probe>* out);
// Reads the field `lifecycle`.
void ReadLifecycle(ObjectReader& container, Container* out);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_ACTION_READER_H_
