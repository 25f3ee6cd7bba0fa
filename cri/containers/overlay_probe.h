// Whether a directory can hold what containers write: the upper directory of an overlay.
//
// Not every filesystem can (another overlay, NFS, FAT): the mount is refused, or what is
// deleted cannot be marked as such.
//
// Threads: a free function.
// Errors:  errno, naming what was refused.
#ifndef CRISP_CRI_CONTAINERS_OVERLAY_PROBE_H_
#define CRISP_CRI_CONTAINERS_OVERLAY_PROBE_H_

#include <string>

#include "absl/status/status.h"

namespace crisp::cri {

// Tries it, with a mount that is attached nowhere. Nothing is left below `directory`.
absl::Status ProbeOverlayUpper(const std::string& directory);

}  // namespace crisp::cri

#endif  // CRISP_CRI_CONTAINERS_OVERLAY_PROBE_H_
