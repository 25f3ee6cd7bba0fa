#include "cri/containers/container_store.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace crisp::cri {

absl::Status ContainerStore::Add(std::shared_ptr<Container> container) {
  absl::MutexLock lock(&mu_);
  const std::string& pod_id = container->pod()->id();
  if (closed_pods_.count(pod_id) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("pod sandbox ", pod_id, " is stopped; no container can join it"));
  }
  const auto [holder, inserted] = id_by_name_.emplace(container->name_key(), container->id());
  if (!inserted) {
    return absl::AlreadyExistsError(absl::StrCat(
        "container ", container->config().metadata().name(), " attempt ",
        container->config().metadata().attempt(), " exists in the pod as ", holder->second));
  }
  ids_by_pod_[pod_id].insert(container->id());
  container->facts().CountChangesIn(changes_);
  by_id_[container->id()] = std::move(container);
  changes_->fetch_add(1, std::memory_order_release);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Container>> ContainerStore::Find(
    absl::string_view id_or_prefix) const {
  if (id_or_prefix.empty()) return absl::InvalidArgumentError("container_id is empty");
  absl::MutexLock lock(&mu_);
  const auto at = by_id_.lower_bound(std::string(id_or_prefix));
  if (at == by_id_.end() || !absl::StartsWith(at->first, id_or_prefix)) {
    return absl::NotFoundError(absl::StrCat("container ", id_or_prefix, " does not exist"));
  }
  if (const auto next = std::next(at); at->first.size() != id_or_prefix.size() &&
                                       next != by_id_.end() &&
                                       absl::StartsWith(next->first, id_or_prefix)) {
    return absl::InvalidArgumentError(
        absl::StrCat("container_id ", id_or_prefix, " fits more than one container"));
  }
  return at->second;
}

std::vector<std::shared_ptr<Container>> ContainerStore::All() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::shared_ptr<Container>> containers;
  containers.reserve(by_id_.size());
  for (const auto& [id, container] : by_id_) containers.push_back(container);
  return containers;
}

std::vector<std::shared_ptr<Container>> ContainerStore::OfPod(const std::string& pod_id) const {
  absl::MutexLock lock(&mu_);
  std::vector<std::shared_ptr<Container>> containers;
  if (const auto found = ids_by_pod_.find(pod_id); found != ids_by_pod_.end()) {
    for (const std::string& id : found->second) containers.push_back(by_id_.at(id));
  }
  return containers;
}

void ContainerStore::Remove(const std::string& id) {
  absl::MutexLock lock(&mu_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  id_by_name_.erase(found->second->name_key());
  if (const auto of_pod = ids_by_pod_.find(found->second->pod()->id());
      of_pod != ids_by_pod_.end()) {
    of_pod->second.erase(id);
    if (of_pod->second.empty()) ids_by_pod_.erase(of_pod);
  }
  by_id_.erase(found);
  changes_->fetch_add(1, std::memory_order_release);
}

void ContainerStore::Close(const std::string& pod_id) {
  absl::MutexLock lock(&mu_);
  closed_pods_.insert(pod_id);
}

void ContainerStore::Forget(const std::string& pod_id) {
  absl::MutexLock lock(&mu_);
  closed_pods_.erase(pod_id);
}

}  // namespace crisp::cri
