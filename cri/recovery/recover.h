// After a start: every pod and container in its true state, and nothing left over
// from calls that an earlier crispd did not finish.
//
//   records ─▶ stores ─▶ each pod and container against its driver
//           ─▶ half-made ones undone ─▶ what belongs to nobody swept away
//
// Threads: for start-up, before serving. Pods are looked at side by side.
// Errors:  of the state directory as a whole. What goes wrong with one pod is
//          logged, and that pod stays listed so that it can be stopped and removed.
// Crash:   can be interrupted anywhere and run again.
#ifndef CRISP_CRI_RECOVERY_RECOVER_H_
#define CRISP_CRI_RECOVERY_RECOVER_H_

#include "absl/status/status.h"
#include "cri/containers/container_context.h"

namespace crisp::cri {

absl::Status Recover(const ContainerContext& context);

}  // namespace crisp::cri

#endif  // CRISP_CRI_RECOVERY_RECOVER_H_
