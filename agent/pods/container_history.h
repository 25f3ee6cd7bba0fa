// What is known of each container of a pod: what the runtime has, and what only the
// pod's last status tells of, because the runtime lost it (a reboot, a wiped state
// directory, a sandbox that was removed).
//
// Pure; threads: any.
#ifndef CRISP_AGENT_PODS_CONTAINER_HISTORY_H_
#define CRISP_AGENT_PODS_CONTAINER_HISTORY_H_

#include <map>
#include <string>
#include <vector>

#include "agent/runtime/pod_state.h"
#include "agent/store/object.h"

namespace crisp::agent {

// Instances of one container, the newest first.
using Instances = std::vector<ContainerState>;

class ContainerHistory {
 public:
  // `status`: the pod's last, or null.
  ContainerHistory(const RuntimePod& observed, const Json& status);

  // The newest, or null.
  const ContainerState* Newest(const std::string& name) const { return At(name, 0); }
  const ContainerState* Previous(const std::string& name) const { return At(name, 1); }
  // The newest that the runtime has in that sandbox, or null.
  const ContainerState* NewestIn(const std::string& name, const std::string& sandbox_id) const;
  const Instances& All(const std::string& name) const;
  const std::map<std::string, Instances>& by_name() const { return by_name_; }

 private:
  const ContainerState* At(const std::string& name, size_t index) const;
  std::map<std::string, Instances> by_name_;
};

inline constexpr char kStatusUnknownReason[] = "ContainerStatusUnknown";

// "2026-01-31T12:00:00Z"; empty for InfinitePast.
std::string FormatTimestamp(absl::Time time);
// InfinitePast for what is no timestamp.
absl::Time ParseTimestamp(const Json& value);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_CONTAINER_HISTORY_H_
