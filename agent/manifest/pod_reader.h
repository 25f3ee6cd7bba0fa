// A Pod document, read strictly.
#ifndef CRISP_AGENT_MANIFEST_POD_READER_H_
#define CRISP_AGENT_MANIFEST_POD_READER_H_

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/manifest/field_errors.h"
#include "agent/manifest/object_reader.h"
#include "agent/manifest/pod.h"

namespace crisp::agent {

// Reads a whole document of kind Pod; the namespace stays empty if none stands
// there. InvalidArgument or Unimplemented names the field. `warnings`, if given, gets
// the fields that are accepted and have no effect here.
absl::StatusOr<Pod> ReadPod(const nlohmann::json& document,
                            std::vector<std::string>* warnings = nullptr);

// The same, for who wants to say all that is wrong. What comes back is of use only without errors.
Pod ReadPod(const nlohmann::json& document, FieldErrors* errors,
            std::vector<std::string>* warnings);

// Reads the spec alone, as a template has it.
void ReadPodSpec(ObjectReader& spec, Pod* out);

// What every object carries in `metadata`.
struct ObjectMeta {
  std::string name, ns;
  std::map<std::string, std::string> labels, annotations;
};
void ReadMetadata(ObjectReader& document, ObjectMeta* out);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_MANIFEST_POD_READER_H_
