// Layers in the content store, unpacked into committed snapshots by containerd.
//
// Ownership: borrows the Containerd; the lease is the caller's and must be alive.
// Threads:   safe; two that unpack the same layer both succeed.
// Errors:    InvalidArgument when a layer's bytes are no layer; DataLoss when it
//            unpacks to something else than its diff id; containerd's own.
// Crash:     a half-made snapshot is freed when the lease expires.
#ifndef CRISP_CRI_IMAGES_UNPACKER_H_
#define CRISP_CRI_IMAGES_UNPACKER_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cri/containerd/containerd.h"
#include "cri/containerd/lease.h"
#include "cri/containerd/snapshot_store.h"
#include "cri/images/image_content.h"

namespace crisp::cri {

class Unpacker {
 public:
  explicit Unpacker(Containerd* containerd) : containerd_(containerd), snapshots_(containerd) {}

  // How many layers, from the bottom, have their snapshot already. Those are put
  // under the lease, so that they stay.
  absl::StatusOr<size_t> CountPresent(const std::vector<std::string>& chain_ids, Lease& lease);

  // Unpacks from layer `first` on. `ready(i)` returns when layer i's blob is in
  // the store, or why it never will be. Then labels the config.
  absl::Status Unpack(const ImageContent& image, size_t first, Lease& lease,
                      const std::function<absl::Status(size_t)>& ready,
                      const std::function<bool()>& cancelled);

  // Unpacks what is missing of an image whose layers are all in the store.
  absl::Status UnpackStored(const ImageContent& image, Lease& lease,
                            const std::function<bool()>& cancelled);

 private:
  absl::Status UnpackLayer(const Descriptor& layer, const std::string& diff_id,
                           const std::string& parent, const std::string& chain_id,
                           const std::string& lease);

  Containerd* const containerd_;
  SnapshotStore snapshots_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_UNPACKER_H_
