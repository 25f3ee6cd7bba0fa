// Objects in Kubernetes' JSON, as `get -o yaml|json` and `create --dry-run` print
// them; `apply` reads them back.
#ifndef CRISP_AGENT_OUTPUT_OBJECT_JSON_H_
#define CRISP_AGENT_OUTPUT_OBJECT_JSON_H_

#include <nlohmann/json.hpp>
#include <vector>

#include "agent/pod_view.h"
#include "api/volumes/v1/volumes.pb.h"

namespace crisp::agent {

nlohmann::ordered_json ObjectJson(const crisp::volumes::v1::ConfigMap& config_map);
nlohmann::ordered_json ObjectJson(const crisp::volumes::v1::Secret& secret);
nlohmann::ordered_json ObjectJson(const PodView& pod);

// `kind: List` of `items`.
nlohmann::ordered_json ListJson(const std::vector<nlohmann::ordered_json>& items);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_OUTPUT_OBJECT_JSON_H_
