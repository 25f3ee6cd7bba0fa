// This machine as an object of kind Node: addresses, capacity, labels, conditions.
//
// Labels that a user gave stay; those that Kubernetes gives every node are set.
//
// Ownership: borrows the store, the recorder and the clock.
// Threads:   one at a time.
// Errors:    the store's.
#ifndef CRISP_AGENT_NODE_NODE_KEEPER_H_
#define CRISP_AGENT_NODE_NODE_KEEPER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/events/event_recorder.h"
#include "agent/node/runtime_monitor.h"
#include "agent/node_facts.h"
#include "agent/store/object_store.h"
#include "base/clock.h"

namespace crisp::agent {

class NodeKeeper {
 public:
  NodeKeeper(ObjectStore* store, EventRecorder* events, Clock* clock, NodeFacts facts)
      : store_(store), events_(events), clock_(clock), facts_(std::move(facts)) {}

  // Makes the node, or brings it up to date. A node of another name goes; its pods are
  // this one's.
  absl::Status Register();
  // Writes what changed, and a heartbeat every few minutes.
  absl::Status Update(const RuntimeInfo& runtime);

 private:
  absl::Status TakeOver();
  Json StatusOf(const Json& old, const RuntimeInfo& runtime) const;

  ObjectStore* const store_;
  EventRecorder* const events_;
  Clock* const clock_;
  const NodeFacts facts_;
};

// The name of the node that the store knows, or empty.
std::string StoredNodeName(const ObjectStore& store);

}  // namespace crisp::agent

#endif  // CRISP_AGENT_NODE_NODE_KEEPER_H_
