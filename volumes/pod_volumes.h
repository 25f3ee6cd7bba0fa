// The volumes of the pods on this node: a pod's spec.volumes becomes directories,
// a container's volumeMounts become binds from them, and a changed ConfigMap or
// Secret reaches every running pod that uses it, atomically.
//
//   <pods_dir>/<sandbox>/volumes.json       what was asked; written before any mount
//   <pods_dir>/<sandbox>/volumes            the pod's tmpfs; <name>/ for configMap,
//                                           secret, downwardAPI and projected volumes,
//                                           and the mount points of Memory emptyDirs
//   <disk_dir>/<sandbox>/empty-dirs/<name>  emptyDirs on disk
//   <pods_dir>/<sandbox>/volume-subpaths/<name>/<container>/<index>
//
// A pod whose pause process has mounts of its own (VolumePlace::kPod) has the tmpfs and
// the Memory emptyDirs there instead, at /volumes, and no volume-subpaths.
//
// Ownership: owns exactly those paths; other files in <pods_dir>/<sandbox> are not
//            touched. Borrows the ObjectStore and the Clock.
// Threads:   safe. One lock a pod; a slow pod delays no other.
// Errors:    InvalidArgument names the field of the JSON; FailedPrecondition names
//            object and key; what a system call refused keeps its errno.
// Crash:     Release works from the paths above, so it undoes whatever a crashed
//            Prepare or Resolve left. Recover takes over the pods that live on.
#ifndef CRISP_VOLUMES_POD_VOLUMES_H_
#define CRISP_VOLUMES_POD_VOLUMES_H_

#include <cstdint>
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
#include "base/clock.h"
#include "base/unique_fd.h"
#include "volumes/mount_plan.h"
#include "volumes/object_store.h"
#include "volumes/pod_dir.h"
#include "volumes/pod_identity.h"
#include "volumes/volume_values.h"

namespace crisp::volumes {

// What a change did to running pods. A pod that could not take the change keeps
// its old content and is tried again at its next change or container.
struct UpdateReport {
  int pods_changed = 0;
  std::vector<std::string> failures;  // One sentence each; no values of secrets.
};

// Where a pod's volumes are mounted.
enum class VolumePlace {
  kHost,  // In the host's mount namespace, by this module.
  kPod,   // In the pod's own, by its pause process, as PodMounts say.
};

// The mounts that a pod of VolumePlace::kPod needs before Prepare.
struct PodMounts {
  struct Memory {
    std::string name;
    int64_t bytes = 0;  // 0: no bound but the machine's.
  };
  int64_t tmpfs_bytes = 0;     // At /volumes, mode 0700; 0: none.
  std::vector<Memory> memory;  // At /volumes/<name>.
};

class PodVolumes {
 public:
  // The root directory of a pod's own mount namespace. NotFound: the pod has ended.
  using OpenRoot = std::function<absl::StatusOr<UniqueFd>(const std::string& sandbox_id)>;

  struct Options {
    std::string pods_dir;  // Absolute.
    std::string disk_dir;  // For emptyDirs on disk; "" means pods_dir.
    ObjectStore* objects = nullptr;
    Clock* clock = nullptr;
    int64_t tmpfs_bytes = 256 << 20;  // Bound of a pod's tmpfs.
    OpenRoot open_root;               // For pods of VolumePlace::kPod.
  };

  explicit PodVolumes(Options options);

  // Makes the pod's volumes from `volumes_json` (spec.volumes; "" is none). Leaves
  // nothing on failure. Again with the same JSON: OK; with other JSON: AlreadyExists.
  absl::Status Prepare(const PodIdentity& pod, const std::string& volumes_json,
                       VolumePlace place = VolumePlace::kHost);

  // What the pause process of a pod with these volumes shall mount. Changes nothing.
  absl::StatusOr<PodMounts> Plan(const std::string& volumes_json) const;

  // The mounts for `volume_mounts_json` (volumeMounts; "" is none), in its order.
  // `env` is the container's final environment, for subPathExpr. A failure removes
  // the container's subPath mounts. Idempotent for one container id.
  absl::StatusOr<std::vector<VolumeMount>> Resolve(const std::string& sandbox_id,
                                                   const std::string& container_id,
                                                   const std::string& container_name,
                                                   const std::string& volume_mounts_json,
                                                   const std::map<std::string, std::string>& env,
                                                   const ContainerResourceValues& resources);

  // Removes the container's subPath mounts. Idempotent.
  absl::Status ReleaseContainer(const std::string& sandbox_id, const std::string& container_id);

  // Unmounts and deletes everything above. Idempotent.
  absl::Status Release(const std::string& sandbox_id);

  // The object was applied: rewrites the volumes that use it. Not for deletions: a
  // running pod keeps the last content of a deleted object.
  UpdateReport ObjectChanged(ObjectKind kind, const std::string& ns, const std::string& name);

  // Labels, annotations or the pod's addresses changed. OK if the pod has no volumes.
  absl::Status UpdateIdentity(const PodIdentity& pod);
  // The same for labels and annotations alone; true if a file changed. NotFound if the pod has no
  // volumes.
  absl::StatusOr<bool> UpdateMetadata(const std::string& sandbox_id,
                                      std::map<std::string, std::string> labels,
                                      std::map<std::string, std::string> annotations);

  // After a restart, before anything else: takes over the pods named, releases all
  // others found in pods_dir. One pod's failure does not stop the rest.
  absl::Status Recover(const std::vector<std::string>& live_sandbox_ids);

 private:
  struct Pod {
    absl::Mutex mu;
    bool prepared ABSL_GUARDED_BY(mu) = false;
    VolumePlace place ABSL_GUARDED_BY(mu) = VolumePlace::kHost;
    bool gone ABSL_GUARDED_BY(mu) = false;            // Erased from the map: look it up again.
    std::set<std::string> stale ABSL_GUARDED_BY(mu);  // Volumes whose last rewrite failed.
    PodIdentity identity ABSL_GUARDED_BY(mu);
    std::string volumes_json ABSL_GUARDED_BY(mu);
    std::vector<VolumeSource> volumes ABSL_GUARDED_BY(mu);
    std::map<std::string, ContainerResourceValues> resources ABSL_GUARDED_BY(mu);
  };

  struct Rewritten {
    bool changed = false;
    absl::Status failure;  // The first among the volumes asked for.
  };

  std::shared_ptr<Pod> FindOrMake(const std::string& sandbox_id);
  std::shared_ptr<Pod> Find(const std::string& sandbox_id) const;
  std::vector<std::shared_ptr<Pod>> All() const;
  void Forget(const std::string& sandbox_id, Pod& pod) ABSL_EXCLUSIVE_LOCKS_REQUIRED(pod.mu);

  absl::Status Materialise(const Pod& pod) ABSL_EXCLUSIVE_LOCKS_REQUIRED(pod.mu);
  // Writes the projected volumes that are `wanted`, and those that are stale, anew
  // from current objects. One volume's failure does not stop the others.
  Rewritten Rewrite(Pod& pod, const std::function<bool(const VolumeSource&)>& wanted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(pod.mu);
  absl::Status Teardown(const std::string& sandbox_id);
  absl::StatusOr<bool> Become(Pod& pod, PodIdentity identity) ABSL_EXCLUSIVE_LOCKS_REQUIRED(pod.mu);
  absl::Status SaveRecord(const PodDir& dir, const Pod& pod) ABSL_EXCLUSIVE_LOCKS_REQUIRED(pod.mu);
  absl::Status Adopt(const std::string& sandbox_id);
  absl::StatusOr<PodDir> DirOf(const Pod& pod) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(pod.mu);
  // New numbers for resourceFieldRef files, and another try for stale volumes.
  absl::Status Refresh(const PodDir& dir, Pod& pod, const std::string& container_name,
                       const ContainerResourceValues& resources)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(pod.mu);

  const Options options_;
  mutable absl::Mutex mu_;
  std::map<std::string, std::shared_ptr<Pod>> pods_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_POD_VOLUMES_H_
