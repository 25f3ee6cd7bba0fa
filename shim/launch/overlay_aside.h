// An overlay made by mount(2), in a mount namespace that nobody else sees, for kernels that
// take what it is made of in no other way: before 6.7 more layers than one option of
// fsconfig(2) holds, and id-mapped layers that are mounted nowhere.
//
// Threads: single-threaded: changes the mount namespace and the working directory, and back.
// Errors:  errno kept.
// Crash:   nothing stays: the namespace goes with the process.
#ifndef CRISP_SHIM_LAUNCH_OVERLAY_ASIDE_H_
#define CRISP_SHIM_LAUNCH_OVERLAY_ASIDE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace crisp::shim {

struct OverlayParts {
  std::vector<std::string> lower;  // Uppermost first.
  std::string upper, work;         // Empty: read-only.
  int user_namespace = -1;         // Whose ids the lower layers show; -1: as they are.
  bool is_volatile = false;
  std::vector<std::string> rest;  // Other options.
};

// A layer as a descriptor: a clone of its mount where there is a user namespace.
absl::StatusOr<UniqueFd> OpenLayer(const std::string& path, int user_namespace);

// Removes the mark that a mount with "volatile" left in its work directory.
void ForgetEarlierMount(int work);

// A mount of it that is nowhere yet.
absl::StatusOr<UniqueFd> MountOverlayAside(const OverlayParts& parts, uint64_t attributes);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_OVERLAY_ASIDE_H_
