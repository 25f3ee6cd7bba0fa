// An overlay filesystem that is mounted nowhere yet, from the options that snapshotters
// give to mount(8).
//
// Threads: single-threaded: changes the working directory for a moment.
// Errors:  errno kept; InvalidArgument for an option that cannot be carried out.
// Crash:   a mount with "volatile" leaves a mark in its work directory that would keep
//          the next one from being made; it is removed first.
#ifndef CRISP_SHIM_LAUNCH_OVERLAY_H_
#define CRISP_SHIM_LAUNCH_OVERLAY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace crisp::shim {

// "lowerdir=a:b", "upperdir=", "workdir=", "volatile"...; "uidmap=0:1000:65536" and
// "gidmap=" show the lower layers through an idmapped mount.
absl::StatusOr<UniqueFd> MakeOverlay(const std::vector<std::string>& options, uint64_t attributes);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_OVERLAY_H_
