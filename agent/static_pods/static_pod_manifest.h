// The text of a file or an answer, as the Pod objects that this node makes of it.
//
// A static pod is <name>-<node>, bound to the node, and annotated with where it comes from
// and the hash of its manifest. It refers to no other object: it must be able to start
// when nothing else is there.
//
// Pure; threads: any. Errors: InvalidArgument with the document and the reason.
#ifndef CRISP_AGENT_STATIC_PODS_STATIC_POD_MANIFEST_H_
#define CRISP_AGENT_STATIC_PODS_STATIC_POD_MANIFEST_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/store/object.h"

namespace crisp::agent {

inline constexpr char kStaticHash[] = "kubernetes.io/config.hash";
inline constexpr char kStaticMirror[] = "kubernetes.io/config.mirror";
inline constexpr char kFileSource[] = "file";
inline constexpr char kHttpSource[] = "http";

struct StaticPod {
  Json object;           // Ready for the store; of one that is refused, enough for an event.
  absl::Status refused;  // Why, or OK.
};

// A text that is no manifest at all is an error; a pod that cannot be is refused.
absl::StatusOr<std::vector<StaticPod>> ReadStaticPods(const std::string& where,
                                                      absl::string_view text,
                                                      const std::string& source,
                                                      const std::string& node_name);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_STATIC_PODS_STATIC_POD_MANIFEST_H_
