// Snapshots of the connection's snapshotter: the layers of images (committed) and
// the root filesystems made from them (active, or views).
//
// Ownership: borrows the Containerd. A snapshot lives while a lease, an image's
//            config label, a Container or a gc.root label refers to it.
// Threads:   safe; no state of its own.
// Errors:    containerd's: AlreadyExists for a key in use, NotFound,
//            FailedPrecondition for removing a snapshot that has children.
// Crash:     snapshots are containerd's and durable.
#ifndef CRISP_CRI_CONTAINERD_SNAPSHOT_STORE_H_
#define CRISP_CRI_CONTAINERD_SNAPSHOT_STORE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "api/containerd/mount.pb.h"
#include "cri/containerd/containerd.h"

namespace crisp::cri {

enum class SnapshotKind { kUnknown, kView, kActive, kCommitted };

struct SnapshotInfo {
  std::string name;
  std::string parent;
  SnapshotKind kind = SnapshotKind::kUnknown;
  std::map<std::string, std::string> labels;
};

struct SnapshotUsage {
  int64_t bytes = 0;
  int64_t inodes = 0;
};

class SnapshotStore {
 public:
  using Labels = std::map<std::string, std::string>;
  using Mounts = std::vector<containerd::types::Mount>;

  explicit SnapshotStore(Containerd* containerd) : containerd_(containerd) {}

  // A writable snapshot, and how to mount it. `parent` may be empty.
  absl::StatusOr<Mounts> Prepare(const std::string& key, const std::string& parent,
                                 const Labels& labels, const std::string& lease = "");
  // A read-only one.
  absl::StatusOr<Mounts> View(const std::string& key, const std::string& parent,
                              const Labels& labels, const std::string& lease = "");
  absl::StatusOr<Mounts> MountsOf(const std::string& key);

  // Turns the active snapshot `key` into the committed `name`. On AlreadyExists
  // the active one is still there: the caller removes it.
  absl::Status Commit(const std::string& name, const std::string& key, const Labels& labels,
                      const std::string& lease = "");

  absl::Status Remove(const std::string& key);  // OK if it was gone.
  absl::StatusOr<SnapshotInfo> Stat(const std::string& key);
  absl::StatusOr<SnapshotUsage> Usage(const std::string& key);
  absl::StatusOr<std::vector<SnapshotInfo>> List(const std::vector<std::string>& filters = {});

  // Sets these labels and leaves the others; an empty value removes a label.
  absl::Status SetLabels(const std::string& key, const Labels& labels);

 private:
  Containerd* const containerd_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERD_SNAPSHOT_STORE_H_
