// All controllers of the node, and the thread that runs them.
//
// Changes of the store say who wants a look; each object waits in one queue at most once.
//
// Ownership: borrows what its context names; owns its thread.
// Threads:   Start and Stop from one thread.
// Errors:    logged; the object is looked at again after a while that doubles.
// Crash:     nothing is kept: the next Start looks at every object.
#ifndef CRISP_AGENT_CONTROLLERS_CONTROLLERS_H_
#define CRISP_AGENT_CONTROLLERS_CONTROLLERS_H_

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "agent/controllers/controller.h"
#include "agent/controllers/work_queue.h"

namespace crisp::agent {

class Controllers {
 public:
  explicit Controllers(ControllerContext context);
  ~Controllers();

  // Subscribes, and works on its thread from here on.
  void Start();
  void Stop();

  // For tests, instead of Start: subscribes without a thread; then everything that is
  // due by the clock, and all that comes of it.
  void Subscribe();
  void RunUntilIdle();

 private:
  enum Which { kScheduler, kReplicas, kDeployments, kDaemonSets, kJobs, kEndpoints, kGarbage };

  void OnChange(const ObjectChange& change);
  void OnPod(const Json& pod, bool gone);
  void OnNode();
  // The dependents of an object that is gone.
  void OnGone(const Json& object);
  void EnqueueOwner(const Json& object);
  void EnqueueKind(const std::string& kind, const std::string& ns);
  void Process(const WorkQueue::Item& item);

  const ControllerContext context_;
  WorkQueue queue_;
  std::map<int, std::unique_ptr<Controller>> controllers_;
  std::map<WorkQueue::Item, int> failures_;  // Of the working thread alone.
  // The labels of pods that have a place, by uid: other pods may want to be where they are,
  // or not to be. Of the store's thread alone.
  std::map<std::string, Json> placed_;
  std::unique_ptr<ObjectStore::Subscription> subscription_;
  std::thread thread_;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_CONTROLLERS_CONTROLLERS_H_
