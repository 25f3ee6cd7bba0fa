// linux.sysctl: only what belongs to a namespace of the container's own.
//
// Threads: free functions.
// Errors:  InvalidArgument naming the sysctl; errno kept.
#ifndef CRISP_SHIM_LAUNCH_SYSCTLS_H_
#define CRISP_SHIM_LAUNCH_SYSCTLS_H_

#include "absl/status/status.h"
#include "shim/launch/proc_file.h"
#include "shim/launch/spec.h"

namespace crisp::shim {

// In the runtime's namespaces, before anything is made.
absl::Status CheckSysctls(const Spec& spec);

// In the container's namespaces.
absl::Status WriteSysctls(const Spec& spec, const PrivateProc& proc);

}  // namespace crisp::shim

#endif  // CRISP_SHIM_LAUNCH_SYSCTLS_H_
