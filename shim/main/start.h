// `start`: gives containerd the address of the shim for the bundle in the working
// directory, and starts that shim if its group has none.
//
// Containers of one pod share a shim: the group is the spec's annotation
// io.containerd.runc.v2.group, else io.kubernetes.cri.sandbox-id, else the id.
//
// containerd takes all that comes on stdout and stderr for the answer, and waits until
// both are closed: nothing but the address is written, and the daemon inherits neither.
#ifndef CRISP_SHIM_MAIN_START_H_
#define CRISP_SHIM_MAIN_START_H_

#include <string>

#include "absl/status/statusor.h"
#include "shim/main/options.h"

namespace crisp::shim {

// The answer: "unix:///run/containerd/s/...", which containerd 1.6 to 2.x understand.
absl::StatusOr<std::string> Start(const Options& options);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_MAIN_START_H_
