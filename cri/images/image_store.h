// The images of this node: an index in memory over containerd's image names,
// and every change to them.
//
// Reads (Resolve, List) never leave memory. Pulls of the same reference with the
// same credentials join: one download, one result for all callers; it stops only
// when the last of them has gone. containerd holds the truth; Load() reads it
// after a start, and whoever changes images behind our back must call it again.
//
// Ownership: borrows the connection and clock; they outlive it. The destructor
//            cancels pulls under way and waits for them.
// Threads:   safe.
// Errors:    NotFound for an image that is not here; pulls: see puller.h.
// Crash:     an unfinished pull or import leaves only what containerd's garbage
//            collector frees when the lease expires.
#ifndef CRISP_CRI_IMAGES_IMAGE_STORE_H_
#define CRISP_CRI_IMAGES_IMAGE_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "api/containerd/mount.pb.h"
#include "base/clock.h"
#include "cri/containerd/containerd.h"
#include "cri/containerd/snapshot_store.h"
#include "cri/images/fs_usage.h"
#include "cri/images/image.h"
#include "cri/images/import/archive_reader.h"
#include "cri/images/layer_pins.h"
#include "cri/images/registry/credentials.h"

namespace crisp::cri {

struct ImageStoreOptions {
  std::vector<std::string> certs_dirs = {"/etc/crisp/certs.d", "/etc/containerd/certs.d"};
  int parallel_layers = 3;                                // Downloads at a time per pull.
  absl::Duration no_progress_timeout = absl::Minutes(5);  // No byte for this long ends a transfer.
  std::vector<std::string> pinned;                        // References never to be collected.
};

class ImageStore {
 public:
  using Cancelled = std::function<bool()>;

  ImageStore(Containerd* containerd, Clock* clock, ImageStoreOptions options);
  ~ImageStore();

  // Reads containerd's images. An image whose content is incomplete is left out
  // with a warning in the log. Unavailable if containerd does not answer.
  absl::Status Load();

  // By id, by a unique beginning of an id (3 hex digits or more), by tag, by digest.
  absl::StatusOr<Image> Resolve(const std::string& ref) const;
  std::vector<Image> List() const;

  // Deletes every name of the image that `ref` means; OK if there is none.
  // Returns when containerd has freed what nothing else uses.
  absl::Status Remove(const std::string& ref);

  // Pulls and unpacks; returns the image's id. `cancelled` is polled; when it
  // says so the caller leaves with Cancelled, whatever others do.
  absl::StatusOr<std::string> Pull(const std::string& ref, const Credentials& credentials,
                                   const Cancelled& cancelled);

  // Stores and unpacks the images of an archive. `name` names the one image of
  // an archive that names none. All or nothing.
  absl::StatusOr<std::vector<Image>> Import(ArchiveReader& archive, const std::string& name);

  // The bytes of the image's config, for people.
  absl::StatusOr<std::string> ConfigJson(const Image& image);

  // What images take on disk: unpacked layers and compressed content.
  absl::StatusOr<FsUsage> FsInfo();

  // A writable snapshot `key` on top of the image, alive until RemoveSnapshot
  // even if the image goes. An existing `key` is returned as it is. `lease` may
  // be empty. An image that lost its unpacked layers is unpacked again.
  absl::StatusOr<std::vector<containerd::types::Mount>> PrepareSnapshot(
      const Image& image, const std::string& key, const std::string& lease = "");
  // Like PrepareSnapshot, read-only.
  absl::StatusOr<std::vector<containerd::types::Mount>> ViewSnapshot(const Image& image,
                                                                     const std::string& key,
                                                                     const std::string& lease = "");
  // How to mount a snapshot that exists, whether or not its image still does.
  absl::StatusOr<std::vector<containerd::types::Mount>> SnapshotMounts(const std::string& key);
  absl::Status RemoveSnapshot(const std::string& key);  // OK if absent.

  // Whether PinLayers works: the snapshotter is overlayfs.
  bool pins_layers() const;
  // The layers of `image`, for containers that put an upper directory of their own on
  // them. They stay until UnpinLayers, even if the image goes. No call to containerd but
  // for the first user. The image has layers.
  absl::StatusOr<PinnedLayers> PinLayers(const Image& image, const std::string& user);
  absl::Status UnpinLayers(const std::string& key, const std::string& user);
  // After Load, before the first PinLayers: who uses which pinned layers (user -> key).
  absl::Status RecoverPins(const std::map<std::string, std::string>& users);

  absl::StatusOr<SnapshotUsage> Usage(const std::string& key);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace crisp::cri

#endif  // CRISP_CRI_IMAGES_IMAGE_STORE_H_
