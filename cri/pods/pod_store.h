// Every pod that crispd knows, by id and by name.
//
// Ownership: shares the pods with the calls that work on them.
// Threads:   safe; one mutex, held for map look-ups only.
// Errors:    NotFound; AlreadyExists with the id that holds the name;
//            InvalidArgument for an id prefix that fits more than one pod.
#ifndef CRISP_CRI_PODS_POD_STORE_H_
#define CRISP_CRI_PODS_POD_STORE_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "cri/pods/pod.h"

namespace crisp::cri {

class PodStore {
 public:
  // Adds `pod` and reserves its name. AlreadyExists while another pod holds it.
  absl::Status Add(std::shared_ptr<Pod> pod);

  // By id or by a prefix of it that fits one pod only. NotFound.
  absl::StatusOr<std::shared_ptr<Pod>> Find(absl::string_view id_or_prefix) const;

  std::vector<std::shared_ptr<Pod>> All() const;  // In the order of their ids.

  // Grows when a pod is added or removed, and when the facts of one change.
  uint64_t changes() const { return changes_->load(std::memory_order_acquire); }

  // Frees the id and the name.
  void Remove(const std::string& id);

 private:
  // Shared with the facts, which may outlive the store.
  const std::shared_ptr<std::atomic<uint64_t>> changes_ =
      std::make_shared<std::atomic<uint64_t>>(0);
  mutable absl::Mutex mu_;
  std::map<std::string, std::shared_ptr<Pod>> by_id_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::string> id_by_name_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_PODS_POD_STORE_H_
