// Which namespaces a container's init is born into, joins and makes (namespaces(7)).
//
// Ownership: owns the descriptors of namespaces to join.
// Threads:   single-threaded: setns and unshare move the caller.
// Errors:    errno kept, naming the namespace; InvalidArgument if a path is none.
#ifndef CRISP_SHIM_LAUNCH_NAMESPACES_H_
#define CRISP_SHIM_LAUNCH_NAMESPACES_H_

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "shim/launch/spec.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace crisp::shim {

const char* NamespaceName(int type);

struct JoinedNamespace {
  int type = 0;
  UniqueFd fd;
};

struct NamespacePlan {
  // For clone3. Not the mount and cgroup namespaces: init makes those when it is where
  // they are to be a picture of.
  uint64_t clone_flags = 0;
  bool make_cgroup = false;
  bool make_time = false;  // Of the worker's, before it clones.
  // Joined before clone3, so that init is born there.
  UniqueFd user, pid;
  std::vector<JoinedNamespace> joins;  // By init.
  UniqueFd mounts_from;                // The mount namespace to start from.
};

absl::StatusOr<NamespacePlan> PlanNamespaces(const Spec& spec, pid_t mounts_from);

absl::Status JoinNamespace(int fd, int type);

// True if `spec` gives the container a namespace of this type that is not the caller's.
absl::StatusOr<bool> IsApart(const Spec& spec, int type);

// A new network namespace has its loopback link down.
absl::Status RaiseLoopback();

// Makes a time namespace for the caller's children, with these offsets.
absl::Status MakeTimeNamespace(const std::vector<TimeOffset>& offsets);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_NAMESPACES_H_
