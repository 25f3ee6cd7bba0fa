// The host's ids that pods with user namespaces may have: those of the user kubelet in
// /etc/subuid and /etc/subgid, by kubelet's rules, or all from 65536 on where there is no
// such user or none are his.
//
// Threads: free functions.
// Errors:  FailedPrecondition, in kubelet's words, for files that say what cannot be used;
//          errno kept where a file cannot be read.
#ifndef CRISP_AGENT_PODS_SUBORDINATE_IDS_H_
#define CRISP_AGENT_PODS_SUBORDINATE_IDS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace crisp::agent {

// Whole ranges of kIdsPerPod ids, beginning at a multiple of it.
struct SubordinateIds {
  uint32_t first = 0;
  uint32_t ranges = 0;
};

// `etc`: the directory of passwd, subuid and subgid.
absl::StatusOr<SubordinateIds> ReadSubordinateIds(const std::string& etc);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_SUBORDINATE_IDS_H_
