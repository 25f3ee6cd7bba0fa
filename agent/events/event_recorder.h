// Events, in Kubernetes' words: what happened to an object, when, how often.
//
//   events.Record(pod, EventType::kWarning, "Unhealthy", "Liveness probe failed: ...");
//
// The same event again (object, type, reason, message, source) raises count and
// lastTimestamp of the one that is there; many that differ only in their message are
// put together as kubelet's client does. Kept for an hour, as objects of kind Event.
//
// Threads: safe; never blocks on the disk (written by a thread of its own).
// Errors:  none to the caller: a failed write is logged.
#ifndef CRISP_AGENT_EVENTS_EVENT_RECORDER_H_
#define CRISP_AGENT_EVENTS_EVENT_RECORDER_H_

#include <string>

#include "agent/store/object.h"

namespace crisp::agent {

enum class EventType { kNormal, kWarning };

class EventRecorder {
 public:
  virtual ~EventRecorder() = default;

  // `object`: whom it is about (kind, namespace, name, uid are taken from it).
  // `field_path`: "spec.containers{web}" for a container, else empty.
  // `component`: the source, such as "kubelet", "deployment-controller".
  virtual void Record(const Json& object, EventType type, const std::string& reason,
                      const std::string& message, const std::string& field_path = "",
                      const std::string& component = "kubelet") = 0;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_EVENTS_EVENT_RECORDER_H_
