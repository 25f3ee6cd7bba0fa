#include "cri/pods/pod_store.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace crisp::cri {

absl::Status PodStore::Add(std::shared_ptr<Pod> pod) {
  absl::MutexLock lock(&mu_);
  const auto [holder, inserted] = id_by_name_.emplace(pod->name_key(), pod->id());
  if (!inserted) {
    return absl::AlreadyExistsError(absl::StrCat("pod ", PodDisplayName(pod->config().metadata()),
                                                 " attempt ", pod->config().metadata().attempt(),
                                                 " exists as sandbox ", holder->second));
  }
  pod->facts().CountChangesIn(changes_);
  by_id_[pod->id()] = std::move(pod);
  changes_->fetch_add(1, std::memory_order_release);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Pod>> PodStore::Find(absl::string_view id_or_prefix) const {
  if (id_or_prefix.empty()) return absl::InvalidArgumentError("pod_sandbox_id is empty");
  absl::MutexLock lock(&mu_);
  const auto at = by_id_.lower_bound(std::string(id_or_prefix));
  if (at == by_id_.end() || !absl::StartsWith(at->first, id_or_prefix)) {
    return absl::NotFoundError(absl::StrCat("pod sandbox ", id_or_prefix, " does not exist"));
  }
  if (const auto next = std::next(at); at->first.size() != id_or_prefix.size() &&
                                       next != by_id_.end() &&
                                       absl::StartsWith(next->first, id_or_prefix)) {
    return absl::InvalidArgumentError(
        absl::StrCat("pod_sandbox_id ", id_or_prefix, " fits more than one sandbox"));
  }
  return at->second;
}

std::vector<std::shared_ptr<Pod>> PodStore::All() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::shared_ptr<Pod>> pods;
  pods.reserve(by_id_.size());
  for (const auto& [id, pod] : by_id_) pods.push_back(pod);
  return pods;
}

void PodStore::Remove(const std::string& id) {
  absl::MutexLock lock(&mu_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  id_by_name_.erase(found->second->name_key());
  by_id_.erase(found);
  changes_->fetch_add(1, std::memory_order_release);
}

}  // namespace crisp::cri
