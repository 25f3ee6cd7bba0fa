// `crisp describe`: one object for people, in kubectl's layout. A Secret's values are
// never shown.
#ifndef CRISP_AGENT_OUTPUT_DESCRIBE_H_
#define CRISP_AGENT_OUTPUT_DESCRIBE_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "agent/output/fields.h"

namespace crisp::cli {

// What a description shows beside the object.
struct DescribeContext {
  std::vector<Json> events;        // About the object.
  std::vector<Json> pods;          // Of its namespace; of all of them for a Node.
  std::vector<Json> replica_sets;  // Of its namespace, for a Deployment.
  std::string node_address;        // Of the pod's node.
  absl::Time now;
};

std::string Describe(const Json& object, const DescribeContext& context);

}  // namespace crisp::cli

#endif  // CRISP_AGENT_OUTPUT_DESCRIBE_H_
