// A container's init, and the process of an exec, from clone3 to execve.
//
// Never returns: it becomes the program, or says what failed and exits.
//
// Ownership: the process is a copy of the worker, which has made everything that is
//            used here; nothing of it is shared but descriptors.
// Threads:   the process is single-threaded.
#ifndef CRISP_SHIM_LAUNCH_INIT_H_
#define CRISP_SHIM_LAUNCH_INIT_H_

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "cgroup/cgroup.h"
#include "shim/launch/apply_mounts.h"
#include "shim/launch/hooks.h"
#include "shim/launch/mount_plan.h"
#include "shim/launch/namespaces.h"
#include "shim/launch/rootfs.h"
#include "shim/launch/seccomp_cache.h"
#include "shim/launch/spec.h"

namespace crisp::shim {

// What both kinds need.
struct InitCommon {
  int home = -1;                     // To the shim.
  int sync = -1;                     // To the worker.
  const Process* process = nullptr;  // An exec's; a container's is in its spec.
  Capabilities capabilities;         // Clamped.
  SeccompFilter seccomp;
  std::array<int, 3> streams = {-1, -1, -1};
  int host_null = -1;  // For a container without a null device of its own.
  bool own_keyring = true;
  std::string id;
};

struct ContainerInit {
  InitCommon common;
  const Spec* spec = nullptr;
  NamespacePlan* namespaces = nullptr;
  bool new_user_namespace = false;         // Its maps come with the first kContinue.
  const cgroup::Cgroup* cgroup = nullptr;  // To join; null: none.
  bool unified_joined = false;
  Rootfs* rootfs = nullptr;
  const MountPlan* mounts = nullptr;
  MountSources* sources = nullptr;
  const std::vector<UniqueFd>* device_clones = nullptr;
  HookState hook_state;
  bool pivot = true;
};

struct ExecInit {
  InitCommon common;
  int container = -1;  // A pidfd of its init.
  int namespaces = 0;  // CLONE_NEW* still to join.
  bool user_namespace = false;
};

[[noreturn]] void RunContainerInit(ContainerInit init);
[[noreturn]] void RunExecInit(ExecInit init);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_INIT_H_
