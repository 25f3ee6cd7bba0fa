// A controller: makes what is be what an object says, one object at a time.
//
// It looks at the store, never at what it did before, so that it goes on after a kill -9
// as if nothing had been. All controllers run on one thread, one call at a time.
#ifndef CRISP_AGENT_CONTROLLERS_CONTROLLER_H_
#define CRISP_AGENT_CONTROLLERS_CONTROLLER_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/events/event_recorder.h"
#include "agent/store/object_store.h"
#include "base/clock.h"

namespace crisp::agent {

// What every controller needs. Borrowed; outlives them.
struct ControllerContext {
  ObjectStore* store = nullptr;
  EventRecorder* events = nullptr;
  Clock* clock = nullptr;
  std::string node_name;
  absl::Duration back_off = absl::Seconds(10);  // Of a job's failed pods; doubles.
};

class Controller {
 public:
  virtual ~Controller() = default;
  // One step for the object of `key`, which may be gone. Answers when it wants to be
  // called again although nothing changes: InfiniteDuration for never. An error is
  // logged, and the call made again after a while.
  virtual absl::StatusOr<absl::Duration> Reconcile(const ObjectKey& key) = 0;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_CONTROLLERS_CONTROLLER_H_
