// One element of spec.volumes. The volume itself stays Kubernetes' JSON, which
// the runtime reads; here each field is checked, so that a slip is found before
// anything is made.
#ifndef CRISP_AGENT_MANIFEST_VOLUME_READER_H_
#define CRISP_AGENT_MANIFEST_VOLUME_READER_H_

#include "agent/manifest/object_reader.h"

namespace crisp::agent {

void CheckVolume(ObjectReader& volume);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_VOLUME_READER_H_
