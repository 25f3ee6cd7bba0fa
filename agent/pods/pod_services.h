// What the parts of the pod manager share. All of it is borrowed and outlives its users.
#ifndef CRISP_AGENT_PODS_POD_SERVICES_H_
#define CRISP_AGENT_PODS_POD_SERVICES_H_

#include <functional>
#include <string>

#include "absl/synchronization/notification.h"
#include "agent/events/event_recorder.h"
#include "agent/pods/back_off.h"
#include "agent/pods/container_killer.h"
#include "agent/pods/image_puller.h"
#include "agent/pods/pod_manager.h"
#include "agent/pods/user_namespaces.h"
#include "agent/probes/probe_manager.h"
#include "agent/runtime/pod_runtime.h"
#include "agent/store/object_store.h"
#include "base/clock.h"
#include "base/elastic_pool.h"

namespace crisp::agent {

// What the runtime is, as far as pods differ for it.
struct RuntimeTraits {
  std::string name = "crisp";
  bool has_volumes = true;
};

struct PodServices {
  ObjectStore* store = nullptr;
  EventRecorder* events = nullptr;
  PodRuntime* runtime = nullptr;
  Clock* clock = nullptr;
  PodManagerOptions options;
  BackOffOptions back_off;

  UserNamespaces* user_namespaces = nullptr;
  ImagePuller* images = nullptr;
  ContainerKiller* killer = nullptr;
  ProbeManager* probes = nullptr;
  ElasticPool* hooks = nullptr;
  const absl::Notification* stop = nullptr;
  // The pod is looked at again, soon.
  std::function<void(const std::string& pod_uid)> wake;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_POD_SERVICES_H_
