// One pod or one container of an earlier crispd against the truth of its driver.
//
// Threads: safe for different pods at once.
// Errors:  none; what cannot be found out is logged and the record stays as it is.
#ifndef CRISP_CRI_RECOVERY_RECONCILE_H_
#define CRISP_CRI_RECOVERY_RECONCILE_H_

#include "cri/containers/container_context.h"

namespace crisp::cri {

// With `earlier_boot` nothing of the pod runs, and nobody is asked.
void ReconcilePod(const ContainerContext& context, Pod& pod, bool earlier_boot);
void ReconcileContainer(const ContainerContext& context, Container& container, bool earlier_boot);

}  // namespace crisp::cri

#endif  // CRISP_CRI_RECOVERY_RECONCILE_H_
