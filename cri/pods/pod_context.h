// What the verbs on pods work with: one struct, made once by main.
//
// Ownership: borrows everything; it all outlives the server.
// Threads:   constant after start-up; each member is safe.
#ifndef CRISP_CRI_PODS_POD_CONTEXT_H_
#define CRISP_CRI_PODS_POD_CONTEXT_H_

#include <string>
#include <vector>

#include "base/clock.h"
#include "cgroup/hierarchies.h"
#include "cri/pods/lifecycle.h"
#include "cri/pods/pod_store.h"
#include "cri/pods/runtime_handlers.h"
#include "cri/spec/host_facts.h"
#include "cri/spec/seccomp_profile.h"
#include "netns/pod_network.h"
#include "volumes/pod_volumes.h"

namespace crisp::cri {

struct PodContext {
  std::string pods_dir;       // <state>/pods
  std::string netns_dir;      // <state>/netns
  std::string pause_rootfs;   // A directory that holds nothing but the pause binary.
  std::string cgroup_parent;  // For pods whose config names none: "/crisp".
  std::string boot_id;
  std::string node_name;
  std::vector<std::string> cdi_dirs;
  HostFacts host;
  std::string apparmor_default;  // What RuntimeDefault means; "": nothing is loaded.
  cgroup::Hierarchies hierarchies;

  Clock* clock = nullptr;
  PodStore* pods = nullptr;
  RuntimeHandlers* handlers = nullptr;
  SeccompProfiles* seccomp = nullptr;
  netns::PodNetwork* network = nullptr;
  volumes::PodVolumes* volumes = nullptr;
  Lifecycle* lifecycle = nullptr;  // May be none.

  void Tell(runtime::v1::ContainerEventType what, const std::string& id, const Pod& pod) const {
    if (lifecycle != nullptr) lifecycle->Happened(what, id, pod);
  }
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_PODS_POD_CONTEXT_H_
