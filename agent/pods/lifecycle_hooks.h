// postStart and preStop.
//
// Threads: free function, blocks until the hook is over or `timeout` passed; a sleep also
//          ends, as Cancelled, when `stop` is notified.
// Errors:  why it failed. Of an httpGet hook any answer will do, as for kubelet.
#ifndef CRISP_AGENT_PODS_LIFECYCLE_HOOKS_H_
#define CRISP_AGENT_PODS_LIFECYCLE_HOOKS_H_

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "agent/manifest/pod.h"
#include "agent/probes/probe_runner.h"
#include "agent/runtime/pod_runtime.h"

namespace crisp::agent {

absl::Status RunHook(PodRuntime& runtime, const LifecycleHandler& hook, const ProbeTarget& target,
                     absl::Duration timeout, const absl::Notification& stop);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_PODS_LIFECYCLE_HOOKS_H_
