// Every container that crispd knows, by id, by name and by pod.
//
// Ownership: shares the containers with the calls that work on them.
// Threads:   safe; one mutex, held for map look-ups only.
// Errors:    NotFound; AlreadyExists with the id that holds the name;
//            InvalidArgument for an id prefix that fits more than one container;
//            FailedPrecondition from Add when the pod no longer takes containers.
#ifndef CRISP_CRI_CONTAINERS_CONTAINER_STORE_H_
#define CRISP_CRI_CONTAINERS_CONTAINER_STORE_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "cri/containers/container.h"

namespace crisp::cri {

class ContainerStore {
 public:
  // Adds `container` and reserves its name in its pod.
  absl::Status Add(std::shared_ptr<Container> container);

  absl::StatusOr<std::shared_ptr<Container>> Find(absl::string_view id_or_prefix) const;
  std::vector<std::shared_ptr<Container>> All() const;  // In the order of their ids.

  // Grows when a container is added or removed, and when the facts of one change.
  uint64_t changes() const { return changes_->load(std::memory_order_acquire); }

  std::vector<std::shared_ptr<Container>> OfPod(const std::string& pod_id) const;

  void Remove(const std::string& id);

  // After this no container joins the pod: StopPodSandbox and CreateContainer
  // are thereby in one order, whichever came first.
  void Close(const std::string& pod_id);
  void Forget(const std::string& pod_id);  // The pod itself is gone.

 private:
  // Shared with the facts, which may outlive the store.
  const std::shared_ptr<std::atomic<uint64_t>> changes_ =
      std::make_shared<std::atomic<uint64_t>>(0);
  mutable absl::Mutex mu_;
  std::map<std::string, std::shared_ptr<Container>> by_id_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::string> id_by_name_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::set<std::string>> ids_by_pod_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> closed_pods_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERS_CONTAINER_STORE_H_
