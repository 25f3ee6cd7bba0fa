// securityContext of a pod and of a container.
#ifndef CRISP_AGENT_MANIFEST_SECURITY_READER_H_
#define CRISP_AGENT_MANIFEST_SECURITY_READER_H_

#include "agent/manifest/object_reader.h"
#include "agent/manifest/pod.h"

namespace crisp::agent {

void ReadPodSecurity(ObjectReader& context, SecurityContext* out);
void ReadContainerSecurity(ObjectReader& context, SecurityContext* out);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_SECURITY_READER_H_
