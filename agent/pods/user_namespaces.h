// Whose the host's ids are: each pod with a user namespace of its own has kIdsPerPod of
// them, users and groups alike, and no two pods have one in common.
//
// Ownership: owns <pod_root>/<uid>/userns, which says so in kubelet's words.
// Threads:   safe; one pod's calls from one thread, Recover before all others.
// Errors:    ResourceExhausted when no ids are free; FailedPrecondition for what the host's
//            files, or the pods', do not let be; errno kept.
// Crash:     what Take returns is on disk, so a sandbox that was made of it is known to every
//            later agent. A record that cannot be read may be of a pod that runs: nobody gets
//            ids then until that pod is gone.
#ifndef CRISP_AGENT_PODS_USER_NAMESPACES_H_
#define CRISP_AGENT_PODS_USER_NAMESPACES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace crisp::agent {

class UserNamespaces {
 public:
  // `pod_root`: as PodFiles has it. `etc`: as ReadSubordinateIds.
  explicit UserNamespaces(std::string pod_root, std::string etc = "/etc");

  // Reads what earlier agents wrote.
  absl::Status Recover();

  // The first of the pod's ids: the same each time until they are released.
  absl::StatusOr<uint32_t> Take(const std::string& uid);
  // nullopt if it has none.
  std::optional<uint32_t> Find(const std::string& uid) const;

  // Nothing of the pod runs any more. OK if it has none.
  absl::Status Release(const std::string& uid);
  // Releases those of all other pods.
  absl::Status KeepOnly(const std::set<std::string>& uids);

 private:
  std::string PathOf(const std::string& uid) const;
  absl::StatusOr<uint32_t> Claim(const std::string& uid);

  const std::string pod_root_, etc_;
  mutable absl::Mutex mu_;
  std::map<std::string, uint32_t> first_ids_ ABSL_GUARDED_BY(mu_);       // By uid of the pod.
  std::map<std::string, absl::Status> unreadable_ ABSL_GUARDED_BY(mu_);  // The same.
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_USER_NAMESPACES_H_
