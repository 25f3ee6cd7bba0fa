#include "cri/images/layer_pins.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "cri/images/rootfs_view.h"

namespace crisp::cri {
namespace {

constexpr char kPrefix[] = "crisp-image-";

std::string KeyOf(const std::string& chain_id) { return absl::StrCat(kPrefix, chain_id); }

}  // namespace

std::string LayerPins::ChainOf(const std::string& key) {
  return std::string(absl::StripPrefix(key, kPrefix));
}

std::shared_ptr<LayerPins::Pinned> LayerPins::FindOrMake(const std::string& key) {
  absl::MutexLock lock(&mu_);
  std::shared_ptr<Pinned>& pinned = pinned_[key];
  if (pinned == nullptr) pinned = std::make_shared<Pinned>();
  return pinned;
}

absl::StatusOr<PinnedLayers> LayerPins::Pin(const std::string& chain_id, const std::string& user,
                                            const MakeView& make) {
  const std::string key = KeyOf(chain_id);
  while (true) {
    const std::shared_ptr<Pinned> ref = FindOrMake(key);
    Pinned& pinned = *ref;
    absl::MutexLock lock(&pinned.mu);
    if (pinned.gone) continue;
    if (pinned.layers.lower_dirs.empty()) {
      CRISP_ASSIGN_OR_RETURN(const SnapshotStore::Mounts mounts, make(key));
      CRISP_ASSIGN_OR_RETURN(std::vector<std::string> lower_dirs, LowerDirsOf(mounts));
      CRISP_ASSIGN_OR_RETURN(UniqueFd root, OpenRootfsView(mounts));
      pinned.layers = {.key = key,
                       .lower_dirs = std::move(lower_dirs),
                       .root = std::make_shared<const UniqueFd>(std::move(root))};
    }
    pinned.users.insert(user);
    return pinned.layers;
  }
}

absl::Status LayerPins::Unpin(const std::string& key, const std::string& user, bool keep) {
  const std::shared_ptr<Pinned> ref = FindOrMake(key);
  Pinned& pinned = *ref;
  absl::MutexLock lock(&pinned.mu);
  if (pinned.gone) return absl::OkStatus();
  pinned.users.erase(user);
  return keep ? absl::OkStatus() : RemoveUnused(key, pinned);
}

absl::Status LayerPins::Drop(const std::string& chain_id) {
  const std::string key = KeyOf(chain_id);
  const std::shared_ptr<Pinned> ref = FindOrMake(key);
  Pinned& pinned = *ref;
  absl::MutexLock lock(&pinned.mu);
  return pinned.gone ? absl::OkStatus() : RemoveUnused(key, pinned);
}

absl::Status LayerPins::RemoveUnused(const std::string& key, Pinned& pinned) {
  if (!pinned.users.empty()) return absl::OkStatus();
  pinned.layers = {};  // Whoever has the root still keeps the files, not the view.
  CRISP_RETURN_IF_ERROR(snapshots_->Remove(key));
  pinned.gone = true;
  absl::MutexLock lock(&mu_);
  pinned_.erase(key);
  return absl::OkStatus();
}

absl::Status LayerPins::Recover(const std::map<std::string, std::string>& users,
                                const std::set<std::string>& chain_ids) {
  std::set<std::string> needed;
  for (const std::string& chain_id : chain_ids) needed.insert(KeyOf(chain_id));
  for (const auto& [user, key] : users) {
    needed.insert(key);
    const std::shared_ptr<Pinned> ref = FindOrMake(key);
    Pinned& pinned = *ref;
    absl::MutexLock lock(&pinned.mu);
    pinned.users.insert(user);
  }
  CRISP_ASSIGN_OR_RETURN(const std::vector<SnapshotInfo> views,
                         snapshots_->List({absl::StrCat("labels.\"", kLabel, "\"")}));
  absl::Status result;
  for (const SnapshotInfo& view : views) {
    if (needed.count(view.name) == 0) result.Update(snapshots_->Remove(view.name));
  }
  return result;
}

}  // namespace crisp::cri
