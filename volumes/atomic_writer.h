// Kubernetes' atomic volume: readers see all of one version of its files, never a
// mix of two.
//
//   ..2026_01_02_03_04_05.8c1f…/   the current version: files and directories
//   ..data -> ..2026_…             replaced by rename: the commit
//   server.xml -> ..data/server.xml   one link for each first path element
//
// Ownership: owns every name that begins with ".." in the volume's directory, and
//            the links that point below ..data. Anything else there is left alone.
// Threads:   the caller serialises writes to one volume. Readers need nothing.
// Errors:    InvalidArgument for a bad payload (nothing written). FailedPrecondition
//            when the directory holds what no writer of ours left there. Any error
//            before the commit leaves the old version in place.
// Crash:     the next write heals whatever a crash left, at every step. Contents are
//            not fsynced: volumes live on a tmpfs and end with the machine's boot.
#ifndef CRISP_VOLUMES_ATOMIC_WRITER_H_
#define CRISP_VOLUMES_ATOMIC_WRITER_H_

#include <sys/types.h>

#include <functional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "base/clock.h"
#include "volumes/payload.h"

namespace crisp::volumes {

// In the order in which a write passes them.
enum class WriteStep {
  kMadeVersion,
  kWroteFirstFile,
  kWroteFiles,
  kStagedLink,
  kCommitted,
  kMadeLinks,
  kRemovedLinks,
  kRemovedOld,
};

struct WriteOptions {
  absl::optional<gid_t> group;  // fsGroup: owns all of it, and may read.
  std::set<std::string> keep;   // Old versions that are not deleted yet, by name.
  Clock* clock = Clock::Real();
  std::function<void(WriteStep)> after;  // Tests stop a write here.
};

// Makes the volume open as `dirfd` hold exactly `payload`. True if it did not before.
absl::StatusOr<bool> WriteVolume(int dirfd, const Payload& payload,
                                 const WriteOptions& options = {});

}  // namespace crisp::volumes

#endif  // CRISP_VOLUMES_ATOMIC_WRITER_H_
