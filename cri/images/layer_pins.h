// The layers of images that containers use by themselves: pinned once an image, however
// many containers, by a read-only view that containerd's garbage collection spares.
//
//   view "crisp-image-<chain id>"   made for the first container, removed when neither
//                                   a container nor an image needs it any more
//
// Ownership: owns those views. Borrows the snapshots.
// Threads:   safe; what waits for containerd holds up the same image only.
// Errors:    containerd's; Unimplemented for mounts that are no overlay's.
// Crash:     views stay; Recover removes those that nobody needs.
#ifndef CRISP_CRI_IMAGES_LAYER_PINS_H_
#define CRISP_CRI_IMAGES_LAYER_PINS_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/unique_fd.h"
#include "cri/containerd/snapshot_store.h"

namespace crisp::cri {

struct PinnedLayers {
  std::string key;                       // Of the view; what Unpin wants.
  std::vector<std::string> lower_dirs;   // The uppermost layer first.
  std::shared_ptr<const UniqueFd> root;  // All of them as one tree, read-only.
};

class LayerPins {
 public:
  // Marks the views in containerd.
  static constexpr char kLabel[] = "io.crisp.image-view";

  // The chain id that a key is made of.
  static std::string ChainOf(const std::string& key);

  explicit LayerPins(SnapshotStore* snapshots) : snapshots_(snapshots) {}

  // Pins the layers that end in `chain_id` for `user`. `make` makes the view of that key,
  // or returns its mounts if it is there.
  using MakeView = std::function<absl::StatusOr<SnapshotStore::Mounts>(const std::string& key)>;
  absl::StatusOr<PinnedLayers> Pin(const std::string& chain_id, const std::string& user,
                                   const MakeView& make);

  // `keep`: an image has these layers still. OK if it was not pinned.
  absl::Status Unpin(const std::string& key, const std::string& user, bool keep);

  // The last image with these layers is about to go: removes the view, unless containers
  // use it.
  absl::Status Drop(const std::string& chain_id);

  // After a restart: `users` are container -> key, `chain_ids` those of the images.
  absl::Status Recover(const std::map<std::string, std::string>& users,
                       const std::set<std::string>& chain_ids);

 private:
  struct Pinned {
    absl::Mutex mu;
    bool gone ABSL_GUARDED_BY(mu) = false;  // Erased from the map: look it up again.
    std::set<std::string> users ABSL_GUARDED_BY(mu);
    PinnedLayers layers ABSL_GUARDED_BY(mu);  // Without lower_dirs: not read yet.
  };

  std::shared_ptr<Pinned> FindOrMake(const std::string& key);
  // Removes the view if nobody uses it.
  absl::Status RemoveUnused(const std::string& key, Pinned& pinned)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(pinned.mu);

  SnapshotStore* const snapshots_;
  absl::Mutex mu_;
  std::map<std::string, std::shared_ptr<Pinned>> pinned_ ABSL_GUARDED_BY(mu_);  // By key.
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_LAYER_PINS_H_
