// The shim's own program, out of reach of containers.
//
// A container finds the program of the process that made it behind /proc/<pid>/exe, or
// runs it by an entrypoint of "/proc/self/exe", and as root could write it once nobody
// runs it. So the shim runs from a mount of its program that is read-only and attached
// nowhere: what leads back from a process leads to that mount, and nobody can make it
// writable. Nothing is copied; all shims of a node share the same pages.
//
// Threads: free functions, for the start of main.
// Errors:  errno kept.
#ifndef CRISP_SHIM_LAUNCH_SELF_IMAGE_H_
#define CRISP_SHIM_LAUNCH_SELF_IMAGE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace crisp::shim {

// A program to be executed by execveat(AT_EMPTY_PATH) or as /proc/self/fd/<n>.
absl::StatusOr<UniqueFd> OpenReadonlyProgram(const std::string& path);

// Whether this process's program is on a read-only mount.
bool RunsFromReadonlyMount();

// Executes this process's program anew from such a mount, with its arguments and
// environment, unless it runs from one. Returns only OK, when it does, or an error.
absl::Status RunFromReadonlyMount(char** argv);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_SELF_IMAGE_H_
