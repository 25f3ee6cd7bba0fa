// `delete`: what containerd calls after every task, in whose bundle it runs: after a
// clean Delete, when all is gone, and after a shim has died, when nothing is.
//
// Ends what is left of the container by its cgroup, takes away its mounts, and answers
// with the recorded exit, or with 137 if there is none. May be called any number of times;
// touches nothing of the pod's other containers.
#ifndef CRISP_SHIM_MAIN_DELETE_H_
#define CRISP_SHIM_MAIN_DELETE_H_

#include "absl/status/statusor.h"
#include "api/shim/wire/task.pb.h"
#include "shim/main/options.h"

namespace crisp::shim {

absl::StatusOr<wire::DeleteResponse> Delete(const Options& options);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_MAIN_DELETE_H_
