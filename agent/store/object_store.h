// The agent's objects: in memory for every read, in SQLite for what must last.
//
//   ASSIGN(auto store, ObjectStore::Open("/var/lib/crisp/agent.db", &clock));
//   ASSIGN(ObjectPtr pod, store->Create(std::move(object)));
//   store->Update(KeyOf(*pod), [](Json& object) { ...; return absl::OkStatus(); });
//
// The store gives uid, resourceVersion, generation and creationTimestamp; it
// knows nothing of what the kinds mean. A change is on disk (WAL) before the
// call returns, so it survives a kill -9 of the process; what a loss of power may
// take back are the last commits, never the consistency.
//
// Ownership: owns the database; one process at a time holds it (a lock file).
// Threads:   safe. Reads never wait for the disk.
// Errors:    AlreadyExists and NotFound with Kubernetes' words (pods "web" not
//            found); Aborted for a uid or a resourceVersion that is not the current
//            one; Internal or ResourceExhausted from SQLite, with the path.
#ifndef CRISP_AGENT_STORE_OBJECT_STORE_H_
#define CRISP_AGENT_STORE_OBJECT_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/store/object.h"
#include "base/clock.h"

namespace crisp::agent {

// What happened to an object. `object` is what it is now; for kDeleted, what it
// last was.
struct ObjectChange {
  enum class Type { kAdded, kModified, kDeleted };
  Type type = Type::kAdded;
  ObjectPtr object;
};

class ObjectStore {
 public:
  // Creates the database if it is missing.
  static absl::StatusOr<std::unique_ptr<ObjectStore>> Open(const std::string& path, Clock* clock);
  virtual ~ObjectStore() = default;

  // metadata.name must be set. Anything that the store gives is replaced. `uid`: from
  // NewUid, for an object that must know its own before it is made.
  virtual absl::StatusOr<ObjectPtr> Create(Json object, const std::string& uid = "") = 0;

  // Reads, changes and writes in one step; `change` must be quick and may refuse.
  // What comes out equal to what went in is not written and wakes nobody. A change
  // of `spec` (or of data of a ConfigMap or Secret) raises metadata.generation.
  virtual absl::StatusOr<ObjectPtr> Update(const ObjectKey& key,
                                           absl::FunctionRef<absl::Status(Json&)> change) = 0;

  // The object is gone when this returns. `uid`, if given, must be its own.
  virtual absl::Status Remove(const ObjectKey& key, const std::string& uid = "") = 0;

  virtual absl::StatusOr<ObjectPtr> Get(const ObjectKey& key) const = 0;
  // In order of namespace and name. Empty `ns`: all namespaces.
  virtual std::vector<ObjectPtr> List(const std::string& kind,
                                      const std::string& ns = "") const = 0;

  // The version of the last change, as metadata.resourceVersion writes it.
  virtual int64_t resource_version() const = 0;

  // Ends the subscription when it is destroyed; then no call is under way.
  class Subscription {
   public:
    virtual ~Subscription() = default;
  };
  using Listener = std::function<void(const ObjectChange&)>;
  // First what is there, as kAdded, from within this call; then every change, in the
  // order in which they were made, on the store's own thread and under no lock. A
  // listener must be quick: hand the work on. Empty `kind`: every kind.
  virtual std::unique_ptr<Subscription> Subscribe(const std::string& kind, Listener listener) = 0;

  // Returns when every listener has heard of every change that was made before.
  virtual void WaitDelivered() = 0;
};

}  // namespace crisp::agent

#endif  // CRISP_AGENT_STORE_OBJECT_STORE_H_
