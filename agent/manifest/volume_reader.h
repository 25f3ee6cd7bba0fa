// One element of spec.volumes. The volume itself stays Kubernetes' JSON, which
// the runtime reads; here each field is checked, so that a slip is found before
// anything is made.
#ifndef CRISP_AGENT_MANIFEST_VOLUME_READER_H_
#define CRISP_AGENT_MANIFEST_VOLUME_READER_H_

#include <set>
#include <string>

#include "agent/manifest/object_reader.h"

namespace crisp::agent {

// `names` are those of the volumes before it, and gets this one's.
void CheckVolume(ObjectReader& volume, std::set<std::string>* names);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_VOLUME_READER_H_
