// `crisp describe`: one object for people. A Secret's values are never shown.
#ifndef CRISP_AGENT_OUTPUT_DESCRIBE_H_
#define CRISP_AGENT_OUTPUT_DESCRIBE_H_

#include <string>

#include "agent/pod_view.h"
#include "api/volumes/v1/volumes.pb.h"

namespace crisp::agent {

std::string Describe(const crisp::volumes::v1::ConfigMap& config_map);
std::string Describe(const crisp::volumes::v1::Secret& secret);
std::string Describe(const PodView& pod, const std::string& node_name);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_OUTPUT_DESCRIBE_H_
