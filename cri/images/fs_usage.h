// How much disk images take: committed snapshots and blobs, as containerd counts. What
// containers write is not in it.
//
// Ownership: borrows the Containerd.
// Threads:   safe.
// Errors:    containerd's.
#ifndef CRISP_CRI_IMAGES_FS_USAGE_H_
#define CRISP_CRI_IMAGES_FS_USAGE_H_

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "cri/containerd/containerd.h"
#include "cri/containerd/snapshot_store.h"

namespace crisp::cri {

struct FsUsage {
  std::string mountpoint;  // A real directory on the filesystem that holds the images.
  uint64_t used_bytes = 0;
  uint64_t inodes_used = 0;
  absl::Time at;
};

class FsUsageMeter {
 public:
  FsUsageMeter(Containerd* containerd, Clock* clock)
      : containerd_(containerd), clock_(clock), snapshots_(containerd) {}

  absl::StatusOr<FsUsage> Measure() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  absl::Status AddSnapshots(FsUsage* out) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status AddContent(FsUsage* out);

  Containerd* const containerd_;
  Clock* const clock_;
  SnapshotStore snapshots_;

  absl::Mutex mu_;
  // A committed snapshot never changes: asked for once.
  std::map<std::string, SnapshotUsage> known_ ABSL_GUARDED_BY(mu_);
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_FS_USAGE_H_
