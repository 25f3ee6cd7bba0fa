// A Pod document, read strictly.
#ifndef CRISP_AGENT_MANIFEST_POD_READER_H_
#define CRISP_AGENT_MANIFEST_POD_READER_H_

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "agent/manifest/object_reader.h"
#include "agent/manifest/pod.h"

namespace crisp::agent {

// Reads a whole document of kind Pod; the namespace stays empty if none stands
// there. InvalidArgument or Unimplemented names the field.
absl::StatusOr<Pod> ReadPod(const nlohmann::json& document);

// What every object carries in `metadata`.
struct ObjectMeta {
  std::string name, ns;
  std::map<std::string, std::string> labels, annotations;
};
void ReadMetadata(ObjectReader& document, ObjectMeta* out);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_POD_READER_H_
